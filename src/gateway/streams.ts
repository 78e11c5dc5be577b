import { HitherError } from '../errors.ts'
import { now, setQuietTimer } from '../runtime/clock.ts'
import { within } from '../runtime/deadline.ts'
import type { Transport } from '../store/transport.ts'
import { type Caller, createShares } from './access.ts'
import type { Budget } from './budget.ts'
import type { Settings } from './options.ts'
import { Refusal } from './refusal.ts'
import { createSources, type StreamKind, toEvent } from './sources.ts'

const PING = new TextEncoder().encode(': ping\n\n')
/** Most bytes that a client may leave unread. The stream of a slower client ends. */
const MAX_UNREAD = 1_000_000

export interface StreamRequest {
  readonly kind: StreamKind
  readonly names: readonly string[]
  readonly caller: Caller
  /** Whether the client may still listen. Called before each event and ping. */
  readonly mayGoOn: () => boolean
}

export interface Streams {
  /** Number of open streams. */
  readonly open: number
  /**
   * Server-sent events with what the server sends for `SUBSCRIBE`, `PSUBSCRIBE` or `MONITOR`. The stream ends when the link to
   * the server ends, so that the client notices a gap, and when the client may no longer listen. Throws a `Refusal`, or the
   * transport's error.
   */
  start(request: StreamRequest): Promise<ReadableStream<Uint8Array>>
}

/** https://html.spec.whatwg.org/multipage/server-sent-events.html */
export function createStreams(transport: Transport, settings: Settings, budget: Budget): Streams {
  const { maxStreams, maxChannels, timeoutMs, heartbeatMs } = settings
  const join = createSources(transport)
  const shares = createShares(maxStreams)
  let open = 0
  return {
    get open() {
      return open
    },
    async start({ kind, names, caller, mayGoOn }) {
      if (names.length > maxChannels) throw new Refusal(400, `ERR a stream may have ${maxChannels} channels`)
      if (!shares.take(caller, names.length, caller.grant.maxStreams)) {
        throw new Refusal(503, 'ERR too many streams, nothing ran')
      }
      open++
      const leaves: (() => void)[] = []
      const stream = createEventStream({
        budget,
        heartbeatMs,
        mayGoOn,
        onEnd() {
          open--
          shares.give(caller.token, names.length)
          for (const leave of leaves) leave()
        },
      })
      const joinAll = async (): Promise<void> => {
        for (const [i, name] of names.entries()) {
          if (stream.ended) return
          // Sent first, so that no message that arrives meanwhile comes before it.
          stream.send(toEvent(kind === 'MONITOR' ? '"OK"' : `${kind.toLowerCase()},${name},${i + 1}`))
          const leave = await join(kind, name, stream)
          if (stream.ended) leave()
          else leaves.push(leave)
        }
      }
      try {
        await within(joinAll(), { signals: [], deadline: now() + timeoutMs })
        if (stream.ended) throw new HitherError('STORE_UNAVAILABLE', 'the link ended', { retryable: true })
      } catch (error) {
        stream.end()
        throw error
      }
      stream.startBeat()
      return stream.body
    },
  }
}

interface EventStreamOptions {
  readonly budget: Budget
  readonly heartbeatMs: number
  readonly mayGoOn: () => boolean
  readonly onEnd: () => void
}

interface EventStream {
  readonly body: ReadableStream<Uint8Array>
  readonly ended: boolean
  /** Ends the stream if the event does not fit beside the unread bytes. */
  readonly send: (event: Uint8Array) => void
  readonly end: () => void
  startBeat(): void
}

/** A body of events. The bytes that its client has not read yet are bounded. */
function createEventStream({ budget, heartbeatMs, mayGoOn, onEnd }: EventStreamOptions): EventStream {
  let controller!: ReadableStreamDefaultController<Uint8Array>
  let cancelBeat: (() => void) | undefined
  let ended = false
  /** Bytes that the budget holds for this stream. */
  let counted = 0

  const unread = (): number => MAX_UNREAD - (controller.desiredSize ?? MAX_UNREAD)
  /** Updates the bytes that the budget holds for this stream. False if there is no room for `more`. */
  const count = (more: number): boolean => {
    budget.give(counted)
    counted = unread()
    if (more > 0 && budget.take(counted + more)) {
      counted += more
      return true
    }
    budget.take(counted)
    return more === 0
  }
  const end = (): void => {
    if (ended) return
    ended = true
    cancelBeat?.()
    budget.give(counted)
    counted = 0
    onEnd()
    try {
      controller.close()
    } catch {
      // its client has closed it
    }
  }
  const send = (event: Uint8Array): void => {
    if (ended) return
    const before = unread()
    // A single event may be larger if nothing is unread.
    const fits = before === 0 || before + event.byteLength <= MAX_UNREAD
    if (fits && mayGoOn() && count(event.byteLength)) controller.enqueue(event)
    else end()
  }
  const beat = (): void => {
    send(PING)
    if (!ended) cancelBeat = setQuietTimer(beat, heartbeatMs)
  }
  const body = new ReadableStream<Uint8Array>(
    {
      start(own) {
        controller = own
      },
      pull() {
        if (!ended) count(0)
      },
      cancel: end,
    },
    { highWaterMark: MAX_UNREAD, size: (chunk) => chunk?.byteLength ?? 0 },
  )
  return {
    body,
    get ended() {
      return ended
    },
    send,
    end,
    startBeat() {
      cancelBeat = setQuietTimer(beat, heartbeatMs)
    },
  }
}
