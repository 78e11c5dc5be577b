import { HitherError } from '../errors.ts'
import { now, setQuietTimer } from '../runtime/clock.ts'
import { within } from '../runtime/deadline.ts'
import { ReplyError, type Transport } from '../store/transport.ts'
import { Refusal } from './refusal.ts'
import { createSubscriptions, type Listener } from './subscriptions.ts'

export type StreamKind = 'SUBSCRIBE' | 'PSUBSCRIBE' | 'MONITOR'

export interface StreamOptions {
  /** Most that all streams listen to at a time: a stream counts once for each of its channels or patterns. */
  readonly maxStreams: number
  /** Between two signs of life, in milliseconds. */
  readonly heartbeatMs: number
  /** How long the server may take to let a stream begin, in milliseconds. */
  readonly timeoutMs: number
}

const encoder = new TextEncoder()
const PING = encoder.encode(': ping\n\n')
/** What a client has not read yet is kept up to so many bytes; a slower one is let go. */
const MAX_UNREAD = 1_000_000

interface Stream {
  /** Of many streams all are given the same bytes. */
  readonly send: (event: Uint8Array) => void
  readonly end: () => void
}

/** What the server says to one name, for all streams that listen to it. */
interface Source {
  readonly streams: Set<Stream>
  readonly up: Promise<() => void | Promise<void>>
}

export interface Streams {
  /** How many there are. */
  readonly open: number
  /**
   * Server-sent events of what the server says to `SUBSCRIBE`, `PSUBSCRIBE` or `MONITOR`; the stream ends when the
   * link to the server does, so that a gap shows, and once its client may not listen any more, which is asked before
   * each event and sign of life. Throws a `Refusal`, or what the transport throws.
   */
  start(kind: StreamKind, names: readonly string[], mayGoOn: () => boolean): Promise<ReadableStream<Uint8Array>>
}

/** https://html.spec.whatwg.org/multipage/server-sent-events.html */
export function createStreams(transport: Transport, { maxStreams, heartbeatMs, timeoutMs }: StreamOptions): Streams {
  const sources = new Map<string, Source>()
  const subscribe = transport.listen && createSubscriptions(transport.listen.bind(transport))
  let open = 0
  let listening = 0

  const listen = (kind: StreamKind, name: string, listener: Listener): Promise<() => void | Promise<void>> => {
    if (subscribe) return kind === 'MONITOR' ? monitor(transport, listener) : subscribe(kind, name, listener)
    if (kind !== 'SUBSCRIBE' || !transport.subscribe) throw new Refusal(400, `ERR ${kind} is not available here`)
    let up = false
    // Some tell of a gap before the first message could have been missed.
    const onGap = (): void => {
      if (up) listener.lost()
    }
    return transport
      .subscribe(name, (message) => listener.say(`message,${name},${message}`), onGap)
      .finally(() => {
        up = true
      })
  }

  const join = async (kind: StreamKind, name: string, stream: Stream): Promise<() => void> => {
    const at = `${kind} ${name}`
    let source = sources.get(at)
    if (!source) {
      const streams = new Set<Stream>()
      const listener: Listener = {
        say(data) {
          const event = toEvent(data)
          for (const each of streams) each.send(event)
        },
        lost() {
          for (const each of streams) each.end()
        },
      }
      source = { streams, up: Promise.resolve().then(() => listen(kind, name, listener)) }
      sources.set(at, source)
    }
    const { streams, up } = source
    streams.add(stream)
    const leave = (): void => {
      streams.delete(stream)
      if (streams.size > 0 || sources.get(at)?.streams !== streams) return
      sources.delete(at)
      // The reader has left: a subscription that fails to end goes with its connection.
      up.then((stop) => stop()).catch(() => {})
    }
    try {
      await up
    } catch (error) {
      leave()
      throw error
    }
    return leave
  }

  return {
    get open() {
      return open
    },
    async start(kind, names, mayGoOn) {
      if (names.length > maxStreams) throw new Refusal(400, `ERR a stream may have ${maxStreams} channels`)
      if (listening + names.length > maxStreams) throw new Refusal(503, 'ERR too many streams, nothing ran')
      open++
      listening += names.length
      const leaves: (() => void)[] = []
      let controller: ReadableStreamDefaultController<Uint8Array> | undefined
      let cancelBeat: (() => void) | undefined
      let ended = false
      const end = (): void => {
        if (ended) return
        ended = true
        open--
        listening -= names.length
        cancelBeat?.()
        for (const leave of leaves) leave()
        try {
          controller?.close()
        } catch {
          // its client has closed it
        }
      }
      const push = (event: Uint8Array): void => {
        if (ended || !controller) return
        const room = controller.desiredSize ?? 0
        // A single one may be larger, where nothing is unread.
        const fits = event.byteLength <= room || room === MAX_UNREAD
        if (fits && mayGoOn()) controller.enqueue(event)
        else end()
      }
      const beat = (): void => {
        push(PING)
        if (!ended) cancelBeat = setQuietTimer(beat, heartbeatMs)
      }
      const stream: Stream = { send: push, end }
      const body = new ReadableStream<Uint8Array>(
        {
          start(own) {
            controller = own
          },
          cancel: end,
        },
        { highWaterMark: MAX_UNREAD, size: (chunk) => chunk?.byteLength ?? 0 },
      )
      const joinAll = async (): Promise<void> => {
        for (const [i, name] of names.entries()) {
          if (ended) return
          // First, so that nothing heard meanwhile comes before it.
          stream.send(toEvent(kind === 'MONITOR' ? '"OK"' : `${kind.toLowerCase()},${name},${i + 1}`))
          const leave = await join(kind, name, stream)
          if (ended) leave()
          else leaves.push(leave)
        }
      }
      try {
        await within(joinAll(), { signals: [], deadline: now() + timeoutMs })
        if (ended) throw new HitherError('STORE_UNAVAILABLE', 'the link ended', { retryable: true })
      } catch (error) {
        end()
        throw error
      }
      cancelBeat = setQuietTimer(beat, heartbeatMs)
      return body
    },
  }
}

/** On a connection of its own. Throws a `Refusal` with the server's own words. */
async function monitor(transport: Transport, { say, lost }: Listener): Promise<() => void> {
  let confirm = (_error?: Refusal): void => {}
  const confirmed = new Promise<void>((resolve, reject) => {
    confirm = (error) => (error ? reject(error) : resolve())
  })
  const listening = await transport.listen?.(
    { args: ['MONITOR'], effect: 'read' },
    (reply) => {
      if (reply instanceof ReplyError) confirm(new Refusal(400, reply.message))
      else if (reply === 'OK') confirm()
      else if (typeof reply === 'string') say(reply)
    },
    () => {
      confirm()
      lost()
    },
  )
  const stop = (): void => listening?.end()
  try {
    await confirmed
  } catch (error) {
    stop()
    throw error
  }
  return stop
}

/**
 * One event. Lines after the first come without the space that clients of Upstash look for, so that no text can pass
 * for an event of its own.
 */
function toEvent(data: string): Uint8Array {
  const [first, ...more] = data.split(/\r\n|\r|\n/)
  const rest = more.map((line) => `data:${line.startsWith(' ') ? ' ' : ''}${line}\n`)
  return encoder.encode(`data: ${first}\n${rest.join('')}\n`)
}
