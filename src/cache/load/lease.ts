import { HitherError } from '../../errors.ts'
import { REQUEST_SCOPED } from '../../runtime/background.ts'
import { NEVER, now, setTimer, sleep } from '../../runtime/clock.ts'
import { random, randomId } from '../../runtime/random.ts'
import type { Call as StoreCall } from '../../store/store.ts'
import type { Core, Flight, Lease, LoadRequest } from '../model.ts'
import { commandCall, nothing, recordOutage, runStep } from '../store-calls.ts'
import type { CapturedVersions } from '../versions.ts'
import { settle } from './background-work.ts'
import { restorePredecessor } from './flights.ts'

/*
 * The lease of a load is stored in the entry's own key, so that only one of all processes runs the loader. Who has it:
 *
 * - `acquire` asks for the lease until the load holds it, until the store has a fresh entry or a shared failure, or until the
 *   load has waited long enough and runs beside the holder. A follower sleeps between two requests: no message announces the
 *   release of a lease, since REST has none.
 * - The holder renews the lease while its loader runs (`renew`), so that a process that dies blocks others for seconds only.
 * - The lease ends with the write of the value (the step `fill`), or by `release`. A load that ended without a value leaves a
 *   failure record in the key: its followers then load at once, beside each other. Without the record each follower would
 *   wait for the failure of the next, and the last of n followers for n loads.
 * - A lease with more time left than any cache takes has no holder that would release it. A follower takes it over by its
 *   token.
 */

/** The reply of the step `lease`. The second item is the store's time in epoch ms. */
type LeaseReply =
  | readonly ['held', number, copyId: string]
  | readonly ['live', number, id: string]
  | readonly ['failed', number]
  | BusyReply
type BusyReply = readonly ['busy', number, holder: string, leftMs: number, isAfterFailure: number]

/** What a follower remembers of its wait. The times are sums of its sleeps, so a change of the clock does not affect them. */
interface Wait {
  holder: string | undefined
  /** The holder's lease has more time left than any cache takes, so the next request takes it over. */
  takesOver: boolean
  sleptMs: number
  sleptForHolderMs: number
}

const FIRST_POLL_MS = 4
const LAST_POLL_MS = 250
export const LEASE_MARGIN_MS = 1000
/**
 * The longest lease where a timer renews it, each time a third has passed, in ms. A process that dies blocks the others for no
 * longer.
 */
const RENEWED_MS = 6000
/**
 * A follower waits for the lease of another load as long as its own loader may run, and this much longer, in ms. By then that
 * lease has ended.
 */
const PATIENCE_MARGIN_MS = 2 * LEASE_MARGIN_MS
const RELEASE_PAUSES_MS = [50, 200, 800]

/** Until when a load that asks for its lease counts as alive, in epoch ms: the deadline of its command, and a margin. */
export const aliveUntil = ({ deadline = NEVER }: StoreCall): number => deadline + LEASE_MARGIN_MS

const leaseMs = ({ hardMs }: LoadRequest): number =>
  Math.min(hardMs + LEASE_MARGIN_MS, REQUEST_SCOPED ? NEVER : RENEWED_MS)

/** The longest lease of any call that names no `hardTimeout`, on any runtime. */
const longestLeaseMs = ({ hardTimeoutMs }: Core): number => Math.max(hardTimeoutMs + LEASE_MARGIN_MS, RENEWED_MS)

const release: Lease['release'] = async ({ storedKey, view }, token, ending = {}) => {
  if (!token) return
  const { verb = 'release', shareMs = 0, inDoubt = false } = ending
  const { core, request } = view
  const once = async (): Promise<boolean> => {
    const args = [verb, '', token, shareMs]
    const work = { operation: core.format.steps.repeat, key: storedKey, args }
    const released = await runStep(core, work, commandCall(core))
    return released === 1 || !inDoubt
  }
  const retry = async (): Promise<void> => {
    for (const pause of RELEASE_PAUSES_MS) {
      await sleep(pause)
      if (await once().catch(() => false)) return
    }
  }
  const retryLater = (): boolean => core.background.add(retry(), request.waitUntil, nothing)
  const first = once().then(
    (isDone) => {
      if (!isDone) retryLater()
    },
    (error: unknown) => {
      retryLater()
      throw error
    },
  )
  await settle(view, first)
}

const renew: Lease['renew'] = ({ request, lease }) => {
  const ms = leaseMs(request)
  if (!lease.token || ms > request.hardMs) return nothing
  const { core } = request.view
  let cancel = nothing
  let ended = false
  const later = (): void => {
    if (!ended) cancel = setTimer(once, ms / 3)
  }
  const once = (): void => {
    const args = ['lease', '', lease.token, ms, 2]
    runStep(core, { operation: core.format.steps.repeat, key: request.storedKey, args }, commandCall(core)).then(
      (renewed) => {
        // 0: the lease is no longer held, because somebody has ended it. There is nothing left to renew.
        if (renewed === 1) later()
      },
      later,
    )
  }
  later()
  return () => {
    ended = true
    cancel()
  }
}

