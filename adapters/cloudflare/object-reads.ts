import { now } from '../../src/runtime/clock.ts'
import { soon, TICK_LIMIT_MS } from '../../src/runtime/per-tick.ts'
import type { StoredEntry } from './hither-object.ts'

/** Most keys of one message. The longest keys then take 20 MB, and a message carries 32 MiB. */
const MAX_KEYS = 10_000

export type Found = ReadonlyMap<string, StoredEntry>

/** Reads that are sent to a shard in one message. */
interface Batch {
  readonly keys: Set<string>
  readonly sinceMs: number
  readonly found: Promise<Found>
  /** Sends the message, once. */
  send(): void
}

/** The reads of a store. Each message is a subrequest, so the reads of a shard in one run of microtasks are one message. */
export interface Reads {
  read(shard: number, keys: readonly string[]): Promise<Found>
  /** Sends what waits for this shard. A write calls it, so that it does not overtake the reads that were called before it. */
  flush(shard: number): void
}

/** `ask` resolves to the entries of the first keys, of at least one. */
export function createReads(
  ask: (shard: number, keys: readonly string[]) => Promise<readonly (StoredEntry | undefined)[]>,
): Reads {
  const filling = new Map<number, Batch>()
  const askAll = async (shard: number, keys: readonly string[]): Promise<Found> => {
    const found = new Map<string, StoredEntry>()
    for (let left = keys; left.length > 0; ) {
      const entries = await ask(shard, left)
      entries.forEach((entry, i) => void (entry && found.set(left[i] as string, entry)))
      left = left.slice(entries.length)
    }
    return found
  }
  const start = (shard: number): Batch => {
    const keys = new Set<string>()
    let send = (): void => {}
    const found = new Promise<Found>((resolve, reject) => {
      send = () => {
        if (filling.get(shard) === batch) filling.delete(shard)
        send = () => {}
        askAll(shard, [...keys]).then(resolve, reject)
      }
    })
    const batch: Batch = { keys, sinceMs: now(), found, send: () => send() }
    filling.set(shard, batch)
    soon(() => soon(batch.send))
    return batch
  }
  return {
    read(shard, keys) {
      let batch = filling.get(shard)
      // The microtask that would send an overdue batch may have ended with its request.
      if (!batch || batch.keys.size + keys.length > MAX_KEYS || now() - batch.sinceMs > TICK_LIMIT_MS)
        batch = start(shard)
      for (const key of keys) batch.keys.add(key)
      return batch.found
    },
    flush: (shard) => filling.get(shard)?.send(),
  }
}
