import { HitherError } from '../../errors.ts'
import type { LoadCall } from '../model.ts'
import type { LoadContext, ManyLoader, ManyResult } from '../types.ts'
import { aboutKey } from '../view.ts'
import { getOrSet, loadUnshared } from './read-through.ts'

export interface LoadManyCall extends Pick<LoadCall, 'view' | 'settings' | 'limit'> {
  readonly keys: readonly string[]
  readonly loader: ManyLoader<unknown>
}

/** A key whose load this caller leads, until the run of the loader that answers it. */
interface WonKey {
  resolve(value: unknown): void
  reject(error: unknown): void
  readonly signal: AbortSignal
}

/**
 * A read-through of many keys: one wave reads them all, one takes the leases of those that are missing, and one run of
 * the loader answers the keys this caller has won. It waits for the rest, and loads by itself what it wins later.
 *
 * The loader runs once every key is decided: read, led, or left to another. It must not wait for those left to another
 * to arrive: two callers that each lead what the other waits for would never end.
 */
export async function getOrSetMany({ keys, loader, ...call }: LoadManyCall): Promise<Map<string, unknown>> {
  const unique = [...new Set(keys)]
  const undecided = new Set(unique)
  const won = new Map<string, WonKey>()

  let isScheduled = false
  const runWhenDecided = (): void => {
    if (isScheduled || undecided.size > 0 || won.size === 0) return
    isScheduled = true
    // Leases that were asked for together are won in one run of microtasks.
    queueMicrotask(() => queueMicrotask(runBatch))
  }
  const runBatch = (): void => {
    isScheduled = false
    const batch = new Map(won)
    won.clear()
    answerBatch(loader, batch).catch((error: unknown) => {
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

/** Runs the loader for a batch of keys, and gives each its value. */
async function answerBatch(loader: ManyLoader<unknown>, batch: ReadonlyMap<string, WonKey>): Promise<void> {
  const stop = new AbortController()
  let left = batch.size
  // One caller's key may be given up while others still wait for theirs.
  for (const { signal } of batch.values()) {
    signal.addEventListener('abort', () => --left === 0 && stop.abort(signal.reason), { once: true })
  }
  const answers = await loader([...batch.keys()], { signal: stop.signal })
  if (!(answers instanceof Map) && (typeof answers !== 'object' || answers === null || Array.isArray(answers))) {
    throw new HitherError('INVALID_ARGUMENT', 'a loader of many keys answers a Map, or an object by key')
  }
  for (const [key, { resolve }] of batch) resolve(answerOf(answers, key))
}

function answerOf(answers: ManyResult<unknown>, key: string): unknown {
  if (answers instanceof Map) return answers.get(key)
  return Object.hasOwn(answers, key) ? (answers as Record<string, unknown>)[key] : undefined
}
