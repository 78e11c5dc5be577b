import { setQuietTimer } from '../runtime/clock.ts'
import { LEASE_MS } from './operations.ts'
import { createRecorder, type Recording } from './record-body.ts'

/** How far a body is read ahead of its client. A body up to this size is read to its end even if its client stops reading. */
const AHEAD_BYTES = 32_768
/** How far it is read ahead while other requests wait for its end. */
const AWAITED_BYTES = 1_048_576

export interface Keeping extends Recording {
  /** Resolves once other requests wait for the body. It is then read on even if its client is slow or has left. */
  readonly awaited: Promise<void>
}

/**
 * Passes a body on to the client while it is recorded. It is read at the client's pace and a little ahead; far ahead while other
 * requests wait for it. It is stored before the client sees its end, so that the client's next request finds it. The client gets
 * the body as it came, also if it is cut.
 */
export function keepBody(source: ReadableStream<Uint8Array>, keeping: Keeping): ReadableStream<Uint8Array> {
  const recorder = createRecorder(source, keeping)
  let isAwaited = false
  let isOver = false
  let isCancelled = false
  let failure: { readonly error: unknown } | undefined
  const forward = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
    try {
      const bytes = await recorder.next()
      if (isCancelled) return
      if (bytes !== undefined) controller.enqueue(bytes)
      isOver = bytes === undefined || recorder.state() === 'whole'
      if (isOver) controller.close()
    } catch (error) {
      failure = { error }
      isOver = true
    }
  }
  let forwarding: Promise<void> | undefined
  /** Reads the next part, for the client or for the requests that wait. Concurrent calls share one read. */
  const advance: typeof forward = (controller) => {
    forwarding ??= forward(controller).finally(() => {
      forwarding = undefined
    })
    return forwarding
  }
  /** Reads the rest for the requests that wait, after the client has left. A body may never end, so not for longer than a lease lasts. */
  const readOn = async (reason: unknown): Promise<void> => {
    const stop = setQuietTimer(() => {
      recorder.lose()
      // Nobody is left who could be given its error.
      void recorder.cancel(reason).catch(() => {})
    }, LEASE_MS)
    try {
      await forwarding
      while (recorder.state() === 'open' && (await recorder.next()));
      if (recorder.state() === 'lost') await recorder.cancel(reason)
    } finally {
      stop()
    }
  }
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const isNear = (): boolean => AHEAD_BYTES - (controller.desiredSize ?? 0) < AWAITED_BYTES
        void keeping.awaited.then(async () => {
          isAwaited = true
          while (!isOver && !isCancelled && recorder.state() !== 'lost' && isNear()) await advance(controller)
        })
      },
      async pull(controller) {
        if (!isOver) await advance(controller)
        // Fails only once the client has read all parts before the failure: an error drops what is still in the queue.
        if (failure && controller.desiredSize === AHEAD_BYTES) throw failure.error
      },
      async cancel(reason) {
        isCancelled = true
        if (isAwaited && recorder.state() === 'open') {
          keeping.background(readOn(reason).catch(() => {}))
          return
        }
        recorder.lose()
        await recorder.cancel(reason)
      },
    },
    { highWaterMark: AHEAD_BYTES, size: ({ byteLength, length }) => byteLength ?? length },
  )
}
