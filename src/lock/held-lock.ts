import { HitherError } from '../errors.ts'
import { toMs } from '../protocol/duration.ts'
import { elapsedMs, NEVER, now, setQuietTimer } from '../runtime/clock.ts'
import type { Call } from '../store/store.ts'
import { UNMET } from './replicas.ts'
import type { Lock } from './types.ts'

/** A lease that the store has granted, and how to change it there. */
export interface Grant {
  readonly token: number
  /** When the command that took the lease was sent, by the `elapsedMs` clock. The lease counts from then. */
  readonly sentAt: number
  readonly ttlMs: number
  readonly renew: boolean
  /** Resolves to 1 when the lease lasts at least `leaseMs` from the sending, to 0 when this lock has none, or to `UNMET`. */
  keep(leaseMs: number, call?: Call): Promise<number>
  /** Resolves to 1 when this lock had the lease, or had freed it before; else to 0. */
  free(): Promise<number>
}

/**
 * States: held → lost, or held → released. Only `lose` and `release` leave `held`.
 *
 * One timer runs while the lock is held. It fires for the next renewal or for the deadline, whichever is first. The deadline
 * does not depend on the timer: every method compares it with the clock. A renewal counts from the moment it was sent, however
 * late its reply comes. So a late reply never extends a lease that the store has already granted to another holder.
 */
export function heldLock({ token, sentAt, ttlMs, renew, keep, free }: Grant): Lock {
  const third = ttlMs / 3
  let deadline = sentAt + ttlMs
  let renewAt = renew ? sentAt + third : NEVER
  let failures = 0
  let released = false
  let lost: HitherError | undefined
  let controller: AbortController | undefined
  let cancel = (): void => {}

  const lose = (): void => {
    if (lost || released) return
    lost = new HitherError('LOCK_LOST', 'the lock is lost: another may hold it')
    cancel()
    controller?.abort(lost)
  }
  const isLost = (): boolean => {
    if (elapsedMs() >= deadline) lose()
    return lost !== undefined
  }
  const extend = async (leaseMs: number, call?: Call): Promise<boolean> => {
    if (isLost() || released) return false
    const at = elapsedMs()
    const reply = await keep(leaseMs, call)
    if (reply === UNMET) throw unmet()
    if (reply > 0) {
      deadline = Math.max(deadline, at + leaseMs)
      failures = 0
    } else lose()
    return !isLost() && !released
  }
  const onTimer = (): void => {
    if (isLost()) return
    const at = elapsedMs()
    if (at >= renewAt) {
      renewAt = at + third
      // A reply that comes after the next renewal is due counts as a failure, so that two failures are known before the deadline.
      extend(ttlMs, { deadline: now() + third }).catch(() => {
        if (++failures > 1) lose()
      })
    }
    cancel = setQuietTimer(onTimer, Math.min(renewAt, deadline) - at)
  }
  const release = async (): Promise<boolean> => {
    if (released) return false
    const late = isLost()
    released = true
    cancel()
    try {
      return (await free()) > 0 && !late
    } catch (error) {
      if (late) return false
      throw error
    }
  }
  onTimer()
  return new HeldLock({
    token,
    signalNow() {
      controller ??= watchedController(isLost, () => lost)
      isLost()
      return controller.signal
    },
    assertHeld() {
      if (isLost() || released) throw lost ?? new HitherError('LOCK_LOST', 'the lock was released')
    },
    extend: async (ttl = ttlMs) => extend(toMs(ttl, 'ttl')),
    release,
  })
}

interface Parts extends Pick<Lock, 'token' | 'assertHeld' | 'extend' | 'release'> {
  signalNow(): AbortSignal
}

/**
 * A class because of its getter. For a getter in an object literal V8 makes a hidden class per object, which keeps all that the
 * getter reaches in memory until a full collection.
 */
class HeldLock implements Lock {
  readonly token: number
  readonly assertHeld: Lock['assertHeld']
  readonly extend: Lock['extend']
  readonly release: Lock['release']
  readonly #signalNow: Parts['signalNow']
  constructor({ token, assertHeld, extend, release, signalNow }: Parts) {
    this.token = token
    this.assertHeld = assertHeld
    this.extend = extend
    this.release = release
    this.#signalNow = signalNow
  }
  get signal(): AbortSignal {
    return this.#signalNow()
  }
  async [Symbol.asyncDispose](): Promise<void> {
    // An error here would hide the one that the block has thrown.
    await this.release().catch(() => {})
  }
}

/**
 * A controller whose signal compares the deadline with the clock whenever `aborted`, `reason` or `throwIfAborted` is read.
 * `aborted` becomes true only in the first listener of the abort event. Some runtimes read `aborted` when they begin to abort,
 * and would not abort if it were true by then.
 */
function watchedController(isLost: () => boolean, reason: () => HitherError | undefined): AbortController {
  const controller = new AbortController()
  const { signal } = controller
  let aborted = false
  signal.addEventListener('abort', () => {
    aborted = true
  })
  if (isLost()) controller.abort(reason())
  const look = (): boolean => {
    isLost()
    return aborted
  }
  Object.defineProperties(signal, {
    aborted: { get: look },
    reason: { get: () => (look() ? reason() : undefined) },
    throwIfAborted: {
      value: () => {
        if (look()) throw reason()
      },
    },
  })
  return controller
}

function unmet(): HitherError {
  const options = { retryable: true, maybeExecuted: true }
  return new HitherError('STORE_UNAVAILABLE', 'fewer replicas than minReplicas have confirmed the lease', options)
}
