import type { Arg, Operation, Reply } from '../protocol/operation.ts'
import { now } from '../runtime/clock.ts'
import { NO_LIMIT } from '../runtime/deadline.ts'
import { createKeyQueue } from '../runtime/key-queue.ts'
import { clientOf } from './client-of.ts'
import { createLocalLeases, frame, isLeaseStep } from './local-leases.ts'
import type { AtomicStore, Call, Store } from './store.ts'

/** See `frame`. */
const FRAMED = /^([\da-z]{1,11}) ([^]*)$/

interface Opened {
  readonly text: string | undefined
  readonly endMs: number
}

function open(stored: string | undefined, nowMs: number = now()): Opened {
  const [, end = '', text] = FRAMED.exec(stored ?? '') ?? []
  const endMs = Number.parseInt(end, 36) || 0
  return endMs > 0 && endMs <= nowMs ? { text: undefined, endMs: 0 } : { text, endMs }
}

/** By client: on Workers each request may make another store over one client. */
const shared = new WeakMap<object, ReturnType<typeof createShared>>()

/** What all caches over one client share. */
function createShared() {
  return { queue: createKeyQueue(), leases: createLocalLeases() }
}

function sharedOver(client: object): ReturnType<typeof createShared> {
  const present = shared.get(client) ?? createShared()
  shared.set(client, present)
  return present
}

/**
 * Adds operations to a store that has none. Each operation reads, decides and writes. Within this process, operations on a key
 * run one at a time; another process may write in between. Each value is stored with the end of its lifetime, since such a
 * store rounds lifetimes or does not report them.
 */
export function withoutOperations(store: Store): AtomicStore {
  const { queue, leases } = sharedOver(clientOf(store))
  const put = (key: string, text: string, life: { endMs: number; nowMs: number }, call?: Call): Promise<void> => {
    leases.drop([key])
    return store.set(key, frame(text, life.endMs), life.endMs ? life.endMs - life.nowMs : undefined, call)
  }
  const remove = (keys: readonly string[], call?: Call): Promise<number> => {
    leases.drop(keys)
    return store.delete(keys, call)
  }
  const seen = (key: string, base: string | undefined): string | undefined => open(leases.over(key, base)).text
  return {
    ...store,
    get: (key, call) => queue.run([key], false, NO_LIMIT, async () => seen(key, await store.get(key, call))),
    getMany: (keys, call) =>
      queue.run(keys, false, NO_LIMIT, async () =>
        (await store.getMany(keys, call)).map((base, i) => seen(keys[i] as string, base)),
      ),
    set(key, value, ttlMs, call) {
      const nowMs = now()
      const life = { endMs: ttlMs ? nowMs + ttlMs : 0, nowMs }
      return queue.run([key], true, NO_LIMIT, () => put(key, value, life, call))
    },
    delete: (keys, call) => queue.run(keys, true, NO_LIMIT, () => remove(keys, call)),
    run: <A extends readonly Arg[], R extends Reply>(operation: Operation<A, R>, key: string, args: A, call?: Call) =>
      queue.run([key], true, NO_LIMIT, async () => {
        const base = await store.get(key, call)
        const stored = leases.over(key, base)
        // There is no lease, or another process has written since.
        if (stored === base) leases.drop([key])
        // The clock is read once: an entry that ended between two readings would be written with no lifetime left.
        const nowMs = now()
        const { text, endMs } = open(stored, nowMs)
        const leftMs = endMs ? endMs - nowMs : undefined
        const hasBase = open(base, nowMs).text !== undefined
        const { next, ttl, reply } = operation.apply(text, args, { nowUs: nowMs * 1000, leftMs })
        if (next === undefined) {
          leases.drop([key])
          if (hasBase) await remove([key], call)
        } else if (next !== text || ttl !== 'keep') {
          const nextEndMs = ttl === 'keep' ? endMs : ttl === 'none' ? 0 : nowMs + ttl.ms
          if (isLeaseStep(operation.name, args)) {
            // Other processes must not serve the copy any more.
            const deletes = args[0] === 'gone' && hasBase
            if (deletes) await remove([key], call)
            leases.keep(key, { text: next, endMs: nextEndMs, base: deletes ? undefined : base }, nowMs)
          } else await put(key, next, { endMs: nextEndMs, nowMs }, call)
        }
        return reply
      }),
  }
}
