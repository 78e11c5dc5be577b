import { HitherError, isHitherError, StoreRejectedError } from '../../src/errors.ts'
import { toBase64Url } from '../../src/protocol/digest.ts'
import type { Effect } from '../../src/protocol/operation.ts'
import { utf8Length } from '../../src/protocol/text.ts'
import { onAbort } from '../../src/runtime/abort.ts'
import { now, setTimer } from '../../src/runtime/clock.ts'
import type { CallLimits } from '../../src/store/swap.ts'
import { backoff, createLink, type Link } from './link.ts'
import type { Checked } from './options.ts'
import { lineOf, type Reply } from './replies.ts'
import { late, lost, type Owner, type Request, unauthorized } from './request.ts'
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
export interface Ask<T> {
  readonly place: Place
  readonly limits: CallLimits
  /** `repeat` and `read` are sent again where a reply was lost. */
  readonly effect: Effect
  /** The number that the command carries, from `nextOpaque`; undefined: any line is its reply. */
  readonly opaque: number | undefined
  readonly head: string
  readonly body?: Uint8Array | undefined
  /** Of a reply that is no error; throws what rejects the call. */
  read(reply: Reply, place: Place): T
}

export interface Client {
  readonly servers: readonly string[]
  /** A number that no other command under way has. */
  nextOpaque(): number
  /** Rejects `STORE_UNAVAILABLE`, `TIMEOUT`, `CLOSED`, `OVERLOADED`, or what the reply says. */
  ask<T>(ask: Ask<T>): Promise<T>
  /** Place among `servers` of the one that holds the key. */
  serverOf(key: string): number
  placeOf(key: string): Place | Promise<Place>
  close(): void
}

/** A call that waits: its request, and how it is settled. */
interface Pending extends Request, Pick<Ask<unknown>, 'place' | 'effect' | 'read'> {
  resolve(value: unknown): void
  reject(error: unknown): void
  attempts: number
  link: Link
  cancelTimer: (() => void) | undefined
  forget: (() => void) | undefined
}

/** Resends of a call whose reply was lost: about a second, longer than a connection takes to open again. */
const MAX_ATTEMPTS = 6

export function createClient({ links: settings, failover, idleMs }: Checked): Client {
  const names = settings.map(({ address }) => address.name)
  const links = settings.map((each) => createLink(each, idleMs))
  const ring = createRing(names)
  let opaque = 0

  const serverOf = (key: string): number => {
    if (!failover) return ring.pick(key)
    const at = now()
    return ring.pick(key, (server) => links[server]?.isDown(at) === true)
  }
  return {
    servers: names,
    serverOf,
    nextOpaque() {
      opaque = (opaque + 1) % 1e9
      return opaque
    },
    ask: (ask) => begin(ask, links[ask.place.server] as Link),
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
      for (const link of links) link.close(new HitherError('CLOSED', 'the store is closed'))
    },
  }
}

function begin<T>({ place, limits, effect, opaque, head, body, read }: Ask<T>, link: Link): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const { deadline, signal } = limits
    if (signal?.aborted) throw signal.reason
    const at = now()
    if (!(deadline > at)) throw late(false)
    const pending: Pending = {
      head,
      body,
      tail: opaque === undefined ? '' : tailOf(place.wire, opaque),
      deadline,
      writes: effect !== 'read',
      owner: calls,
      isSent: false,
      mayHaveRun: false,
      isOver: false,
      place,
      effect,
      read,
      resolve: resolve as Pending['resolve'],
      reject,
      attempts: 0,
      link,
      cancelTimer: undefined,
      forget: undefined,
    }
    if (signal) pending.forget = onAbort(signal, () => settle(pending).reject(signal.reason))
    send(pending, at)
  })
}

function send(pending: Pending, at: number): void {
  try {
    pending.isOver = pending.isSent = false
    pending.link.pick(at).add(pending)
  } catch (error) {
    calls.onError(pending, isHitherError(error) ? lost(pending, error) : unsupported(error))
  }
}

const calls: Owner = {
  onReply(request, reply) {
    const pending = settle(request as Pending)
    try {
      if (reply.code.endsWith('ERROR')) throw rejected(reply)
      pending.resolve(pending.read(reply, pending.place))
    } catch (error) {
      pending.reject(error)
    }
  },
  onError(request, error) {
    const pending = request as Pending
    const { effect, deadline, attempts, isSent, link } = pending
    const isLost = isHitherError(error) && error.code === 'STORE_UNAVAILABLE' && (isSent || attempts > 0)
    const waitMs = backoff(attempts)
    pending.attempts++
    if (
      !isLost ||
      effect === 'once' ||
      link.isClosed ||
      pending.attempts === MAX_ATTEMPTS ||
      now() + waitMs >= deadline
    ) {
      return settle(pending).reject(error)
    }
    pending.cancelTimer = setTimer(() => send(pending, now()), waitMs)
  },
}

function settle(pending: Pending): Pending {
  pending.isOver = true
  pending.cancelTimer?.()
  pending.forget?.()
  return pending
}

const HASHED = '~sha256:'
/** Whether it may be the digest of a key. */
export const isHashedName = (name: string): boolean => name.startsWith(HASHED) && name.length === HASHED.length + 43

/** Under what a key is stored that is too long for a command. The key itself is kept beside the value. */
async function hashedName(key: string): Promise<string> {
  return `${HASHED}${toBase64Url(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(key))))}`
}

function rejected(reply: Reply): HitherError {
  const line = lineOf(reply)
  if (line.includes('too large')) return new HitherError('VALUE_TOO_LARGE', 'the value is larger than the server takes')
  if (line.includes('unauthenticated')) return unauthorized()
  return new StoreRejectedError('memcached', { word: reply.code, message: line.slice(line.indexOf(' ') + 1) })
}

function unsupported(cause: unknown): HitherError {
  return new HitherError('UNSUPPORTED', 'this runtime opens no such socket, see cause', { cause })
}
