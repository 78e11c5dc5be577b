import { HitherError } from '../../errors.ts'
import { MORTAL } from '../../runtime/background.ts'
import { now } from '../../runtime/clock.ts'
import { type QuietTimers, within } from '../../runtime/deadline.ts'
import { type Core, nothing } from '../core.ts'
import type { Found } from '../look.ts'
import { abort, continueInBackground, reportTo } from './background-work.ts'
import { type LoadEngine, lead } from './lead.ts'
import { aliveUntil, createLeases } from './lease.ts'
import type { JoinRequest, Load, LoadRequest, Loads } from './types.ts'

/*
 * THE LOADS OF A PROCESS
 *
 * A load is one run of a loader for one key, shared by callers. Its states:
 *
 *           begin           lease held, or none to hold            value or failure
 *   (none) ───────► ASKING ─────────────────────────────► LOADING ──────────────────► OVER
 *                   │    ▲ │                                                           ▲
 *                   └────┘ └───────────────────────────────────────────────────────────┘
 *                  another        READ AGAIN: a live entry, a shared failure, or the predecessor still holds the lease.
 *                  holds it       Over without a value: its callers read the store once more.
 *
 *   ASKING    `startNumber` is 0. The lease step is on its way, or the load sleeps between two of them (`lease.ts`).
 *   LOADING   `startNumber` is set. The loader runs (`run-loader.ts`), then its value is stored (`fill.ts`).
 *   OVER      `isOver`. It has left the maps; its promise has settled, or its callers have all left and it was aborted.
 *
 * Across these states:
 *
 *   detached  Somebody wrote or deleted its key, or a caller has read that the versions it captured are outdated. It is in
 *             `byKey` no more, so that no later caller finds it; its present callers get its value, which is not stored. A
 *             load that is not shared begins detached.
 *   kept      It goes on without callers, since something keeps it alive: `finish`, a soft timeout, a background refresh.
 *   dead      `aliveUntilMs` has passed. Its request may have ended without a word, so nobody joins it any more.
 *
 * Who calls what: `read-through.ts` joins or begins, waits, and leaves, once for each join. `create-cache.ts` detaches before
 * each write. `lead.ts` walks a load through its states; `lease.ts` puts a predecessor back.
 *
 * Why a caller may join only what its own read has shown. Process A loads under lease 1. Process B deletes the key, then
 * tells a caller in A, by any other way. That caller asks A for the key: A's load began before the delete, and its value
 * must not be served. Its own read, sent after it came, shows lease 1 gone: it does not join. A load that still asks for
 * its lease may be joined by all, since whatever it loads is loaded later than they came.
 *
 * Why a new load puts its predecessor back. A caller reads just before lease 1 is written, sees none, and begins load 2 in
 * place of load 1. Load 2 asks for the lease, and hears that load 1 of this same process holds it. If load 2 polled, its
 * callers would be late by a poll. It ends with READ AGAIN instead; they read, see lease 1, and join load 1.
 *
 * Why outdated loads are detached here. A caller has read lease 1 and, of the tags that load 1 has captured, a newer version:
 * another process has invalidated a tag. Load 1's value is dead on arrival. Its lease is released by load 2 (`acquire`);
 * otherwise load 2 would wait for it in vain.
 */

const MAX_LOADS = 10_000
/** How long `close` lets loads run before it gives their leases back, in milliseconds. */
const CLOSE_MS = 1000

const NOT_YET = Promise.resolve(undefined)

