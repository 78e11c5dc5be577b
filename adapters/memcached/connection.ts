import { openSocket } from '#socket'
import { HitherError } from '../../src/errors.ts'
import { NEVER, now, setDeadline, setQuietTimer } from '../../src/runtime/clock.ts'
import type { MemcachedAddress } from './address.ts'
import { createReplyReader, type Reply } from './replies.ts'

export interface Settings {
  readonly address: MemcachedAddress
  /** As `node:tls` takes it; undefined where the connection is not encrypted. */
  readonly tls: object | undefined
  readonly connectTimeoutMs: number
  readonly linkTimeoutMs: number
  readonly maxQueue: number
  readonly maxReplyBytes: number
}

/** One command and what becomes of its reply. */
export interface Request {
  /** Written together; strings as UTF-8. */
  readonly chunks: readonly (string | Uint8Array)[]
  /** What its reply ends with; empty: any line is its reply. */
  readonly tail: string
  readonly deadline: number
  /** Whether it changes something, so that it may have run although no reply came. */
  readonly writes: boolean
  /** Called once, unless `isOver`. What the reply points to is valid during the call only. */
  onReply(reply: Reply): void
  onError(error: unknown): void
  isSent: boolean
  /** Its caller has been answered; a reply that comes later still takes its place. */
  isOver: boolean
}

export interface Connection {
  readonly state: 'opening' | 'ready' | 'ended'
  readonly isIdle: boolean
  /** When the server was last heard, in epoch milliseconds. */
  readonly heardAt: number
  /** Throws `OVERLOADED`. */
  add(request: Request): void
  end(error: HitherError): void
}

const LOOK_AGAIN_MS = 20
const RESOLVED = Promise.resolve()

/**
 * One connection from its opening to its end. Requests are written in the order they were added, those of one run of
 * microtasks in one write, and answered in that order: a reply that does not name its request ends the connection.
 */
