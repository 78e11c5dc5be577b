import { NO_VALUE, parseEntry } from '../protocol/entry.ts'
import type { Arg, Operation, Reply } from '../protocol/operation.ts'
import { settledOrTimeout } from '../runtime/background.ts'
import type { LocalTier, NearStats } from './local-tier.ts'
import type { NearFeed } from './message-feed.ts'
import { createPendingDeletes, type PendingDelete } from './pending-deletes.ts'

/** What a tier needs of its cache. Keys are stored keys. */
export interface NearHost {
  /** Keys are as given, with no namespace. */
  readonly plain: boolean
  /** The cache's own; others are views of it. */
  readonly namespace: string
  readonly publish?: ((channel: string, message: string) => Promise<unknown>) | undefined
  readonly subscribe?:
    | ((channel: string, onMessage: (message: string) => void, onGap: () => void) => Promise<() => Promise<void>>)
    | undefined
  run<A extends readonly Arg[], R extends Reply>(operation: Operation<A, R>, key: string, args: A): Promise<R>
  get(key: string): Promise<string | undefined>
  delete(key: string): Promise<unknown>
  /** Runs one repeatable step (`cache/steps`) on an entry. */
  end(key: string, step: readonly Arg[]): Promise<unknown>
  /**
   * Deletes what was stored before `sinceMs`, later and once more, in place of `get`, `delete` and `end` where what is stored is
   * no entry of a cache. Resolves to whether it did, which it may not once `isDue` returns false.
   */
  remove?(key: string, sinceMs: number, isDue: () => boolean): Promise<boolean>
  /** Whether the error says that the store did not answer. */
  isOutage(error: unknown): boolean
  /** Another process has ended this version: what was seen of it counts no more. */
  forget(key: string): void
  /** Called when messages may have been missed: the tier is then empty. */
  onGap(): void
  /** Work that nobody waits for. */
  track(work: Promise<unknown>): void
}

/** A near tier in its cache: what it holds, and what keeps it true to the store. */
export interface NearPart extends Pick<LocalTier, 'peek' | 'get'> {
  /** From the keys of a namespace to the tier's. */
  names(namespace: string): (key: string) => string
  /** A ticket for a `keep`, taken before the read, load or write from which its entry will come; undefined: nothing is kept. */
  begin(): number | undefined
  /** Keeps an entry (`LocalTier.set`). */
  keep(...entry: Parameters<LocalTier['set']>): void
  /** A value that a caller may change. */
  copyForCaller(value: unknown): unknown
  /**
   * Runs a write with nothing kept of what it changes, neither before nor after, and notifies other processes when it is
   * done. `deletes`: when the store does not answer, the delete is retried later (`retryPendingDelete`). `writes`: with an
   * answer other than 0 and null it has replaced the value. `changes`: it leaves the value.
   */
  withInvalidation<T>(
    keys: readonly string[],
    kind: 'deletes' | 'writes' | 'changes',
    write: () => Promise<T>,
  ): Promise<T>
  /**
   * Undefined: no delete of this stored key has failed. Else it is tried once more now: resolves to whether the key must
   * still count as absent.
   */
  retryPendingDelete(key: string): Promise<boolean> | undefined
  /** The store is about to be read. */
  beforeRead(): void
  /** The store has answered. */
  onAnswer(): void
  /** Undefined: there is no tier. */
  stats(): NearStats | undefined
  close(): Promise<void>
}

const TAG = /^:[^:]*:t:/

export function attach(tier: LocalTier, maxAgeMs: number, makeFeed: NearFeed | undefined, host: NearHost): NearPart {
  const { plain, namespace: own } = host
  // No stored key starts with NUL and a namespace, and no root key is taken for one.
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
      // A late delete of a plain key does not know what was written after it.
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
        // In capitals: why nothing was written.
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

/** A delete that is retried leaves what was written this much after it, though the clocks differ. */
const CLOCKS_DIFFER_MS = 5000

/**
 * Deletes what was written before `sinceMs`, give or take what clocks differ, while it is due, and nothing that comes
 * after. Resolves to false where it was not, or something else had come by then. Rejects when the store is down.
 */
async function removeOld(host: NearHost, key: string, sinceMs: number, isDue: () => boolean): Promise<boolean> {
  if (host.plain) {
    await host.delete(key)
    return true
  }
  const entry = parseEntry((await host.get(key)) ?? '')
  if (!isDue()) return false
  if (!entry || entry.writtenMs >= sinceMs + CLOCKS_DIFFER_MS) return true
  // By what it is, not by its key: it may be sent again, or arrive late, and something else may be there by then. That may be
  // what a load has stored that began before the delete, so it is looked at in its turn.
  const ended = await host.end(key, entry.mark === NO_VALUE ? ['release', '', entry.lease] : ['bury', entry.id, 0])
  return ended !== 0
}