/** Asks for the lease and, the first time, also for the versions, in the same wave of commands. */
async function ask(flight: Flight, token: string, { holder, takesOver }: Wait): Promise<LeaseReply> {
  const { request, lease } = flight
  const { storedKey, deadId = '', early, view, settings, tags } = request
  const { core, space } = view
  const call = commandCall(core)
  flight.aliveUntilMs = aliveUntil(call)
  const sentMs = now()
  const readsFailure = Number(settings.shareMs > 0 && !early)
  const takenOver = (takesOver && holder) || ''
  const args = ['lease', deadId, token, leaseMs(request), Number(!!early), takenOver, readsFailure]
  const asking = runStep(core, { operation: core.format.steps.once, key: storedKey, args }, call).then((answer) => {
    const reply = answer as LeaseReply
    if (!/^(held|live|failed|busy)$/.test(reply?.[0]))
      throw new HitherError('BAD_REPLY', 'the reply is not that of a lease')
    core.clock.note(sentMs, reply[1])
    return reply
  })
  // The versions must outlast the load. The fill then renews them for as long as its entry lives.
  const lifeMs = settings.life.lifeMs + request.hardMs
  const capture = (generation?: string): Promise<CapturedVersions> =>
    core.versions.capture(space, tags, call, { lifeMs, generation })
  const [reply, captured] = await Promise.all([asking, lease.versions ?? capture(request.reading?.generation)])
  lease.versions = captured
  if (reply[0] === 'held') {
    // While another load held the lease, somebody may have invalidated the versions that were captured before the wait.
    if (holder !== undefined) lease.versions = await capture()
    lease.copyId = reply[2]
  }
  return reply
}

const acquire: Lease['acquire'] = async (flight) => {
  const { request, lease } = flight
  const { core, emit } = request.view
  const { predecessor } = lease
  // The predecessor was detached: its value must not be served to later callers. Release its lease first, or this load
  // would wait for a value that it may not use.
  if (predecessor?.isDetached && predecessor.lease.token && predecessor.state !== 'over')
    await release(request, predecessor.lease.token)
  const token = randomId()
  const wait: Wait = { holder: undefined, takesOver: false, sleptMs: 0, sleptForHolderMs: 0 }
  for (;;) {
    let reply: LeaseReply
    try {
      reply = await ask(flight, token, wait)
    } catch (error) {
      // The request failed but may have taken the lease. Release it so that nobody waits for it.
      void release(request, token, { inDoubt: true })
      if (!recordOutage(core, error, emit)) throw error
      return undefined
    }
    if (reply[0] === 'held') {
      lease.token = token
      return undefined
    }
    if (reply[0] === 'live') return { liveId: reply[2] }
    if (reply[0] === 'failed') return { liveId: '', failed: true }
    // The predecessor, a load of this process, may still hold the lease. Put it back and let each caller read again, also those
    // that joined while this load asked. A background refresh ends as well, since another process loads already.
    if (restorePredecessor(flight, reply[2]) || request.background) return { liveId: '' }
    request.onDecided?.(true)
    const move = nextMove(wait, reply, request.hardMs, longestLeaseMs(core))
    if (move === 'load beside it') {
      lease.isBeside = true
      flight.dropCode = ''
      return undefined
    }
    if (move === 'take over') {
      wait.takesOver = true
      wait.holder = reply[2]
    } else await pause(wait, reply, flight.stop.signal)
  }
}

export const leases: Lease = { guardsFills: true, acquire, renew, release }

/** What a follower does about a lease that somebody else holds. */
function nextMove(
  wait: Wait,
  [, , holder, leftMs, isAfterFailure]: BusyReply,
  hardMs: number,
  longestLeaseMs: number,
): 'wait' | 'take over' | 'load beside it' {
  const isNext = wait.holder !== undefined && holder !== wait.holder
  // The load that it waited for ended without a value and another follower was faster: it does not queue behind that one. Or it
  // has waited, in all, for longer than a load may run.
  const isEnough = (isNext && isAfterFailure) || wait.sleptMs > hardMs + PATIENCE_MARGIN_MS
  if (!isEnough) return 'wait'
  // No cache takes a lease for so long: nobody will release it.
  return isNext || wait.takesOver || leftMs <= longestLeaseMs ? 'load beside it' : 'take over'
}

/**
 * Sleeps between two requests for about a twelfth of the wait so far, so that the time slept after the lease has become free is
 * a small part of the whole wait.
 */
async function pause(wait: Wait, [, , holder, leftMs]: BusyReply, signal: AbortSignal): Promise<void> {
  // The holder is another one: begin with short pauses again.
  if (holder !== wait.holder) wait.sleptForHolderMs = 0
  wait.holder = holder
  const evenMs = Math.min(Math.max(FIRST_POLL_MS, wait.sleptForHolderMs / 12), LAST_POLL_MS)
  const pauseMs = evenMs * (0.75 + random() / 2)
  wait.sleptForHolderMs += pauseMs
  wait.sleptMs += pauseMs
  await sleep(Math.min(leftMs + 1, pauseMs), signal)
}
