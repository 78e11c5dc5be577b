import { NO_END, parseEntry } from '../protocol/entry.ts'
import type { Arg, Operation, Reply } from '../protocol/operation.ts'
import { now } from '../runtime/clock.ts'
import type { AtomicStore, Call, Store } from '../store/store.ts'

/**
 * A store without operations, with steps that are atomic within this process only: read, decide, write, one after
 * another for each key. Time is this process's clock.
 */
export function perProcess(store: Store): AtomicStore {
  const tails = new Map<string, Promise<unknown>>()
  const step = async <R extends Reply>(
    operation: Operation<readonly Arg[], R>,
    key: string,
    args: readonly Arg[],
    call?: Call,
  ) => {
    const current = await store.get(key, call)
    const nowUs = now() * 1000
    const { next, ttl, reply } = operation.apply(current, args, { nowUs, leftMs: undefined })
    if (next === undefined && current !== undefined) await store.delete([key], call)
    if (next === undefined || next === current) return reply
    const ends = parseEntry(next)?.expiresMs ?? Number(NO_END)
    const left = ttl === 'keep' ? ends - now() : ttl === 'none' ? Number.POSITIVE_INFINITY : ttl.ms
    await store.set(key, next, Number.isFinite(left) && left < 1e14 ? Math.max(1, left) : undefined, call)
    return reply
  }
  return {
    ...store,
    run(operation, key, args, call) {
      const before = tails.get(key) ?? Promise.resolve()
      const turn = before.then(() => step(operation as never, key, args, call)) as Promise<never>
      const tail = turn
        .catch(() => {})
        .then(() => {
          if (tails.get(key) === tail) tails.delete(key)
        })
      tails.set(key, tail)
      return turn
    },
  }
}
