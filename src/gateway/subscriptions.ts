import type { HitherError } from '../errors.ts'
import { type Listening, ReplyError, type Transport, type Wire } from '../store/transport.ts'
import { Refusal } from './refusal.ts'

/** Receives the messages of one channel or pattern. */
export interface Listener {
  readonly say: (data: string) => void
  /** The link has ended: messages may be missing from now on. */
  readonly lost: () => void
}

interface Confirmation {
  readonly resolve: (reply: Wire) => void
  readonly reject: (error: HitherError) => void
}

/** One connection to the server, with the commands sent on it that are not confirmed yet, in order. */
interface Link {
  readonly listening: Promise<Listening>
  readonly unconfirmed: Confirmation[]
  readonly listeners: Map<string, Listener>
}

/**
 * SUBSCRIBE and PSUBSCRIBE of any number of names over one connection, which lasts from the first name to the last. A name has
 * one listener at a time. Resolves, once the server has confirmed, to a function that ends the subscription. Throws a
 * `Refusal` with the server's own words, or the transport's error.
 */
export function createSubscriptions(
  listen: NonNullable<Transport['listen']>,
): (kind: 'SUBSCRIBE' | 'PSUBSCRIBE', name: string, listener: Listener) => Promise<() => void> {
  let link: Link | undefined

  const open = (first: readonly string[]): Link => {
    const listeners = new Map<string, Listener>()
    const unconfirmed: Link['unconfirmed'] = []
    const onReply = (reply: Wire): void => {
      const [word, name] = Array.isArray(reply) ? (reply as readonly Wire[]) : []
      const verb = word === 'message' ? 'SUBSCRIBE' : word === 'pmessage' ? 'PSUBSCRIBE' : undefined
      const listener = verb && listeners.get(`${verb} ${name}`)
      if (verb) {
        // A message that was too large to read is a gap.
        if ((reply as readonly Wire[]).some((part) => part instanceof ReplyError)) listener?.lost()
        else listener?.say((reply as readonly Wire[]).join())
      } else unconfirmed.shift()?.resolve(reply)
    }
    const end = (error: HitherError): void => {
      if (link === own) link = undefined
      for (const each of listeners.values()) each.lost()
      listeners.clear()
      for (const each of unconfirmed.splice(0)) each.reject(error)
    }
    const own: Link = { listening: listen({ args: first, effect: 'read' }, onReply, end), unconfirmed, listeners }
    own.listening.catch(end)
    return own
  }
  const close = (ended: Link): void => {
    if (link === ended) link = undefined
    ended.listening.then((listening) => listening.end()).catch(() => {})
  }

  return async (kind, name, listener) => {
    const at = `${kind} ${name}`
    const isFirst = !link
    link ??= open([kind, name])
    const own = link
    const { listening, listeners, unconfirmed } = own
    listeners.set(at, listener)
    const tell = (word: string, confirmation: Confirmation): void => {
      unconfirmed.push(confirmation)
      listening.then((up) => up.tell({ args: [word, name], effect: 'read' })).catch(() => {})
    }
    const leave = (): void => {
      // Another listener may have replaced this one meanwhile.
      if (listeners.get(at) !== listener) return
      listeners.delete(at)
      if (listeners.size === 0) close(own)
      else tell(`${kind === 'PSUBSCRIBE' ? 'P' : ''}UNSUBSCRIBE`, { resolve() {}, reject() {} })
    }
    const confirmed = new Promise<Wire>((resolve, reject) => {
      if (isFirst) unconfirmed.push({ resolve, reject })
      else tell(kind, { resolve, reject })
    })
    try {
      const [reply] = await Promise.all([confirmed, listening])
      if (reply instanceof ReplyError) throw new Refusal(400, reply.message)
      return leave
    } catch (error) {
      leave()
      throw error
    }
  }
}
