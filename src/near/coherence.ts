import { NO_VALUE, parseEntry } from '../protocol/entry.ts'
import type { Arg, Operation, Reply } from '../protocol/operation.ts'
import { settledOrTimeout } from '../runtime/background.ts'
import type { LocalTier, NearStats } from './local-tier.ts'
import type { NearFeed } from './message-feed.ts'
import { createPendingDeletes, type PendingDelete } from './pending-deletes.ts'

/** What a near tier needs from its cache. Keys are stored keys. */
export interface NearHost {
  /** The plain format: keys are stored as given, without a namespace. */
  readonly plain: boolean
  /** The cache's own namespace; others are views of it. */
  readonly namespace: string
  readonly publish?: ((channel: string, message: string) => Promise<unknown>) | undefined
  readonly subscribe?:
    | ((channel: string, onMessage: (message: string) => void, onGap: () => void) => Promise<() => Promise<void>>)
    | undefined
  run<A extends readonly Arg[], R extends Reply>(operation: Operation<A, R>, key: string, args: A): Promise<R>
  get(key: string): Promise<string | undefined>
  delete(key: string): Promise<unknown>
  /** Runs one repeatable step (`cache/steps`) on an entry, which ends it or its lease. */
  end(key: string, step: readonly Arg[]): Promise<unknown>
  /**
   * Retries a failed delete: deletes a value that was stored before `sinceMs`. Used in place of `get`, `delete` and `end` where
   * the stored form is no entry of a cache. Resolves to whether it has deleted the value; it must not once `isDue` returns
   * false.
   */
  remove?(key: string, sinceMs: number, isDue: () => boolean): Promise<boolean>
  /** Whether the error says that the store did not reply. */
  isOutage(error: unknown): boolean
  /** Another process has ended this version: forgets the value that was seen of it. */
  forget(key: string): void
  /** Called when messages may have been missed, once the tier was emptied. */
  onGap(): void
  /** Takes work that nobody waits for. */
  track(work: Promise<unknown>): void
}

/** A near tier attached to its cache: its entries, and what keeps them consistent with the store. */
export interface NearPart extends Pick<LocalTier, 'peek' | 'get'> {
  /** Maps the keys of a namespace to the keys of the tier. */
  names(namespace: string): (key: string) => string
  /** A ticket for `keep`. Take it before the read, load or write that the entry will come from. Undefined: nothing is kept. */
  begin(): number | undefined
  /** Keeps an entry (`LocalTier.set`). */
  keep(...entry: Parameters<LocalTier['set']>): void
  /** The value in a form that a caller may modify: a copy where the tier shares it. */
  copyForCaller(value: unknown): unknown
  /**
   * Runs a write. Drops the near tier entries of its keys before and after it, and notifies other processes when it has
   * succeeded. `deletes`: when the store does not reply, the delete is retried later (`retryPendingDelete`). `writes`: it has
   * replaced the value when the reply is not 0, null or an error code. `changes`: it does not replace the value.
   */
  withInvalidation<T>(
    keys: readonly string[],
    kind: 'deletes' | 'writes' | 'changes',
    write: () => Promise<T>,
  ): Promise<T>
  /**
   * Retries the failed delete of this stored key now, and resolves to whether the key must still count as absent. Undefined: no
   * delete of the key has failed.
   */
  retryPendingDelete(key: string): Promise<boolean> | undefined
  /** The store is about to be read. */
  beforeRead(): void
  /** The store has replied. */
  onAnswer(): void
  /** Undefined: there is no tier. */
  stats(): NearStats | undefined
  close(): Promise<void>
}

const TAG = /^:[^:]*:t:/