export function createLoads(core: Core): Loads {
  const { plain, stats, background } = core
  /** The load that a key's callers may join. */
  const byKey = new Map<string, Load>()
  /** Every load that is not over, detached ones too. */
  const running = new Set<Load>()
  const calls = new Set<Promise<unknown>>()
  const timers: QuietTimers = { areQuiet: false, quieten: new Set() }
  /** By key, what callers past their own deadline share. */
  const pastDeadline = new Map<string, Load>()

  const restorePredecessor = (load: Load, holder: string): boolean => {
    const { storedKey } = load.request
    const { predecessor } = load.lease
    if (predecessor?.lease.token !== holder || predecessor.isOver || predecessor.isDetached) return false
    if (predecessor.aliveUntilMs <= now() || byKey.get(storedKey) !== load) return false
    byKey.set(storedKey, predecessor)
    return true
  }
  const engine: LoadEngine = { core, leases: createLeases(core, restorePredecessor), starts: 0 }

  const remove = (load: Load): void => {
    const { storedKey } = load.request
    if (byKey.get(storedKey) === load) byKey.delete(storedKey)
    stats.inFlight = byKey.size
  }
  const mayJoin: Loads['mayJoin'] = (load, reading, startsAtArrival) => canShare(plain, load, reading, startsAtArrival)

  const start = (request: LoadRequest, how: Partial<Pick<Load, 'isDetached' | 'dropCode'>>, old?: Load): Load => {
    const { onDecided, through } = request
    const load = newLoad(core, request, old, timers)
    Object.assign(load, how)
    running.add(load)
    // A load that is not shared, or came while the store was down, asks for no lease.
    load.result = lead(engine, load, !plain && !load.isDetached && !!request.reading).finally(() => {
      load.isOver = true
      running.delete(load)
      load.lease.predecessor = undefined
      remove(load)
      onDecided?.(true)
    })
    // Whoever waits gets its failure; there may be nobody left.
    const ended = load.result.catch(nothing)
    // Callers of other requests may wait for it when its own has ended.
    if (MORTAL) background.add(ended, through.waitUntil, reportTo(through.emit), load)
    return load
  }
  const beginUnshared = (request: LoadRequest, dropCode: Load['dropCode'] = ''): Load =>
    start(request, { isDetached: true, dropCode })

  /** Makes room for a load; false: there is none. */
  const makeRoom = (): boolean => {
    for (const [key, { aliveUntilMs }] of byKey) {
      if (byKey.size < MAX_LOADS || aliveUntilMs > now()) break
      byKey.delete(key)
    }
    return byKey.size < MAX_LOADS
  }

  /** Ends a load that did not end within the time of `close`. */
  const giveBack = (load: Load): Promise<unknown> | undefined => {
    const { lease, request, startNumber } = load
    const { token } = lease
    // It waits for another's lease: nobody can look at that any more.
    if (!startNumber) {
      abort(load, new HitherError('CLOSED', 'the cache was closed'))
      return load.result.catch(nothing)
    }
    load.quietTimers?.()
    load.isDetached = true
    lease.token = ''
    remove(load)
    running.delete(load)
    background.leave(load)
    return token ? engine.leases.release(request, token) : undefined
  }

  return {
    join(caller) {
      const load = byKey.get(caller.storedKey)
      if (!load || !mayJoin(load, caller.reading, caller.startsAtArrival)) return undefined
      if (!caller.background) stats.joined++
      load.callers.count++
      load.callers.finish ||= caller.finish
      caller.onDecided?.(true)
      return load
    },
    begin(request) {
      const { storedKey } = request
      const old = byKey.get(storedKey)
      // A plain load that is replaced has been given up: nothing else would keep its value from being stored late.
      if (old && (plain || isOutdated(old, request))) old.isDetached = true
      if (!makeRoom()) return beginUnshared(request, 'OVERLOADED')
      const load = start(request, {}, old)
      byKey.set(storedKey, load)
      stats.inFlight = byKey.size
      return load
    },
    beginUnshared: (request) => beginUnshared(request),
    beginPastDeadline(load, { storedKey, startsAtArrival }, make) {
      const known = load ? load.pastDeadline : pastDeadline.get(storedKey)
      // The callers of one load share what was loaded after it began; others share only what starts after they came.
      const isRecent = load || !known?.startNumber || startsAtArrival < known.startNumber
      if (known && !known.isOver && isRecent) {
        stats.joined++
        known.callers.count++
        return known
      }
      const second = beginUnshared(make())
      if (load) load.pastDeadline = second
      else pastDeadline.set(storedKey, second)
      void second.result.catch(nothing).then(() => {
        if (pastDeadline.get(storedKey) === second) pastDeadline.delete(storedKey)
      })
      return second
    },
    leave(load) {
      const { callers, request } = load
      if (--callers.count > 0 || load.isOver || callers.isKept) return
      if (callers.finish && continueInBackground(core, load, request.through)) return
      abort(load, new DOMException('every caller of this load has left', 'AbortError'))
    },
    starts: () => engine.starts,
    mayJoin,
    continueInBackground: (load, view) => continueInBackground(core, load, view),
    detach(storedKey) {
      const load = byKey.get(storedKey)
      if (!load) return undefined
      load.isDetached = true
      remove(load)
      return load.fill
    },
    leaseOf: (storedKey) => byKey.get(storedKey)?.lease.token ?? '',
    track(call) {
      calls.add(call)
      const forget = (): void => void calls.delete(call)
      call.then(forget, forget)
      return call
    },
    versionsOf(storedKey) {
      const { versions, predecessor } = byKey.get(storedKey)?.lease ?? {}
      // A load that still asks may put its predecessor back: a caller must have read that one's tags.
      return versions ?? predecessor?.lease.versions
    },
    async close() {
      const notKept = (): Load[] => [...running].filter(({ callers }) => !callers.isKept)
      const ended = Promise.allSettled([...notKept().map(({ result }) => result), ...calls])
      if (notKept().length + calls.size > 0)
        await within(ended, { signals: [], deadline: now() + CLOSE_MS }).catch(nothing)
      timers.areQuiet = true
      for (const quieten of [...timers.quieten]) quieten()
      await Promise.all(notKept().map(giveBack)).catch(nothing)
    },
  }
}

