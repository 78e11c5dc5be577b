import { type Collecting, createCollector } from './collect-body.ts'
import type { StoredBody } from './entry.ts'

export interface Recording extends Collecting {
  /** The number of bytes that the body must have; undefined if any number will do. */
  readonly length: number | undefined
  /** Whether a body that begins so is stored. */
  mayBegin(start: Uint8Array): boolean
  /** Stores the response. If it rejects, `onLost` is called with the error. */
  onWhole(body: StoredBody, length: number): Promise<void>
  /** Called when the body is not stored: it was cut, it was too large, the store failed, or (`isAbandoned`) its client left. */
  onLost(error: unknown, isAbandoned: boolean): void
  /** Keeps background work alive. */
  background(work: Promise<unknown>): void
}

export interface Recorder {
  /** The next part; undefined at the end. The part that completes a body of known length comes only after the body was stored. */
  next(): Promise<Uint8Array | undefined>
  /** Whether the body is stored (`whole`) or not (`lost`); `open` until that is known. */
  state(): 'open' | 'whole' | 'lost'
  /** Gives up storing the body, since it will not be read to its end. */
  lose(): void
  cancel(reason: unknown): Promise<void>
}

/** Reads a body and collects it. A body that is cut, too long or too short is passed on but never stored. */
export function createRecorder(source: ReadableStream<Uint8Array>, recording: Recording): Recorder {
  const reader = source.getReader()
  const collector = createCollector(recording)
  let state: ReturnType<Recorder['state']> = 'open'
  const lose = (error?: unknown, isAbandoned = false): void => {
    if (state !== 'open') return
    state = 'lost'
    recording.onLost(error, isAbandoned)
    recording.background(collector.drop().catch(() => {}))
  }
  const collect = async (bytes: Uint8Array): Promise<void> => {
    if (state === 'lost') return
    try {
      // Node's servers also send text of a body, which is no part that can be stored.
      if (!ArrayBuffer.isView(bytes) || (collector.length() === 0 && !recording.mayBegin(bytes))) return lose()
      if (!(await collector.add(bytes))) lose()
    } catch (error) {
      lose(error)
    }
  }
  const end = async (): Promise<void> => {
    if (state !== 'open') return
    if (recording.length !== undefined && collector.length() !== recording.length) return lose()
    try {
      const body = await collector.finish()
      // The race: the client leaves while the last part is written. Its chunks are deleted then.
      if (state !== 'open') return
      state = 'whole'
      await recording.onWhole(body, collector.length())
    } catch (error) {
      if (state === 'whole') state = 'open'
      lose(error)
    }
  }
  let ahead: Uint8Array | undefined
  return {
    state: () => state,
    lose: () => lose(undefined, true),
    cancel: (reason) => reader.cancel(reason),
    async next() {
      try {
        const { done, value } = ahead ? { done: false, value: ahead } : await reader.read()
        ahead = undefined
        if (done) {
          await end()
          return undefined
        }
        await collect(value)
        if (state !== 'lost' && collector.length() === recording.length) {
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
    },
  }
}
