import { openSocket } from '#socket'
import { HitherError } from '../../src/errors.ts'
import { firedAt, NEVER, now, setDeadline, setQuietTimer } from '../../src/runtime/clock.ts'
import { soon } from '../../src/runtime/per-tick.ts'
import { connectHint } from '../../src/store/connect-hint.ts'
import { loginOf, type MemcachedAddress } from './address.ts'
import { createPipeline } from './pipeline.ts'
import { createReplyReader } from './replies.ts'
import { type Request, tooManyClients, unauthorized, unavailable } from './request.ts'

export interface Settings {
  readonly address: MemcachedAddress
  /** As `node:tls` takes it; undefined where the connection is not encrypted. */
  readonly tls: object | undefined
  readonly connectTimeoutMs: number
  readonly linkTimeoutMs: number
  readonly maxQueue: number
  readonly maxReplyBytes: number
}

export interface Connection {
  readonly state: 'opening' | 'ready' | 'ended'
  isIdle(): boolean
  /** When the server last sent anything, in epoch milliseconds; or when a write began while no reply was awaited. */
  readonly heardAt: number
  /** Throws `OVERLOADED`. */
  add(request: Request): void
  end(error: HitherError): void
}

/** Calls `fn` at the earliest of the times that it was armed for. */
interface Alarm {
  arm(at: number, nowMs?: number): void
  cancel(): void
}

const LOOK_AGAIN_MS = 20

/**
 * One connection from its opening to its end: `opening`, `ready` once it is open and logged in, `ended`. It writes the requests
 * of one run of microtasks together. It ends when a reply does not name its request, or when the server is silent too long.
 */
export function openConnection(
  settings: Settings,
  onEnd: (error: HitherError, hasOpened: boolean) => void,
): Connection {
  const { address, linkTimeoutMs, connectTimeoutMs, maxQueue, maxReplyBytes, tls } = settings
  const pipeline = createPipeline()
  let isBlocked = false
  let isScheduled = false
  /** Value of `heardAt` when the connection first seemed dead. */
  let doubtedAt = 0

  const on = {
    state: 'opening' as Connection['state'],
    heardAt: now(),
    isIdle: () => pipeline.size() === 0,
    add(request: Request) {
      if (pipeline.size() >= maxQueue) {
        throw new HitherError('OVERLOADED', `${maxQueue} commands wait already`, { retryable: true })
      }
      pipeline.add(request)
      alarm.arm(request.limits.deadline)
      if (isScheduled || on.state !== 'ready') return
      isScheduled = true
      soon(flush)
    },
    end: (error: HitherError) => finish(error),
  }
  /** Ends requests at their deadlines, and ends the connection when the server is silent too long. */
  const sweep = (due: number): void => {
    const at = firedAt(due)
    on.heardAt = Math.min(on.heardAt, at)
    const next = pipeline.expire(at)
    if (!pipeline.isAwaited()) return void alarm.arm(next, at)
    const silentAt = on.heardAt + linkTimeoutMs
    if (silentAt > at) return void alarm.arm(Math.min(next, silentAt), at)
    // A process that was itself held up has not yet read the bytes that arrived. So the silence is checked once more.
    if (doubtedAt === on.heardAt) return void finish(unavailable(`no reply for ${linkTimeoutMs} ms`))
    doubtedAt = on.heardAt
    alarm.arm(Math.min(next, at + LOOK_AGAIN_MS), at)
  }
  const alarm = createAlarm(sweep)
  const flush = (): void => {
    isScheduled = false
    if (on.state !== 'ready' || isBlocked) return
    const at = now()
    if (!pipeline.isAwaited()) on.heardAt = at
    const chunks = pipeline.take(at)
    if (chunks.length === 0) return
    isBlocked = !socket.write(chunks)
    alarm.arm(on.heardAt + linkTimeoutMs)
  }
  /** `isTurnedAway`: the server has accepted no client, and read nothing of what was sent. */
  const finish = (error: HitherError, isTurnedAway = false): void => {
    if (on.state === 'ended') return
    const hasOpened = on.state === 'ready' && !isTurnedAway
    on.state = 'ended'
    cancelOpening()
    alarm.cancel()
    socket?.destroy()
    onEnd(error, hasOpened)
    pipeline.end(error, isTurnedAway)
  }
  const read = createReplyReader(maxReplyBytes, {
    awaited: pipeline.awaited,
    onReply: pipeline.onReply,
    onLine(line) {
      if (line.endsWith('Too many open connections')) return finish(tooManyClients(), true)
      if (on.state === 'opening') return line === 'STORED' ? begin() : finish(unauthorized())
      const error = pipeline.onLine(line)
      if (error) finish(error)
    },
  })
  const begin = (): void => {
    cancelOpening()
    on.state = 'ready'
    flush()
  }
  const { host, port } = address
  const socket = openSocket(
    { host, port, ...(tls ? { tls } : {}) },
    {
      onOpen() {
        if (!address.username) return begin()
        // The login goes alone: if bytes follow a refused password, some servers reset the connection, and the refusal is lost.
        socket.write(loginOf(address))
      },
      onData(bytes) {
        on.heardAt = now()
        try {
          read(bytes)
        } catch (error) {
          finish(error as HitherError)
        }
      },
      onDrain() {
        isBlocked = false
        flush()
      },
      onEnd(cause) {
        const { code, name } = (cause ?? {}) as { readonly code?: string; readonly name?: string }
        const what = on.state === 'opening' ? 'not connected' : 'the connection ended'
        const hint = connectHint(code ?? '')
        finish(unavailable(`${what} (${code ?? name ?? 'closed by the server'})${hint ? `: ${hint}` : ''}`, cause))
      },
    },
  )
  // Set after the socket: if none can be made, this timer would end a connection that does not exist.
  const cancelOpening = setDeadline(
    () => finish(unavailable(`no connection within ${connectTimeoutMs} ms`)),
    connectTimeoutMs,
  )
  return on
}

function createAlarm(fn: (due: number) => void): Alarm {
  let due = NEVER
  let cancel: (() => void) | undefined
  return {
    arm(at, nowMs = now()) {
      if (at >= due) return
      cancel?.()
      due = at
      cancel = setDeadline(
        () => {
          due = NEVER
          fn(at)
        },
        at - nowMs,
        0,
        setQuietTimer,
      )
    },
    cancel: () => cancel?.(),
  }
}
