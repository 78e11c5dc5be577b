import { HitherError } from '../errors.ts'
import { setQuietTimer } from '../runtime/clock.ts'
import { ReplyError, type Transport, type Wire } from '../store/transport.ts'
import { Refusal } from './refusal.ts'

export type StreamKind = 'SUBSCRIBE' | 'PSUBSCRIBE' | 'MONITOR'

export interface StreamOptions {
  /** Most streams open at a time. */
  readonly maxStreams: number
  /** Between two signs of life, in milliseconds. */
  readonly heartbeatMs: number
}

/** What a client has not read yet is kept up to so many bytes; a slower one is let go. */
const MAX_UNREAD = 1_000_000

interface Stream {
  readonly send: (data: string) => void
  readonly end: () => void
}

/** One way to the server, shared by all that listen to the same thing. */
interface Source {
  readonly streams: Set<Stream>
  readonly up: Promise<() => void | Promise<void>>
}

export interface Streams {
  readonly open: number
  /**
   * Server-sent events of what the server says to `SUBSCRIBE`, `PSUBSCRIBE` or `MONITOR`; the stream ends when the
   * link to the server does, so that a gap shows. Throws a `Refusal`, or what the transport throws.
   */
  start(kind: StreamKind, names: readonly string[]): Promise<ReadableStream<Uint8Array>>
}

/** https://html.spec.whatwg.org/multipage/server-sent-events.html */
export function createStreams(transport: Transport, { maxStreams, heartbeatMs }: StreamOptions): Streams {
  const sources = new Map<string, Source>()
  let open = 0

  const listen = (kind: StreamKind, name: string, source: Source): Promise<() => void | Promise<void>> => {
    const say = (data: string): void => {
      for (const stream of source.streams) stream.send(data)
    }
    const lost = (): void => {
      for (const stream of source.streams) stream.end()
    }
    if (!transport.listen) {
      if (kind !== 'SUBSCRIBE' || !transport.subscribe) throw new Refusal(400, `ERR ${kind} is not available here`)
      let up = false
      // Some tell of a gap before the first message could have been missed.
      const onGap = (): void => {
        if (up) lost()
      }
      return transport
        .subscribe(name, (message) => say(`message,${name},${message}`), onGap)
        .finally(() => {
          up = true
        })
    }
    const args = kind === 'MONITOR' ? [kind] : [kind, name]
    return transport.listen({ args, effect: 'read' }, (reply) => hear(reply, say, lost), lost)
  }

  const join = async (kind: StreamKind, name: string, stream: Stream): Promise<() => void> => {
    const at = `${kind} ${name}`
    let source = sources.get(at)
    if (!source) {
      const streams = new Set<Stream>()
      source = { streams, up: Promise.resolve().then(() => listen(kind, name, source as Source)) }
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
    async start(kind, names) {
      if (open >= maxStreams) throw new Refusal(503, 'ERR too many streams, nothing ran')
      open++
      const encoder = new TextEncoder()
      const leaves: (() => void)[] = []
      let controller: ReadableStreamDefaultController<Uint8Array> | undefined
      let cancelBeat: (() => void) | undefined
      let ended = false
      const end = (): void => {
        if (ended) return
        ended = true
        open--
        cancelBeat?.()
        for (const leave of leaves) leave()
        try {
          controller?.close()
        } catch {
          // its client has closed it
        }
      }
      const push = (text: string): void => {
        if (ended || !controller) return
        if ((controller.desiredSize ?? 0) <= 0) end()
        else controller.enqueue(encoder.encode(text))
      }
      const beat = (): void => {
        push(': ping\n\n')
        if (!ended) cancelBeat = setQuietTimer(beat, heartbeatMs)
      }
      const stream: Stream = { send: (data) => push(toEvent(data)), end }
      const body = new ReadableStream<Uint8Array>(
        {
          start(own) {
            controller = own
          },
          cancel: end,
        },
        { highWaterMark: MAX_UNREAD, size: (chunk) => chunk?.byteLength ?? 0 },
      )
      try {
        for (const [i, name] of names.entries()) {
          // First, so that nothing heard meanwhile comes before it.
          stream.send(kind === 'MONITOR' ? '"OK"' : `${kind.toLowerCase()},${name},${i + 1}`)
          const leave = await join(kind, name, stream)
          if (ended) leave()
          else leaves.push(leave)
        }
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

/** Passes on what was published or done; the confirmation is the gateway's own. */
function hear(reply: Wire, say: (data: string) => void, lost: () => void): void {
  if (reply instanceof ReplyError) lost()
  else if (typeof reply === 'string') {
    if (reply !== 'OK') say(reply)
  } else if (Array.isArray(reply) && (reply[0] === 'message' || reply[0] === 'pmessage')) say(reply.join())
}

/**
 * One event. Lines after the first come without the space that clients of Upstash look for, so that no text can pass
 * for an event of its own.
 */
function toEvent(data: string): string {
  const [first, ...more] = data.split(/\r\n|\r|\n/)
  return `data: ${first}\n${more.map((line) => `data:${line.startsWith(' ') ? ' ' : ''}${line}\n`).join('')}\n`
}