export function openConnection(
  settings: Settings,
  onEnd: (error: HitherError, hasOpened: boolean) => void,
): Connection {
  const { address, linkTimeoutMs } = settings
  let state: Connection['state'] = 'opening'
  let unsent: Request[] = []
  let sent: Request[] = []
  /** Place in `sent` of the request that is answered next. */
  let head = 0
  let isBlocked = false
  let isScheduled = false
  let heardAt = now()
  /** The `heardAt` since which the connection seemed dead. */
  let doubtedAt = 0
  let due = NEVER
  let cancelSweep: (() => void) | undefined

  const arm = (at: number): void => {
    if (at >= due) return
    cancelSweep?.()
    due = at
    cancelSweep = setDeadline(sweep, at - now(), 0, setQuietTimer)
  }
  /** Ends requests at their deadlines, and the connection when it is silent for too long. */
  const sweep = (): void => {
    due = NEVER
    const at = now()
    let next = NEVER
    for (const request of [...sent.slice(head), ...unsent]) {
      if (request.isOver) continue
      if (request.deadline <= at) fail(request, late(request.isSent && request.writes))
      else if (request.deadline < next) next = request.deadline
    }
    if (sent.length > head) {
      let silentAt = heardAt + linkTimeoutMs
      if (silentAt <= at) {
        // A process that was held up itself has not read yet what came meanwhile: it looks once more.
        if (doubtedAt === heardAt) return void finish(unavailable(`no reply for ${linkTimeoutMs} ms`))
        doubtedAt = heardAt
        silentAt = at + LOOK_AGAIN_MS
      }
      next = Math.min(next, silentAt)
    }
    if (next < NEVER) arm(next)
  }
  const fail = (request: Request, error: unknown): void => {
    if (request.isOver) return
    request.isOver = true
    request.onError(error)
  }
  const flush = (): void => {
    isScheduled = false
    if (state !== 'ready' || isBlocked || unsent.length === 0) return
    if (sent.length === head) heardAt = now()
    const chunks: (string | Uint8Array)[] = []
    let text = ''
    for (const request of unsent) {
      if (request.isOver) continue
      request.isSent = true
      sent.push(request)
      for (const chunk of request.chunks) {
        if (typeof chunk === 'string') text += chunk
        else {
          chunks.push(text, chunk)
          text = ''
        }
      }
    }
    unsent = []
    if (text) chunks.push(text)
    if (chunks.length === 0) return
    isBlocked = !socket.write(chunks)
    arm(heardAt + linkTimeoutMs)
  }
  const onReply = (reply: Reply): void => {
    const request = sent[head]
    if (!request) return void finish(outOfStep())
    const { code, line } = reply
    const isError = code.endsWith('ERROR')
    if (!isError && request.tail !== '' && !line.endsWith(request.tail)) return void finish(outOfStep())
    head++
    if (head === sent.length || head === 4096) {
      sent = sent.slice(head)
      head = 0
    }
    if (!request.isOver) {
      request.isOver = true
      request.onReply(reply)
    }
    // What the server did not understand it may have read otherwise than it was meant: nothing after it can be trusted.
    if (code === 'ERROR' || (code === 'CLIENT_ERROR' && !line.includes('non-numeric'))) finish(outOfStep())
  }
  const finish = (error: HitherError): void => {
    if (state === 'ended') return
    const hasOpened = state === 'ready'
    state = 'ended'
    cancelOpening()
    cancelSweep?.()
    socket?.destroy()
    onEnd(error, hasOpened)
    const left = [...sent.slice(head), ...unsent]
    sent = unsent = []
    head = 0
    for (const request of left) fail(request, request.isSent && request.writes ? maybeExecuted(error) : error)
  }

  const read = createReplyReader(settings.maxReplyBytes, onReply)
  const cancelOpening = setDeadline(
    () => finish(unavailable(`no connection within ${settings.connectTimeoutMs} ms`)),
    settings.connectTimeoutMs,
  )
  const open = (): void => {
    cancelOpening()
    state = 'ready'
    if (address.username) {
      const login = loginOf(address, finish)
      login.isSent = true
      sent.push(login)
      socket.write(login.chunks)
    }
    flush()
  }
  const { host, port } = address
  const socket = openSocket(
    { host, port, ...(settings.tls ? { tls: settings.tls } : {}) },
    {
      onOpen: open,
      onData(bytes) {
        heardAt = now()
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
      onEnd: (cause) => finish(unavailable('the connection ended', cause)),
    },
  )

  return {
    get state() {
      return state
    },
    get isIdle() {
      return sent.length === head && unsent.length === 0
    },
    get heardAt() {
      return heardAt
    },
    add(request) {
      if (sent.length - head + unsent.length >= settings.maxQueue) {
        throw new HitherError('OVERLOADED', `${settings.maxQueue} commands wait already`, { retryable: true })
      }
      unsent.push(request)
      arm(request.deadline)
      if (isScheduled || state !== 'ready') return
      isScheduled = true
      void RESOLVED.then(flush)
    },
    end: finish,
  }
}

/** The server's user and password: the text protocol takes them as the value of its first command. */
function loginOf({ username, password }: MemcachedAddress, finish: (error: HitherError) => void): Request {
  const secret = new TextEncoder().encode(`${username} ${password}`)
  const refuse = (): void => finish(new HitherError('UNAUTHORIZED', 'memcached refused the user or the password'))
  return {
    chunks: [`set login 0 0 ${secret.length}\r\n`, secret, '\r\n'],
    tail: '',
    deadline: NEVER,
    writes: false,
    onReply: ({ code }) => code !== 'STORED' && refuse(),
    onError: () => {},
    isSent: false,
    isOver: false,
  }
}

const outOfStep = (): HitherError =>
  new HitherError('BAD_REPLY', 'memcached answered otherwise than asked: is it version 1.6 or later?')

function unavailable(what: string, cause?: unknown): HitherError {
  return new HitherError('STORE_UNAVAILABLE', `memcached: ${what}`, { cause, retryable: true })
}

function maybeExecuted({ code, message, cause }: HitherError): HitherError {
  return new HitherError(code, message, { cause, maybeExecuted: true })
}

export function late(maybeExecuted: boolean): HitherError {
  return new HitherError('TIMEOUT', 'no answer before the deadline', { retryable: !maybeExecuted, maybeExecuted })
}
