import { HitherError, isHitherError, StoreRejectedError } from '../../src/errors.ts'
import { toBase64Url } from '../../src/protocol/digest.ts'
import type { Effect } from '../../src/protocol/operation.ts'
import { utf8Length } from '../../src/protocol/text.ts'
import { onAbort } from '../../src/runtime/abort.ts'
import { now, setTimer } from '../../src/runtime/clock.ts'
import type { CallLimits } from '../../src/store/swap.ts'
import { late, type Request } from './connection.ts'
import { backoff, createLink } from './link.ts'
import type { Checked } from './options.ts'
import type { Reply } from './replies.ts'
import { createRing } from './ring.ts'
import { tailOf, type WireKey, wireKey } from './wire.ts'

/** A key and where it lies. */
export interface Place {
  readonly wire: WireKey
  /** The server's place among the servers. */
  readonly server: number
  /** The whole key, of one that is stored under its digest; else empty. */
  readonly hashedKey: string
  readonly hashedBytes: number
}

/** One command to be sent. */
export interface Ask<T> extends CallLimits {
  readonly place: Place
  /** `repeat` and `read` are sent again where a reply was lost. */
  readonly effect: Effect
  build(opaque: number): readonly (string | Uint8Array)[]
  /** Of a reply that is no error; throws what rejects the call. */
  read(reply: Reply): T
}

export interface Client {
  readonly servers: readonly string[]
  /** Rejects `STORE_UNAVAILABLE`, `TIMEOUT`, `CLOSED`, `OVERLOADED`, or what the reply says. */
  ask<T>(ask: Ask<T>): Promise<T>
  /** Asks a server for one line, which does not name its request. */
  askLine(server: number, line: string, limits: CallLimits): Promise<string>
  /** Place among `servers` of the one that holds the key. */
  serverOf(key: string): number
  placeOf(key: string): Place | Promise<Place>
  close(): void
}

/** Resends of a call whose reply was lost: about a second, longer than a connection takes to open again. */
const MAX_ATTEMPTS = 6

export function createClient({ links: settings, failover, idleMs }: Checked): Client {
  const names = settings.map(({ address }) => address.name)
  const links = settings.map((each) => createLink(each, idleMs))
  const ring = createRing(names)
  let opaque = 0
  let closed: HitherError | undefined

  const serverOf = (key: string): number => {
    if (!failover) return ring.pick(key)
    const at = now()
    return ring.pick(key, (server) => links[server]?.isDown(at) === true)
  }
  const begin = <T>(ask: Ask<T>, tail: (opaque: number) => string): Promise<T> =>
    new Promise((resolve, reject) => {
      const { deadline, signal, effect, place } = ask
      if (signal?.aborted) throw signal.reason
      if (!(deadline > now())) throw late(false)
      let attempts = 0
      let request: Request | undefined
      let cancelTimer: (() => void) | undefined
      const forget = signal && onAbort(signal, () => fail(signal.reason))
      const end = (): void => {
        if (request) request.isOver = true
        cancelTimer?.()
        forget?.()
      }
      const fail = (error: unknown): void => {
        end()
        reject(error)
      }
      const onError = (error: unknown): void => {
        const isLost = isHitherError(error) && error.code === 'STORE_UNAVAILABLE' && (request?.isSent || attempts > 0)
        const waitMs = backoff(attempts)
        if (!isLost || effect === 'once' || closed || ++attempts === MAX_ATTEMPTS || now() + waitMs >= deadline) {
          return void fail(error)
        }
        cancelTimer = setTimer(send, waitMs)
      }
      const send = (): void => {
        if (closed) return void fail(closed)
        opaque = (opaque + 1) % 1e9
        request = {
          chunks: ask.build(opaque),
          tail: tail(opaque),
          deadline,
          writes: effect !== 'read',
          onReply(reply) {
            try {
              if (reply.code.endsWith('ERROR')) throw rejected(reply)
              const result = ask.read(reply)
              end()
              resolve(result)
            } catch (error) {
              fail(error)
            }
          },
          onError,
          isSent: false,
          isOver: false,
        }
        try {
          links[place.server]?.pick(now()).add(request)
        } catch (error) {
          request.isSent = false
          onError(isHitherError(error) ? error : unsupported(error))
        }
      }
      send()
    })

  return {
    servers: names,
    serverOf,
    ask: (ask) => begin(ask, (opaque) => tailOf(ask.place.wire, opaque)),
    askLine: (server, line, limits) =>
      begin(
        {
          ...limits,
          place: { wire: { text: '', flag: '' }, server, hashedKey: '', hashedBytes: 0 },
          effect: 'read',
          build: () => [`${line}\r\n`],
          read: (reply) => reply.line,
        },
        () => '',
      ),
    placeOf(key) {
      const wire = wireKey(key)
      if (wire) return { wire, server: serverOf(key), hashedKey: '', hashedBytes: 0 }
      return hashedName(key).then((text) => ({
        wire: { text, flag: '' },
        server: serverOf(text),
        hashedKey: key,
        hashedBytes: utf8Length(key),
      }))
    },
    close() {
      closed ??= new HitherError('CLOSED', 'the store is closed')
      for (const link of links) link.end(closed)
    },
  }
}

const HASHED = '~sha256:'
/** Whether it may be the digest of a key. */
export const isHashedName = (name: string): boolean => name.startsWith(HASHED) && name.length === HASHED.length + 43

/** Under what a key is stored that is too long for a command. The key itself is kept beside the value. */
async function hashedName(key: string): Promise<string> {
  return `${HASHED}${toBase64Url(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(key))))}`
}

function rejected({ code, line }: Reply): HitherError {
  if (line.includes('too large')) return new HitherError('VALUE_TOO_LARGE', 'the value is larger than the server takes')
  if (line.includes('unauthenticated')) {
    return new HitherError('UNAUTHORIZED', 'memcached wants a user and a password: name them in the url')
  }
  return new StoreRejectedError('memcached', { word: code, message: line.slice(line.indexOf(' ') + 1) })
}

function unsupported(cause: unknown): HitherError {
  return new HitherError('UNSUPPORTED', 'this runtime opens no such socket, see cause', { cause })
}
