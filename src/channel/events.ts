import { HitherError, isHitherError } from '../errors.ts'
import { jittered } from '../runtime/backoff.ts'
import { NEVER, now, sleep } from '../runtime/clock.ts'
import { onLimit } from '../runtime/deadline.ts'
import { createDeferred } from '../runtime/deferred.ts'

/** How a subscription ends. */
export interface Ending {
  /** Called when the subscription has ended and will not be restored. */
  onEnd(reason: unknown): void
  /** Ends the subscription before it is confirmed, if the store can cancel it by then. */
  readonly signal?: AbortSignal
}

/** Resolves once subscribed, to a function that ends the subscription. */
export type Listen = (
  channel: string,
  onMessage: (message: string) => void,
  onGap: () => void,
  ending: Ending,
) => Promise<() => Promise<void>>

/** Longest line of an event, in characters; a longer one ends the stream, which is then opened again. */
const MAX_LINE = 16_000_000
/** How long an endpoint may take to confirm the subscription. */
const OPENING_MS = 5000
const FIRST_PAUSE_MS = 100
const LAST_PAUSE_MS = 5000

/**
 * Subscribes over server-sent events: `data: subscribe,<channel>,<count>`, then `data: message,<channel>,<payload>`. A stream
 * that ends is opened again after a pause that grows to 5 s; the subscriber gets a gap for messages missed in between.
 * https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
export function listenToEvents(
  open: (channel: string, signal: AbortSignal) => Promise<ReadableStream<Uint8Array>>,
): Listen {
  return async (channel, onMessage, onGap, ending) => {
    const stop = new AbortController()
    const { signal } = stop
    /** The channel as events carry it: each line is one of `data`, and line ends become newlines. */
    const name = channel.replaceAll('\r\n', '\n')
    ending.signal?.addEventListener('abort', () => stop.abort())
    const subscribed = createDeferred<void>()
    let times = 0
    let attempt = new AbortController()
    let callOff = (): void => {}
    /** Aborts the current attempt when the subscription ends, or after `ms`. */
    const endIn = (ms: number): void => {
      callOff()
      const timedOut = () => new HitherError('TIMEOUT', 'the endpoint did not subscribe in time', { retryable: true })
      const current = attempt
      callOff = onLimit({ signals: [signal], deadline: now() + ms }, timedOut, (reason) => current.abort(reason))
    }
    const onData = (data: string): void => {
      const [kind = ''] = data.split(',', 1)
      if (kind === 'subscribe') {
        subscribed.resolve()
        if (times++ > 0) onGap()
        endIn(NEVER)
      } else if (kind === 'message') onMessage(data.slice(kind.length + name.length + 2))
    }
    const loop = async (): Promise<void> => {
      for (let pauseMs = FIRST_PAUSE_MS; !signal.aborted; ) {
        const before = times
        attempt = new AbortController()
        endIn(OPENING_MS)
        try {
          for await (const data of eventsOf(await open(channel, attempt.signal))) onData(data)
        } catch (error) {
          // Stops when the subscription has ended, when it was never confirmed, and when a new attempt would fail alike, such as
          // after a refused token.
          if (signal.aborted || times === 0 || (isHitherError(error) && !error.retryable)) throw error
        } finally {
          callOff()
        }
        pauseMs = times > before ? FIRST_PAUSE_MS : Math.min(pauseMs * 2, LAST_PAUSE_MS)
        await sleep(jittered(pauseMs), signal)
      }
    }
    loop().catch((error: unknown) => {
      subscribed.reject(error)
      if (!signal.aborted) ending.onEnd(error)
    })
    await subscribed.promise
    return async () => stop.abort()
  }
}

/** The data of each event of a stream, joined by newlines where an event has several lines. */
async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  let rest = ''
  let data: string[] = []
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      rest += decoder.decode(value, { stream: true })
      const lines = rest.split(/\r?\n/)
      rest = lines.pop() ?? ''
      if (rest.length > MAX_LINE) throw new HitherError('BAD_REPLY', 'an event is too long', { retryable: true })
      for (const line of lines) {
        if (line.startsWith('data:')) data.push(line.slice(line[5] === ' ' ? 6 : 5))
        else if (line === '' && data.length > 0) {
          yield data.join('\n')
          data = []
        }
      }
    }
  } finally {
    await reader.cancel().catch(() => {})
  }
}
