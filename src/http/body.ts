import { concat } from '../protocol/bytes.ts'
import { randomId } from '../runtime/random.ts'
import type { Chunks } from './chunks.ts'
import { inlineBody, type StoredBody } from './entry.ts'

/** Largest body that is kept with its response, where the store takes large values, and how far a body is read ahead of its client. */
const INLINE_BYTES = 32_768
/** How far it is where others wait for its end. */
const AWAITED_BYTES = 1_048_576

export interface Keeping {
  readonly chunks: Chunks
  readonly maxBytes: number
  /** How long the chunks live, in milliseconds from now, and until when that is. */
  readonly lifeMs: number
  readonly untilMs: number
  /** Bytes that the body must have; undefined: any. */
  readonly length: number | undefined
  /** Stores the response. What it throws counts as `onLost`. */
  onWhole(body: StoredBody, length: number): Promise<void>
  /** The body is not stored: it was cut, or too large, or the store failed. */
  onLost(error?: unknown): void
  /** Resolves once others wait for the body: it is then read on, though its client is slow or has gone. */
  readonly awaited: Promise<void>
  /** Keeps work alive that reads on. */
  background(work: Promise<unknown>): void
}

/** Collects a body as it passes: at most one chunk in memory, and one on its way to the store. */
function createCollector({ chunks, maxBytes, lifeMs, untilMs }: Keeping) {
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
    // Awaited later: it must not be unhandled until then.
    writing.catch(() => {})
  }
  return {
    length: () => length,
    /** False: it is larger than may be stored. Rejects as the store does. */
    async add(bytes: Uint8Array): Promise<boolean> {
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
      if (rest.length > 0) pending.push(rest)
      pendingBytes += rest.length
      return true
    },
    async finish(): Promise<StoredBody> {
      // Up to 32 KB, or less where the store takes no large values.
      if (count === 0 && pendingBytes * 8 <= chunks.size) return inlineBody(join())
      if (pendingBytes > 0) await writeChunk(join())
      await writing
      return { id, size: chunks.size, untilMs }
    },
    drop: async (): Promise<void> => {
      pending = []
      await writing.catch(() => {})
      await chunks.drop(id, count)
    },
  }
}

/**
 * Passes a body on while it is collected: at the client's pace and a little ahead of it, so that a small one is whole whatever
 * its client does; where others wait, far ahead. It is stored before the client sees its end, so that what the client asks next
 * finds it. A body that is cut, too long or too short is never stored; the client sees it as it came.
 */
export function keepBody(source: ReadableStream<Uint8Array>, keeping: Keeping): ReadableStream<Uint8Array> {
  const reader = source.getReader()
  const collector = createCollector(keeping)
  let lost = false
  let whole = false
  const lose = (error?: unknown): void => {
    if (lost || whole) return
    lost = true
    keeping.onLost(error)
    keeping.background(collector.drop().catch(() => {}))
  }
  const collect = async (bytes: Uint8Array): Promise<void> => {
    if (lost) return
    try {
      if (!(await collector.add(bytes))) lose()
    } catch (error) {
      lose(error)
    }
  }
  const end = async (): Promise<void> => {
    if (lost || whole) return
    if (keeping.length !== undefined && collector.length() !== keeping.length) return lose()
    try {
      const body = await collector.finish()
      whole = true
      await keeping.onWhole(body, collector.length())
    } catch (error) {
      whole = false
      lose(error)
    }
  }
  /** The next part; undefined at the end. The part that completes a body of known length waits until it is stored. */
  let ahead: Uint8Array | undefined
  const step = async (): Promise<Uint8Array | undefined> => {
    try {
      const { done, value } = ahead ? { done: false, value: ahead } : await reader.read()
      ahead = undefined
      if (done || !value) {
        await end()
        return undefined
      }
      await collect(value)
      if (!lost && collector.length() === keeping.length) {
        const after = await reader.read()
        ahead = after.value
        if (after.done) await end()
        else lose()
      }
      return value
    } catch (error) {
      lose()
      throw error
    }
  }
  let isAwaited = false
  let isOver = false
  let isCancelled = false
  let failure: { readonly error: unknown } | undefined
  const forward = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
    try {
      const bytes = await step()
      if (isCancelled) return
      if (bytes) controller.enqueue(bytes)
      isOver = !bytes || whole
      if (isOver) controller.close()
    } catch (error) {
      failure = { error }
      isOver = true
    }
  }
  let forwarding: Promise<void> | undefined
  /** Reads a part for the client, who asks for it, or for those who wait: one at a time. */
  const advance: typeof forward = (controller) => {
    forwarding ??= forward(controller).finally(() => {
      forwarding = undefined
    })
    return forwarding
  }
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const isNear = (): boolean => INLINE_BYTES - (controller.desiredSize ?? 0) < AWAITED_BYTES
        void keeping.awaited.then(async () => {
          isAwaited = true
          while (!isOver && !isCancelled && !lost && isNear()) await advance(controller)
        })
      },
      async pull(controller) {
        if (!isOver) await advance(controller)
        // Not before the client has what came before it.
        if (failure && controller.desiredSize === INLINE_BYTES) throw failure.error
      },
      async cancel(reason) {
        isCancelled = true
        if (lost || whole || !isAwaited) {
          lose()
          await reader.cancel(reason)
          return
        }
        const drain = async (): Promise<void> => {
          await forwarding
          while (!lost && !whole && (await step()));
          if (lost) await reader.cancel(reason)
        }
        keeping.background(drain().catch(() => {}))
      },
    },
    { highWaterMark: INLINE_BYTES, size: ({ byteLength }) => byteLength },
  )
}
