import { ReplyError, type Transport } from '../store/transport.ts'
import { Refusal } from './refusal.ts'
import { createSubscriptions, type Listener } from './subscriptions.ts'

export type StreamKind = 'SUBSCRIBE' | 'PSUBSCRIBE' | 'MONITOR'

/** A stream of one client. */
export interface Stream {
  /** Of many streams all get the same bytes. */
  readonly send: (event: Uint8Array) => void
  readonly end: () => void
}

/** What the server says to one name, for all streams that listen to it. */
interface Source {
  readonly streams: Set<Stream>
  readonly up: Promise<() => void | Promise<void>>
}

/** Adds a stream to those that listen to a name; resolves once the server has confirmed it, to a function that leaves. */
export type Join = (kind: StreamKind, name: string, stream: Stream) => Promise<() => void>

/** One subscription for each name, whatever the number of streams, from the first of them to the last. */
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
}

/** Over a transport that has `subscribe` and no `listen`. */
async function subscribeOnly(
  transport: Transport,
  kind: StreamKind,
  name: string,
  listener: Listener,
): Promise<() => Promise<void>> {
  if (kind !== 'SUBSCRIBE' || !transport.subscribe) throw new Refusal(400, `ERR ${kind} is not available here`)
  let up = false
  // Some report a gap before the first message could have been missed.
  const onGap = (): void => {
    if (up) listener.lost()
  }
  try {
    return await transport.subscribe(name, (message) => listener.say(`message,${name},${message}`), onGap)
  } finally {
    up = true
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

const utf8 = new TextEncoder()

/**
 * One event. Lines after the first come without the space that clients of Upstash look for, so that no text can pass
 * for an event of its own.
 */
export function toEvent(data: string): Uint8Array {
  const [first, ...more] = data.split(/\r\n|\r|\n/)
  const rest = more.map((line) => `data:${line.startsWith(' ') ? ' ' : ''}${line}\n`)
  return utf8.encode(`data: ${first}\n${rest.join('')}\n`)
}