export function attach(tier: LocalTier, maxAgeMs: number, makeFeed: NearFeed | undefined, host: NearHost): NearPart {
  const { plain, namespace: own } = host
  // Tier keys of other namespaces are NUL and the stored key. A root key that starts with NUL gets one more, so that it is not
  // taken for one of these.
  const nameRoot = (key: string): string => (key.charCodeAt(0) ? key : `\0${key}`)
  const nameOf = (stored: string): string => {
    const colon = plain ? -1 : stored.indexOf(':')
    return stored.slice(0, colon) === own ? nameRoot(stored.slice(colon + 1)) : `\0${stored}`
  }
  const drop = (stored: string): void => {
    if (plain) tier.delete(nameRoot(stored))
    else if (stored[0] !== ':') tier.delete(nameOf(stored))
    else if (TAG.test(stored)) tier.invalidate(stored)
    else tier.clear()
  }
  const pendingDeletes = createPendingDeletes(maxAgeMs, {
    remove: host.remove ?? ((key, sinceMs, isDue) => removeOld(host, key, sinceMs, isDue)),
    track: host.track,
  })
  const feed = makeFeed?.({
    channel: plain ? '::near' : `:${own}:near`,
    publish: host.publish,
    subscribe: host.subscribe,
    run: host.run,
    drop(stored) {
      drop(stored)
      if (!plain && stored[0] === ':') host.forget(stored)
    },
    flush(lost) {
      tier.clear()
      if (lost) host.onGap()
    },
    track: host.track,
  })
  return {
    peek: tier.peek,
    get: tier.get,
    begin: tier.begin,
    copyForCaller: tier.copyForCaller,
    stats: tier.stats,
    keep(...entry) {
      feed?.onKeep()
      tier.set(...entry)
    },
    names: (namespace) => (plain || namespace === own ? nameRoot : (key) => `\0${namespace}:${key}`),
    async withInvalidation(keys, kind, write) {
      keys.forEach(drop)
      // A late retry of a delete cannot see when the value of a plain key was written. Let it end before this write is sent.
      const late = plain ? keys.flatMap((key) => pendingDeletes.retrying(key) ?? []) : []
      if (late.length > 0) await settledOrTimeout(Promise.all(late))
      let deletes: readonly PendingDelete[] = []
      let failed = false
      let isAnswered = false
      try {
        const sent = write()
        const before = keys.map((key) => pendingDeletes.noteWrite(key, sent))
        if (kind === 'deletes') deletes = keys.map(pendingDeletes.begin)
        const answer = await sent
        isAnswered = true
        // A reply in capitals is an error code: nothing was written.
        if (kind === 'deletes' || (kind === 'writes' && answer && !/^[A-Z]/.test(`${answer}`)))
          for (const [i, key] of keys.entries()) pendingDeletes.settle(key, before[i] as readonly PendingDelete[])
        return answer
      } catch (error) {
        failed = host.isOutage(error)
        throw error
      } finally {
        for (const [i, pending] of deletes.entries()) pendingDeletes.end(keys[i] as string, pending, failed)
        keys.forEach(drop)
        if (isAnswered) feed?.publish(keys)
      }
    },
    retryPendingDelete: pendingDeletes.retryPendingDelete,
    beforeRead: () => feed?.onRead(),
    onAnswer: pendingDeletes.onAnswer,
    async close() {
      await feed?.close()
    },
  }
}

/**
 * How far the clocks of this process and of the store may differ, in ms. A retried delete leaves an entry that is stamped at
 * least this long after the delete was sent.
 */
const CLOCKS_DIFFER_MS = 5000

/**
 * Deletes an entry that was written before `sinceMs`, or up to `CLOCKS_DIFFER_MS` later, if the delete is still due. Resolves
 * to whether nothing is left to delete; false: the delete was not due any more, or another entry had replaced the one that was
 * read. Rejects when the store is down.
 */
async function removeOld(host: NearHost, key: string, sinceMs: number, isDue: () => boolean): Promise<boolean> {
  if (host.plain) {
    await host.delete(key)
    return true
  }
  const entry = parseEntry((await host.get(key)) ?? '')
  if (!isDue()) return false
  if (!entry || entry.writtenMs >= sinceMs + CLOCKS_DIFFER_MS) return true
  // Delete the entry by its id, or the lease by its token, not by the key: the command may be sent again or arrive late, when
  // something else is stored there. The reply is then 0, and the caller looks again, because the new entry may come from a load
  // that began before the delete.
  const ended = await host.end(key, entry.mark === NO_VALUE ? ['release', '', entry.lease] : ['bury', entry.id, 0])
  return ended !== 0
}
