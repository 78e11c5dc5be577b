import { HitherError } from '../errors.ts'
import { checkNames, checkOperations, checkWhole, invalid } from '../protocol/arguments.ts'
import { keyUnder } from '../protocol/digest.ts'
import { type Duration, toMs } from '../protocol/duration.ts'
import { checkNamespace } from '../protocol/keys.ts'
import type { AtomicStore, Call } from '../store/store.ts'
import { addToCount, addToWindow, countOf, totalOfWindow } from './operations.ts'

export interface CounterOptions {
  /** The store that holds the counts. */
  readonly store: AtomicStore
  /** @default 'counter' */
  readonly namespace?: string
  /** What is counted: letters, digits, `_` and `-`. Counters of the same namespace and name share their counts. */
  readonly name: string
  /**
   * How long a count is kept after its first change; later changes do not extend that. With `window`: how long after its last
   * change, and at least as long as the window. @default no end; with `window`, until the window no longer contains any change
   */
  readonly ttl?: Duration
  /** An increment that would pass this maximum counts nothing. @default none */
  readonly max?: number
  /** A decrement that would go below this minimum counts nothing. @default none */
  readonly min?: number
  /** Makes the count a total of this last length of time: older changes no longer count. */
  readonly window?: Duration
  /** Into how many buckets the window is divided: 1 to 1,000. A change leaves the window up to one bucket late. @default 60 */
  readonly buckets?: number
}

/** How one call may end early: `signal` rejects it with its reason, `deadline` (epoch milliseconds) with `TIMEOUT`. */
export type CounterCall = Pick<Call, 'signal' | 'deadline'>

/**
 * Counts by key. Each change is one atomic step that is never sent twice: when its reply is lost, the call rejects with
 * `maybeExecuted`. Rejects with `INVALID_KEY` for a key that is not a string or is empty, and with the errors of the store.
 */
export interface Counter {
  /**
   * Adds `by`, a whole number, by default 1. Resolves to the new count (with a window, the new total). Resolves to `undefined`,
   * and counts nothing, if that would pass `max` (or `min`, for a negative `by`). Rejects with `OVERFLOW` past 2^53 − 1.
   */
  increment(key: string, by?: number, call?: CounterCall): Promise<number | undefined>
  /** As `increment` of `-by`. */
  decrement(key: string, by?: number, call?: CounterCall): Promise<number | undefined>
  /** The count, 0 if there is none; with a window, its total. */
  get(key: string, call?: CounterCall): Promise<number>
  /** The counts of all these keys, 0 for a key without one. One round trip if the store can. */
  getMany(keys: readonly string[], call?: CounterCall): Promise<Map<string, number>>
  /** What was counted in the last `window`, and up to one bucket before that. Rejects with `UNSUPPORTED` without a window. */
  total(key: string, call?: CounterCall): Promise<number>
  /** Deletes the count. */
  reset(key: string, call?: CounterCall): Promise<void>
}

const OPTIONS = ['store', 'namespace', 'name', 'ttl', 'max', 'min', 'window', 'buckets']
const MAX_BUCKETS = 1000

/**
 * A counter over a store. Throws `UNSUPPORTED` for a store without operations, `INVALID_ARGUMENT`, `INVALID_DURATION` or
 * `INVALID_KEY` for options that make no sense.
 */
export function createCounter(options: CounterOptions): Counter {
  checkNames('createCounter', options, OPTIONS)
  const { store, namespace = 'counter', name, ttl, max, min, window, buckets: given } = options ?? {}
  checkOperations('createCounter', store)
  for (const bound of [max, min]) if (bound !== undefined) checkWhole(bound, 'a bound')
  if (max !== undefined && min !== undefined && min > max) throw invalid('min is not above max')
  const lifeMs = ttl === undefined ? 0 : toMs(ttl, 'ttl')
  const windowMs = window === undefined ? 0 : toMs(window, 'window')
  if (windowMs && lifeMs && lifeMs < windowMs) throw invalid('ttl is as long as the window, or longer')
  if (!windowMs && given !== undefined) throw invalid('buckets need a window')
  const buckets = checkWhole(given ?? 60, 'buckets', 1, MAX_BUCKETS)
  const bucketUs = Math.ceil((windowMs * 1000) / buckets)
  const what = checkNamespace(name)
  // The window and the number of buckets are part of the key, so that no other window and no other name shares the key.
  const kind = windowMs ? `window:${what}-${windowMs}-${buckets}` : `counter:${what}`
  const prefix = `:${checkNamespace(namespace)}:${kind}`
  const bounds = [min ?? '', max ?? ''] as const
  const isBounded = min !== undefined || max !== undefined

  const keyOf = (key: string): string | Promise<string> => {
    if (typeof key === 'string' && key !== '') return keyUnder(prefix, key)
    throw new HitherError('INVALID_KEY', 'a key is a string that is not empty')
  }
  const add = async (key: string, by: number, sign: 1 | -1, call?: Call): Promise<number | undefined> => {
    const change = checkWhole(by, 'a count') * sign
    const at = keyOf(key)
    const stored = typeof at === 'string' ? at : await at
    const reply = await (windowMs
      ? store.run(addToWindow, stored, [change, ...bounds, bucketUs, buckets, lifeMs], call)
      : store.run(addToCount, stored, isBounded ? [change, lifeMs, ...bounds] : [change, lifeMs], call))
    if (reply === 'OVERFLOW') throw new HitherError('OVERFLOW', 'a count has at most 2^53 - 1')
    return reply === null ? undefined : Number(reply)
  }
  const total = async (key: string, call: Call | undefined): Promise<number> =>
    Number(await store.run(totalOfWindow, await keyOf(key), [0, '', '', bucketUs, buckets, lifeMs], call))
  const get = async (key: string, call?: Call): Promise<number> =>
    windowMs ? total(key, call) : (countOf(await store.get(await keyOf(key), call)) ?? 0)

  return {
    increment: (key, by = 1, call) => add(key, by, 1, call),
    decrement: (key, by = 1, call) => add(key, by, -1, call),
    get,
    async getMany(keys, call) {
      if (!Array.isArray(keys)) throw invalid('keys are an array')
      const names = [...new Set(keys)]
      if (windowMs) return new Map(await Promise.all(names.map(async (key) => [key, await total(key, call)] as const)))
      const texts = await store.getMany(await Promise.all(names.map(keyOf)), call)
      return new Map(names.map((key, i) => [key, countOf(texts[i]) ?? 0]))
    },
    async total(key, call) {
      if (!windowMs) throw new HitherError('UNSUPPORTED', 'total needs a counter with a window')
      return total(key, call)
    },
    async reset(key, call) {
      await store.delete([await keyOf(key)], call)
    },
  }
}
