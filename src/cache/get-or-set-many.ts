import { HitherError } from '../errors.ts'
import type { Limit } from '../runtime/deadline.ts'
import { getOrSet, runAlone } from './get-or-set.ts'
import type { LoadPlan, ReadThrough } from './load.ts'
import type { ManyLoader } from './types.ts'

/**
 * A read-through of many keys: one wave reads them all, one takes the leases of those that are missing, and one run of
 * the loader answers the keys this caller has won. The rest it waits for, and loads by itself where it wins them later.
 */
export async function getOrSetMany(
  through: ReadThrough,
  keys: readonly string[],
  loader: ManyLoader<unknown>,
  plan: LoadPlan,
  limit: Limit,
): Promise<Map<string, unknown>> {
  const unique = [...new Set(keys)]
  const undecided = new Set(unique)
  const won = new Map<string, { resolve(value: unknown): void; reject(error: unknown): void; signal: AbortSignal }>()

  let flushing = false
  const flush = (): void => {
    if (flushing || undecided.size > 0 || won.size === 0) return
    flushing = true
    // Leases that were asked for together are won in one run of microtasks.
    queueMicrotask(() => queueMicrotask(runBatch))
  }
  const runBatch = (): void => {
    flushing = false
    const batch = new Map(won)
    won.clear()
    const run = async (): Promise<void> => {
      const stop = new AbortController()
      let left = batch.size
      // One caller's key may be given up while others still wait for theirs.
      for (const { signal } of batch.values()) {
        signal.addEventListener('abort', () => --left === 0 && stop.abort(signal.reason), { once: true })
      }
      const answers = await loader([...batch.keys()], { signal: stop.signal })
      const isMap = answers instanceof Map
      if (!isMap && (typeof answers !== 'object' || answers === null || Array.isArray(answers))) {
        throw new HitherError('INVALID_ARGUMENT', 'a loader of many keys answers a Map, or an object by key')
      }
      for (const [key, { resolve }] of batch) {
        resolve(
          isMap
            ? answers.get(key)
            : Object.hasOwn(answers, key)
              ? (answers as Record<string, unknown>)[key]
              : undefined,
        )
      }
    }
    run().catch((error: unknown) => {
      for (const { reject } of batch.values()) reject(error)
    })
  }
  const decided = (key: string): void => {
    undecided.delete(key)
    flush()
  }
  const load = plan.options.bypass ? runAlone : getOrSet
  const one = (key: string): Promise<unknown> =>
    load(
      through,
      key,
      ({ signal }) =>
        new Promise((resolve, reject) => {
          won.set(key, { resolve, reject, signal })
          decided(key)
        }),
      plan,
      limit,
      () => decided(key),
    ).finally(() => decided(key))
  const values = await Promise.all(unique.map(one))
  return new Map(unique.flatMap((key, i) => (values[i] === undefined ? [] : [[key, values[i]]])))
}
