import { concat } from '../protocol/bytes.ts'
import { randomId } from '../runtime/random.ts'
import type { Chunks } from './chunks.ts'
import { inlineBody, type StoredBody } from './entry.ts'

export interface Collecting {
  readonly chunks: Chunks
  readonly maxBytes: number
  /** Lifetime of the chunks, in milliseconds from their writing. */
  readonly lifeMs: number
  /** When the first chunks may end, in epoch milliseconds. */
  readonly untilMs: number
}

export interface Collector {
  length(): number
  /** Resolves to false when the body is larger than may be stored. Rejects as the store does. */
  add(bytes: Uint8Array): Promise<boolean>
  /** Stores the rest. Rejects as the store does. */
  finish(): Promise<StoredBody>
  drop(): Promise<void>
}

/** Collects a body as it passes. Holds at most one chunk in memory, and one that is being written to the store. */
export function createCollector({ chunks, maxBytes, lifeMs, untilMs }: Collecting): Collector {
  const id = randomId()
  let pending: Uint8Array[] = []
  let pendingBytes = 0
  let length = 0
  let count = 0
  let writing: Promise<unknown> = Promise.resolve()
  const join = (): Uint8Array<ArrayBuffer> => {
    const bytes = concat(pending)
    pending = []
    pendingBytes = 0
    return bytes
  }
  const writeChunk = async (bytes: Uint8Array): Promise<void> => {
    await writing
    writing = chunks.write(id, count++, bytes, lifeMs)
    // It is awaited later. Until then a rejection must not count as unhandled.
    writing.catch(() => {})
  }
  return {
    length: () => length,
    async add(bytes) {
      length += bytes.length
      if (length > maxBytes) return false
      let rest = bytes
      while (pendingBytes + rest.length >= chunks.size) {
        const cut = chunks.size - pendingBytes
        pending.push(rest.subarray(0, cut))
        pendingBytes += cut
        await writeChunk(join())
        rest = rest.subarray(cut)
      }
      // A copy, since whoever reads the body next may change or transfer these bytes.
      if (rest.length > 0) pending.push(new Uint8Array(rest))
      pendingBytes += rest.length
      return true
    },
    async finish() {
      // Inline up to an eighth of a chunk: 32 KB, or less if the store takes no large values.
      if (count === 0 && pendingBytes * 8 <= chunks.size) return inlineBody(join())
      if (pendingBytes > 0) await writeChunk(join())
      await writing
      return { id, size: chunks.size, untilMs }
    },
    async drop() {
      pending = []
      await writing.catch(() => {})
      await chunks.drop(id, count)
    },
  }
}
