import { HitherError, isHitherError, StoreRejectedError } from '../../src/errors.ts'
import { onAbort } from '../../src/runtime/abort.ts'
import { now, setTimer } from '../../src/runtime/clock.ts'
import { random } from '../../src/runtime/random.ts'
import type { CallLimits } from '../../src/store/swap.ts'
import type { Reply } from './replies.ts'
import { type Command, lost, type Place, type Request, type Route, unauthorized } from './request.ts'

/** Resends of a call whose reply was lost: about a second, longer than a connection takes to open again. */
const MAX_ATTEMPTS = 6
/** Longest wait between two attempts, in milliseconds: a server that is back is used again within half a second. */
const MAX_BACKOFF_MS = 400

/** Milliseconds to wait after so many failures in a row: doubling, and by half a matter of chance so that clients spread. */
export function backoff(failures: number): number {
  return Math.ceil((0.5 + random() / 2) * Math.min(50 * 2 ** failures, MAX_BACKOFF_MS))
}

/** Rejects `STORE_UNAVAILABLE`, `TIMEOUT`, `CLOSED`, `OVERLOADED`, with the signal's reason, or what the reply says. */
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

// Not within `call`, whose requests would then each have a closure's context.
function leaveOnAbort(request: Request, signal: AbortSignal): void {
  request.forget = onAbort(signal, () => settle(request).reject(signal.reason))
}

function send(request: Request): void {
  try {
    request.isOver = request.isSent = false
    request.link.pick().add(request)
  } catch (error) {
    fail(request, isHitherError(error) ? lost(request, error) : unsupported(error))
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

/** Rejects a request by the line of an error. */
export function refuse(request: Request, line: string): void {
  if (!request.isOver) settle(request).reject(rejected(line))
}

/** Settles a request that got no reply, or has it sent again. */
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

function unsupported(cause: unknown): HitherError {
  return new HitherError('UNSUPPORTED', 'this runtime opens no such socket, see cause', { cause })
}
