import { HitherError, isHitherError, StoreRejectedError } from '../../src/errors.ts'
import { onAbort } from '../../src/runtime/abort.ts'
import { now, setTimer } from '../../src/runtime/clock.ts'
import { random } from '../../src/runtime/random.ts'
import type { CallLimits } from '../../src/store/swap.ts'
import { unopened } from '../../src/store/unopened-socket.ts'
import type { Reply } from './replies.ts'
import { type Command, lost, type Place, type Request, type Route, unauthorized } from './request.ts'

/** Most sends of a call whose reply is lost. The waits between them come to about a second, longer than a reconnect takes. */
const MAX_ATTEMPTS = 6
/** Longest wait between two attempts, in milliseconds, so that a server that is up again is used within half a second. */
const MAX_BACKOFF_MS = 400

/** Milliseconds to wait after `failures` in a row. The wait doubles, and up to half of it is random so that clients spread. */
export function backoff(failures: number): number {
  return Math.ceil((0.5 + random() / 2) * Math.min(50 * 2 ** failures, MAX_BACKOFF_MS))
}

/** Rejects with `STORE_UNAVAILABLE`, `TIMEOUT`, `CLOSED`, `OVERLOADED`, the signal's reason, or the error of the reply. */
export function call<T>(place: Place, command: Command<T>, limits: CallLimits, link: Route): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const { signal } = limits
    if (signal?.aborted) throw signal.reason
    const request: Request = {
      place,
      command,
      limits,
      link,
      resolve: resolve as Request['resolve'],
      reject,
      opaque: 0,
      attempts: 0,
      isSent: false,
      mayHaveRun: false,
      isOver: false,
      cancelTimer: undefined,
      forget: undefined,
    }
    if (signal) leaveOnAbort(request, signal)
    send(request)
  })
}

// A separate function, because a closure within `call` would give every request a closure's context.
function leaveOnAbort(request: Request, signal: AbortSignal): void {
  request.forget = onAbort(signal, () => settle(request).reject(signal.reason))
}

function send(request: Request): void {
  try {
    request.isOver = request.isSent = false
    request.link.pick().add(request)
  } catch (error) {
    fail(request, isHitherError(error) ? lost(request, error) : unopened(error))
  }
}

/** Settles a request by its reply. */
export function answer(request: Request, reply: Reply): void {
  if (request.isOver) return
  const { command, place, resolve, reject } = settle(request)
  try {
    resolve(command.read(reply, place))
  } catch (error) {
    reject(error)
  }
}

/** Rejects a request with the error line of its reply. */
export function refuse(request: Request, line: string): void {
  if (!request.isOver) settle(request).reject(rejected(line))
}

/** Handles a request that got no reply: sends it again after a wait, or rejects it. */
export function fail(request: Request, error: unknown): void {
  const { command, limits, isSent, link } = request
  const waitMs = backoff(request.attempts)
  const isLost = isHitherError(error) && error.code === 'STORE_UNAVAILABLE' && (isSent || request.attempts > 0)
  const mayGoAgain = command.effect !== 'once' && !link.isClosed() && now() + waitMs < limits.deadline
  if (!isLost || !mayGoAgain || ++request.attempts === MAX_ATTEMPTS) return void settle(request).reject(error)
  request.isOver = true
  request.cancelTimer = setTimer(() => send(request), waitMs)
}

function settle(request: Request): Request {
  request.isOver = true
  request.cancelTimer?.()
  request.forget?.()
  return request
}

function rejected(line: string): HitherError {
  if (line.includes('too large')) return new HitherError('VALUE_TOO_LARGE', 'the value is larger than the server takes')
  if (line.includes('unauthenticated')) return unauthorized()
  if (line.includes('out of memory')) return new StoreRejectedError('memcached', 'OOM')
  const [word = '', ...rest] = line.split(' ')
  return new StoreRejectedError('memcached', { word, message: rest.join(' ') || word })
}
