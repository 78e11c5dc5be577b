import { now } from '../../src/runtime/clock.ts'
import { soon, TICK_LIMIT_MS } from '../../src/runtime/per-tick.ts'
import type { StoredEntry } from './hither-object.ts'

/** Most keys of one message. The longest keys then take 20 MB, and a message carries 32 MiB. */
const MAX_KEYS = 10_000

export type Found = ReadonlyMap<string, StoredEntry>

interface Read {
  readonly keys: readonly string[]
  resolve(found: Found): void
  reject(error: unknown): void
}

/** Reads that are sent to a shard in one message, or in more if the reply to the first has no room for all values. */
interface Batch {
  readonly reads: Read[]
  readonly sinceMs: number
  /** How many keys the reads have together. */
  count: number
  /** Sends the first message, once. */
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
  /** Settles each read with the message that brings its last key. The smallest come first, so they wait for no large one. */
  const settle = async (shard: number, reads: readonly Read[]): Promise<void> => {
    const keys = new Set<string>()
    const waiting = reads
      .toSorted((a, b) => a.keys.length - b.keys.length)
      .map((read) => {
        for (const key of read.keys) keys.add(key)
        return { read, last: keys.size }
      })
    const found = new Map<string, StoredEntry>()
    let settled = 0
    try {
      for (let left = [...keys]; left.length > 0; ) {
        const entries = await ask(shard, left)
        entries.forEach((entry, i) => void (entry && found.set(left[i] as string, entry)))
        left = left.slice(entries.length)
        const count = keys.size - left.length
        for (let next = waiting[settled]; next && next.last <= count; next = waiting[++settled])
          next.read.resolve(found)
      }
    } catch (error) {
      for (const { read } of waiting.slice(settled)) read.reject(error)
    }
  }
  const start = (shard: number): Batch => {
    let isSent = false
    const batch: Batch = {
      reads: [],
      sinceMs: now(),
      count: 0,
      send() {
        if (isSent) return
        isSent = true
        if (filling.get(shard) === batch) filling.delete(shard)
        void settle(shard, batch.reads)
      },
    }
    filling.set(shard, batch)
    soon(() => soon(batch.send))
    return batch
  }
  return {
    read(shard, keys) {
      let batch = filling.get(shard)
      // The microtask that would send an overdue batch may have ended with its request.
      if (!batch || batch.count + keys.length > MAX_KEYS || now() - batch.sinceMs > TICK_LIMIT_MS) {
        // A write that follows flushes only the batch that is filling.
        batch?.send()
        batch = start(shard)
      }
      const { reads } = batch
      batch.count += keys.length
      return new Promise((resolve, reject) => void reads.push({ keys, resolve, reject }))
    },
    flush: (shard) => filling.get(shard)?.send(),
  }
}
