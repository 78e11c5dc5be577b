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
  /** The command; for an operation, the arguments after its script. */
  readonly args: Command['args']
  readonly effect: Effect
  /** Bytes on the wire, roughly. */
  readonly size: number
  readonly script?: { readonly lua: string }
}

/** One caller's part of a tick. Whichever is first settles its promise: its reply, its abort, its deadline or `close`. */
export interface PendingCall extends Omit<Wanted, 'script'> {
  readonly script: Wanted['script'] | undefined
  readonly bytes: boolean
  readonly patient: boolean
  deadline: number
  readonly resolve: (reply: never) => void
  readonly reject: (error: unknown) => void
  /** Removes the listener from the caller's signal. */
  end: (() => void) | undefined
  sent: boolean
  /** Whether it must be sent alone, since a command that it shared was refused. */
  isApart: boolean
  settled: boolean
  attempts: number
  /** Error of the latest attempt whose reply was lost. */
  failure: unknown
}

export interface Tick {
  /** Resolves as `flush` decides. Rejects when `call` aborts, at its deadline, or as `flush` decides. */
  add<T>(wanted: Wanted, call?: Call): Promise<T>
  /** Rejects every call that waits or is under way, and every later one, with `CLOSED`. */
  close(): void
}

/** If a tick is sent more than this many milliseconds after its first call, the event loop was blocked meanwhile. */
const HELD_UP_MS = 5

/**
 * Ends calls at their deadlines. It is called once, with a function that lists all open calls. The function it returns is
 * called with the calls of each tick as the tick is sent, and may return a function to call when that tick has ended.
 */
export type Watch = (open: () => Iterable<PendingCall>) => (calls: readonly PendingCall[]) => (() => void) | undefined

/** A tick that has not ended, linked in a ring. A `Set` would cost a lone call more than everything else here. */
interface OpenTick {
  readonly calls: PendingCall[]
  readonly sinceMs: number
  before: OpenTick
  after: OpenTick
}

/**
 * One queue per store: calls made in one run of microtasks reach `flush` together, in call order. `flush` calls `done`
 * when it has nothing more to send; it never throws.
 *
 * A call joins the tick that is filling, or begins one, which is sent two microtasks later. The tick stays in the ring until
 * `done`, so that `watch` and `close` can end its calls.
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
  /** Deadline of the previous call. */
  let lastDeadline = 0

  const send = (sent: OpenTick): void => {
    if (sent === filling) filling = undefined
    // A callback blocked between the calls and this microtask. Their deadlines move, so that a reply has time to arrive.
    const least = now() + STALL_GRACE_MS
    if (least - sent.sinceMs > STALL_GRACE_MS + HELD_UP_MS) {
      for (const call of sent.calls) call.deadline = Math.max(call.deadline, least)
    }
    const cancel = watchTick(sent.calls)
    flush(sent.calls, () => {
      cancel?.()
      sent.before.after = sent.after
      sent.after.before = sent.before
      // Unlink the ended tick. Once in the old generation of V8's heap, its links would keep all later ticks alive.
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
        // The clock is read once per tick, and for a call whose deadline is not that of the call before.
        if (!filling || (call?.deadline !== undefined && call.deadline !== lastDeadline) || REQUEST_SCOPED) at = now()
        // A call must not join an overdue tick: a limit of that tick's request may have ended the microtask that would send it.
        // If not, that microtask still sends the tick.
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
          isApart: false,
          settled: false,
          attempts: 0,
          failure: undefined,
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

/** Watches one tick with a separate timer: on Workers a timer dies with the request that set it. */
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

/** Ends the calls whose deadline has passed at `at`. Returns the earliest deadline of the others, `Infinity` if there are none. */
export function expire(calls: Iterable<PendingCall>, at: number): number {
  let next = Number.POSITIVE_INFINITY
  for (const call of calls) {
    if (call.settled) continue
    if (call.deadline <= at) settle(call, 'reject', ended(call, 'TIMEOUT'))
    else if (call.deadline < next) next = call.deadline
  }
  return next
}

/** Settles a call. A call that is settled already keeps its result. */
export function settle(call: PendingCall, how: 'resolve' | 'reject', value: unknown): void {
  call.settled = true
  call.end?.()
  call[how](value as never)
}

function ended({ sent, effect, failure }: PendingCall, code: 'CLOSED' | 'TIMEOUT'): HitherError {
  return new HitherError(code, code === 'CLOSED' ? 'the store is closed' : 'no answer before the deadline', {
    retryable: code === 'TIMEOUT' && !(sent && effect === 'once'),
    maybeExecuted: sent && effect !== 'read',
    ...(failure ? { cause: failure } : {}),
  })
}