function newLoad(core: Core, request: LoadRequest, predecessor: Load | undefined, timers: QuietTimers): Load {
  const { background: isKept, settings } = request
  return {
    request,
    lease: { token: '', copyId: '', versions: undefined, predecessor, isBeside: false },
    callers: { count: 1, finish: settings.options.finish, isKept },
    stop: new AbortController(),
    timers,
    answerCount: core.heard,
    ticket: core.near?.begin(),
    result: NOT_YET,
    startNumber: 0,
    aliveUntilMs: aliveUntil(core.call()),
    isOver: false,
    isDetached: false,
    dropCode: undefined,
  }
}

/** Whether a caller that has read `reading` may be given what this load returns. */
function canShare(plain: boolean, load: Load, reading: Found | undefined, startsAtArrival: number): boolean {
  const { isOver, startNumber, lease, aliveUntilMs } = load
  const { token, versions } = lease
  if (isOver || aliveUntilMs <= now()) return false
  if (!startNumber) return true
  // Without a lease, nothing in the store shows that the load is still valid: it is for those who came before it started.
  if (!token) return plain || ((!reading || lease.isBeside) && startsAtArrival < startNumber)
  if (!versions || reading?.entry?.lease !== token || reading.generation !== versions.generation) return false
  for (const [tag, version] of versions.tags) if (reading.tags.get(tag) !== version) return false
  return true
}

/** Whether a read has shown the load's lease, and that the versions it has captured are no longer current. */
function isOutdated({ isOver, lease }: Load, { reading, knownVersions }: JoinRequest): boolean {
  const { token, versions } = lease
  if (isOver || !token || !versions || knownVersions !== versions || reading?.entry?.lease !== token) return false
  if (reading.generation !== versions.generation) return true
  for (const [tag, version] of versions.tags) {
    if (reading.tags.has(tag) && reading.tags.get(tag) !== version) return true
  }
  return false
}
