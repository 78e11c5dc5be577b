import { ReplyError, type Transport } from '../store/transport.ts'
import { Refusal } from './refusal.ts'
import { createSubscriptions, type Listener } from './subscriptions.ts'

export type StreamKind = 'SUBSCRIBE' | 'PSUBSCRIBE' | 'MONITOR'

/** The stream of one client. */
export interface Stream {
  /** All streams of a source get the same bytes object. */
  readonly send: (event: Uint8Array) => void
  readonly end: () => void
}

/** The messages of one channel, pattern or MONITOR, for all streams that listen to it. */
interface Source {
  readonly streams: Set<Stream>
  readonly up: Promise<() => void | Promise<void>>
}

/** Adds a stream to a source. Resolves, once the server has confirmed it, to a function that removes the stream. */
export type Join = (kind: StreamKind, name: string, stream: Stream) => Promise<() => void>

/** Makes one subscription for each name, for any number of streams. It lasts from the first stream to the last. */
export function createSources(transport: Transport): Join {
  const sources = new Map<string, Source>()
  const subscribe = transport.listen && createSubscriptions(transport.listen.bind(transport))

  const listen = (kind: StreamKind, name: string, listener: Listener): Promise<() => void | Promise<void>> => {
    if (!subscribe) return subscribeOnly(transport, kind, name, listener)
    return kind === 'MONITOR' ? monitor(transport, listener) : subscribe(kind, name, listener)
  }
  const open = (kind: StreamKind, name: string): Source => {
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
    return { streams, up: Promise.resolve().then(() => listen(kind, name, listener)) }
  }

  return async (kind, name, stream) => {
    const at = `${kind} ${name}`
    const source = sources.get(at) ?? open(kind, name)
    sources.set(at, source)
    const { streams, up } = source
    streams.add(stream)
    const leave = (): void => {
      streams.delete(stream)
      if (streams.size > 0 || sources.get(at) !== source) return
      sources.delete(at)
      // The reader has left. If the subscription cannot be ended, it ends with its connection.
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
}

/** Subscribes over a transport that has `subscribe` and no `listen`. */
async function subscribeOnly(
  transport: Transport,
  kind: StreamKind,
  name: string,
  listener: Listener,
): Promise<() => Promise<void>> {
  if (kind !== 'SUBSCRIBE' || !transport.subscribe) throw new Refusal(400, `ERR ${kind} is not available here`)
  let up = false
  // Ignored until then: some transports report a gap before a message could have been missed.
  const onGap = (): void => {
    if (up) listener.lost()
  }
  try {
    return await transport.subscribe(name, (message) => listener.say(`message,${name},${message}`), onGap)
  } finally {
    up = true
  }
}

/** Runs MONITOR on its own connection. Throws a `Refusal` with the server's own words. */
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

const utf8 = new TextEncoder()

/**
 * Encodes one event. Lines after the first come without the space that clients of Upstash look for, so that no text can look
 * like another event.
 */
export function toEvent(data: string): Uint8Array {
  const [first, ...more] = data.split(/\r\n|\r|\n/)
  const rest = more.map((line) => `data:${line.startsWith(' ') ? ' ' : ''}${line}\n`)
  return utf8.encode(`data: ${first}\n${rest.join('')}\n`)
}
