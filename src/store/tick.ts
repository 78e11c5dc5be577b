import { HitherError } from '../errors.ts'
import { checkSignal } from '../protocol/arguments.ts'
import type { Effect } from '../protocol/operation.ts'
import { onAbort } from '../runtime/abort.ts'
import { REQUEST_SCOPED } from '../runtime/background.ts'
import { firedAt, now, STALL_GRACE_MS, setDeadline } from '../runtime/clock.ts'
import { soon, TICK_LIMIT_MS } from '../runtime/per-tick.ts'
import { checkKey } from './checks.ts'
import type { Call, StoreTraits } from './store.ts'
import type { Command } from './transport.ts'

/** What a caller wants sent. */
export interface Wanted {
  readonly keys: readonly string[]
  /** A command; for an operation what follows its script. */
  readonly args: Command['args']
  readonly effect: Effect
  /** Bytes on the wire, roughly. */
  readonly size: number
  readonly script?: { readonly lua: string }
}

/** One caller's part of a tick. Its promise follows the first of: its reply, its abort, its deadline, `close`. */
export interface PendingCall extends Omit<Wanted, 'script'> {
  readonly script: Wanted['script'] | undefined
  readonly bytes: boolean
  readonly patient: boolean
  deadline: number
  readonly resolve: (reply: never) => void
  readonly reject: (error: unknown) => void
  /** Takes the listener off the caller's signal. */
  end: (() => void) | undefined
  sent: boolean
  settled: boolean
  attempts: number
}

export interface Tick {
  /** Resolves as `flush` decides. Rejects when `call` aborts, at its deadline, or as `flush` decides. */
  add<T>(wanted: Wanted, call?: Call): Promise<T>
  /** Rejects what waits or is under way, and every later call, with `CLOSED`. */
  close(): void
}

/** A tick that is sent later than this after its first call was held up. */
const HELD_UP_MS = 5

/**
 * What ends calls whose time is up. Made once, with a way to all that are open; then told of each tick as it is sent: it
 * answers what calls it off, where that is needed.
 */
export type Watch = (open: () => Iterable<PendingCall>) => (calls: readonly PendingCall[]) => (() => void) | undefined

/** A tick that is not over, in a ring: a `Set` would cost a lone call more than all else here. */
interface OpenTick {
  readonly calls: PendingCall[]
  readonly sinceMs: number
  before: OpenTick
  after: OpenTick
}

/**
 * One queue per store: calls made in one run of microtasks reach `flush` together, in call order. `flush` calls `done`
 * when it has nothing more to send; it never throws.
 */
export function createTick(
  traits: StoreTraits,
  timeoutMs: number,
  flush: (calls: readonly PendingCall[], done: () => void) => void,
  watch: Watch = () => watchOne,
): Tick {
  const ring = { calls: [] } as unknown as OpenTick
  ring.before = ring.after = ring
  const open = function* (): Generator<PendingCall> {
    for (let at = ring.after; at !== ring; at = at.after) yield* at.calls
  }
  const watchTick = watch(open)
  let filling: OpenTick | undefined
  let closed = false
  let at = 0
  /** Of the call before. */
  let lastDeadline = 0

  const send = (sent: OpenTick): void => {
    if (sent === filling) filling = undefined
    // Held up between the calls and here, by a callback that blocked: what is only sent now is given time for a reply.
    const least = now() + STALL_GRACE_MS
    if (least - sent.sinceMs > STALL_GRACE_MS + HELD_UP_MS) {
      for (const call of sent.calls) call.deadline = Math.max(call.deadline, least)
    }
    const cancel = watchTick(sent.calls)
    flush(sent.calls, () => {
      cancel?.()
      sent.before.after = sent.after
      sent.after.before = sent.before
      // A dead tick that reached the old generation would keep all that came after it alive.
      sent.before = sent.after = sent
    })
  }
  const start = (): void => send(filling as OpenTick)
  const hop = (): void => soon(start)

  return {
    add: ({ keys, args, effect, size, script }, call) =>
      new Promise((resolve, reject) => {
        for (const key of keys) checkKey(key, traits)
        const signal = call?.signal
        checkSignal(signal)
        // The clock is read once a tick, but for calls with a deadline that no other had before.
        if (!filling || (call?.deadline !== undefined && call.deadline !== lastDeadline) || REQUEST_SCOPED) at = now()
        // It will never be sent where the limit of its request has ended its microtasks; else its own turn sends it.
        if (REQUEST_SCOPED && filling && at - filling.sinceMs > TICK_LIMIT_MS) filling = undefined
        const deadline = call?.deadline ?? at + timeoutMs
        lastDeadline = deadline
        const pending: PendingCall = {
          keys,
          args,
          effect,
          size,
          script,
          bytes: call?.bytes === true,
          patient: call?.patient !== false,
          deadline,
          resolve,
          reject,
          end: undefined,
          sent: false,
          settled: false,
          attempts: 0,
        }
        if (closed || !(deadline > at)) throw ended(pending, closed ? 'CLOSED' : 'TIMEOUT')
        if (signal) pending.end = onAbort(signal, () => settle(pending, 'reject', signal.reason))
        if (filling) filling.calls.push(pending)
        else {
          filling = { calls: [pending], sinceMs: at, before: ring.before, after: ring }
          ring.before = ring.before.after = filling
          const own = filling
          soon(REQUEST_SCOPED ? () => soon(() => send(own)) : hop)
        }
      }),
    close: () => {
      closed = true
      for (const call of open()) settle(call, 'reject', ended(call, 'CLOSED'))
    },
  }
}

/** With a timer of its own: on Workers a timer dies with the request that set it. */
function watchOne(calls: readonly PendingCall[]): () => void {
  let cancel: (() => void) | undefined
  const arm = (at: number): void => {
    const next = expire(calls, at)
    const fire = (): void => arm(firedAt(next))
    if (next < Number.POSITIVE_INFINITY) cancel = setDeadline(fire, next - at)
  }
  arm(now())
  return () => cancel?.()
}

/** Ends the calls whose time is up; answers the earliest deadline of the others. */
export function expire(calls: Iterable<PendingCall>, at: number): number {
  let next = Number.POSITIVE_INFINITY
  for (const call of calls) {
    if (call.settled) continue
    if (call.deadline <= at) settle(call, 'reject', ended(call, 'TIMEOUT'))
    else if (call.deadline < next) next = call.deadline
  }
  return next
}

/** Ends a call; of no effect on one that has ended. */
export function settle(call: PendingCall, how: 'resolve' | 'reject', value: unknown): void {
  call.settled = true
  call.end?.()
  call[how](value as never)
}

function ended({ sent, effect }: PendingCall, code: 'CLOSED' | 'TIMEOUT'): HitherError {
  return new HitherError(code, code === 'CLOSED' ? 'the store is closed' : 'no answer before the deadline', {
    retryable: code === 'TIMEOUT' && !(sent && effect === 'once'),
    maybeExecuted: sent && effect !== 'read',
  })
}
