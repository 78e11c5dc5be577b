import { HitherError } from '../../errors.ts'
import { soon } from '../../runtime/per-tick.ts'
import type { LoadCall } from '../model.ts'
import type { LoadContext, ManyLoader, ManyResult } from '../types.ts'
import { aboutKey } from '../view.ts'
import { getOrSet, loadUnshared } from './read-through.ts'

export interface LoadManyCall extends Pick<LoadCall, 'view' | 'settings' | 'limit'> {
  readonly keys: readonly string[]
  readonly loader: ManyLoader<unknown>
}

/** A key whose load this caller leads. The next run of the loader settles it. */
interface WonKey {
  resolve(value: unknown): void
  reject(error: unknown): void
  readonly signal: AbortSignal
}

/**
 * A read-through of many keys. One wave of commands reads all keys, a second one takes the leases of the missing keys, and one
 * run of the loader loads the keys whose leases this caller has won. The caller waits for the loads of the other keys. If it
 * wins one of their leases later, it runs the loader again for that key.
 *
 * The loader runs as soon as every key is decided: read, led by this caller, or led by another. It must not wait until the keys
 * that others lead have arrived: two callers that each lead a key which the other waits for would wait forever.
 */
export async function getOrSetMany({ keys, loader, ...call }: LoadManyCall): Promise<Map<string, unknown>> {
  const unique = [...new Set(keys)]
  const undecided = new Set(unique)
  const won = new Map<string, WonKey>()

  let isScheduled = false
  const runWhenDecided = (): void => {
    if (isScheduled || undecided.size > 0 || won.size === 0) return
    isScheduled = true
    // Leases that were asked for together are won in one run of microtasks: wait for the end of it, to load them in one batch.
    soon(() => soon(runBatch))
  }
  const runBatch = (): void => {
    isScheduled = false
    const batch = new Map(won)
    won.clear()
    loadBatch(loader, batch).catch((error: unknown) => {
      for (const { reject } of batch.values()) reject(error)
    })
  }
  const decided = (key: string): void => {
    undecided.delete(key)
    runWhenDecided()
  }
  const read = call.settings.options.bypass ? loadUnshared : getOrSet
  const readOne = (key: string): Promise<unknown> => {
    const lead = ({ signal }: LoadContext): Promise<unknown> =>
      new Promise((resolve, reject) => {
        won.set(key, { resolve, reject, signal })
        decided(key)
      })
    return read({
      ...call,
      view: aboutKey(call.view, key),
      key,
      storedKey: call.view.space.key(key),
      loader: lead,
      onDecided: () => decided(key),
    }).finally(() => decided(key))
  }
  const values = await Promise.all(unique.map(readOne))
  return new Map(unique.flatMap((key, i) => (values[i] === undefined ? [] : [[key, values[i]]])))
}

/** Runs the loader for a batch of keys, and resolves each key to its value. */
async function loadBatch(loader: ManyLoader<unknown>, batch: ReadonlyMap<string, WonKey>): Promise<void> {
  const stop = new AbortController()
  let left = batch.size
  // The load of one key may be aborted while others are still wanted. The loader is aborted only when all of them are.
  for (const { signal } of batch.values()) {
    signal.addEventListener('abort', () => --left === 0 && stop.abort(signal.reason), { once: true })
  }
  const values = await loader([...batch.keys()], { signal: stop.signal })
  if (typeof values !== 'object' || values === null || Array.isArray(values)) {
    throw new HitherError('INVALID_ARGUMENT', 'a loader of many keys returns a Map, or an object by key')
  }
  for (const [key, { resolve }] of batch) resolve(valueUnder(values, key))
}

/** A map of another realm, or of a class that has the methods of a Map, is one as well: no value is a function. */
function valueUnder(values: ManyResult<unknown>, key: string): unknown {
  if (typeof values.get === 'function') return (values as ReadonlyMap<string, unknown>).get(key)
  return Object.hasOwn(values, key) ? (values as Record<string, unknown>)[key] : undefined
}
