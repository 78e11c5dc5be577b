import { createRecorder, type Recording } from './record-body.ts'

/** How far a body is read ahead of its client: a small one is whole whatever its client does. */
const AHEAD_BYTES = 32_768
/** How far it is where others wait for its end. */
const AWAITED_BYTES = 1_048_576

export interface Keeping extends Recording {
  /** Resolves once others wait for the body: it is then read on, though its client is slow or has gone. */
  readonly awaited: Promise<void>
}

/**
 * Passes a body on while it is recorded: at the client's pace and a little ahead of it; where others wait, far ahead. It is stored
 * before the client sees its end, so that what the client asks next finds it. The client sees it as it came, also where it is cut.
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
      if (bytes) controller.enqueue(bytes)
      isOver = !bytes || recorder.state() === 'whole'
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
  /** For those who wait, once its client has gone. */
  const readOn = async (reason: unknown): Promise<void> => {
    await forwarding
    while (recorder.state() === 'open' && (await recorder.next()));
    if (recorder.state() === 'lost') await recorder.cancel(reason)
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
        // Not before the client has what came before it.
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
    { highWaterMark: AHEAD_BYTES, size: ({ byteLength }) => byteLength },
  )
}
