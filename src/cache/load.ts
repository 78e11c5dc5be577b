import { type ErrorCode, HitherError, isHitherError } from '../errors.ts'
import type { NearEntry } from '../near/local-tier.ts'
import { type Duration, toMs } from '../protocol/duration.ts'
import { type Entry, NO_VALUE, NONE } from '../protocol/entry.ts'
import { after, BUDGET_MS, MORTAL } from '../runtime/background.ts'
import { NEVER, now, setQuietTimer, setTimer, sleep } from '../runtime/clock.ts'
import { type Limit, within } from '../runtime/deadline.ts'
import { random, randomId } from '../runtime/random.ts'
import type { Call } from '../store/store.ts'
import { type Coded, type Core, type Emit, invalid, type Life, nothing } from './core.ts'
import type { Found } from './look.ts'
import { conform, conformLoaded, type Schema } from './schema.ts'
import type { GetOrSetOptions, LoadContext, Loader, WaitUntil } from './types.ts'
import { type Context, checkTags, dropHints, isSameTag, parseTags, type Space } from './versions.ts'

/** No load was needed, or none is any more: look into the store again. */
export interface Again {
  /** The entry that the store's own clock has just called fresh, if any. */
  readonly liveId: string
  /** A load has failed a moment ago, and shares that with those who ask for it. */
  readonly failed?: boolean
}

/** One run of a loader, or the wait for the one that another process has begun. */
export interface Load {
  /** Undefined: the loader answered undefined. */
  result: Promise<Coded | Again | undefined>
  /** The lease it runs under; `''`: none. */
  token: string
  /** What it was begun under. */
  context?: Context
  /** Its loader runs, so that only who has seen its lease may join; the number of that start. */
  started?: number
  over?: boolean
  /** The id of the copy that its lease was taken on; `''`: there was none. */
  copyId: string
  /** The running load whose lease it may find standing, while it asks for its own. */
  before: Load | undefined
  /** Its key was deleted or written: its value is for its own callers only. */
  detached?: boolean
  /** It goes on when every caller has left: its value will be stored. */
  kept: boolean | undefined
  /** A caller has asked that it goes on when all have left. */
  finishes: boolean | undefined
  waiters: number
  /** When it is taken for dead, in epoch ms: its request may have ended without a word. */
  untilMs: number
  /** `core.heard` when it began. */
  readonly heard: number
  /** The call that has begun it. */
  readonly job: LoadJob
  readonly ticket: number | undefined
  /** Why its value is not stored, where nobody asked for that; `''`: its caller did. */
  unstored: ErrorCode | '' | undefined
  /** Its unguarded write, under way. */
  filling?: Promise<unknown>
  readonly stop: AbortController
  /** It loads beside the holder of the lease, since the load it waited for ended without a value: it stores nothing. */
  beside?: boolean
  /** Stops the timer that renews its lease, and lets its other one keep no process alive. */
  quiet?: () => void
  /** What callers of this load share whose own deadline has passed, by `onDeadline`. */
  late?: Load
}

/** The options of a load, checked. */
export interface LoadPlan {
  readonly options: GetOrSetOptions
  readonly life: Life
  readonly tags: readonly string[]
  readonly hardMs: number
  readonly softMs: number
  /** How long a stale copy is served after a failure, without another try. */
  readonly backoffMs: number
  /** How long a failure is shared with other processes; 0: not at all. */
  readonly shareMs: number
  /** How long what is read is kept near at the most. */
  readonly nearMs: number
  readonly schema: Schema | undefined
  readonly migrate: GetOrSetOptions['migrate']
}

export interface LoadJob extends Omit<LoadPlan, 'softMs'>, Omit<ReadThrough, 'core' | 'loads'> {
  /** The stored key. */
  readonly to: string
  /** The caller's. */
  readonly key: string
  readonly loader: Loader<unknown>
  /** How many loaders had been started when its caller came. */
  readonly arrived: number
  /** What the caller's own read has shown; undefined: the store did not answer it. */
  readonly seen?: Found | undefined
  /** What the running load was known to be begun under before that read was sent. */
  readonly knew?: Context | undefined
  /** The id of an entry that shall count as gone. */
  readonly dead?: string | undefined
  /** Loads although there is a fresh value. */
  readonly early?: boolean
  /** No caller waits. */
  readonly background?: boolean
  /** Told once, when it is known whether this load runs its loader now or waits for another's. */
  readonly onTurn?: ((waits: boolean) => void) | undefined
}

/** What decides whether a caller may share a running load. */
export type Arrival = Pick<LoadJob, 'to' | 'seen' | 'arrived' | 'knew' | 'background' | 'onTurn'> & {
  readonly finishes?: boolean | undefined
}

export interface Loads {
  /** The running load this caller may share, or a new one of the job it makes. The caller leaves it by `leave`. */
  enter(caller: Arrival, make: () => LoadJob): Load
  /** A load of its own: shared with nobody, stored nowhere. */
  alone(job: LoadJob): Load
  /** A load for callers whose own deadline has passed: shared by those of `load`, or who came before it; stored nowhere. */
  late(load: Load | undefined, caller: Arrival, make: () => LoadJob): Load
  leave(load: Load): void
  /** How many loaders have been started: by what it was when a caller came, that one may share a load without a lease. */
  starts(): number
  /** Whether a caller that came at `arrived`, and whose own read has shown `seen`, may share this load. */
  mayJoin(load: Load, seen: Found | undefined, arrived: number): boolean
  /** Lets a load go on without its callers, as long as the runtime lets it; false: nothing would keep it. */
  goOn(load: Load, job: Pick<LoadJob, 'emit' | 'waitUntil'>): boolean
  /** Parts a running load from its key: its callers get its value, nobody else does. Resolves when nothing of it is on its way. */
  detach(stored: string): Promise<unknown> | undefined
  /** What the running load was begun under: a caller must have read those tags to join it. */
  contextOf(stored: string): Context | undefined
  /** Lets running loads end within a second, then gives the leases of the others back. */
  close(): Promise<void>
}

/** A value that was decoded, be it undefined. */
export interface Box {
  readonly value: unknown
}

/** What a read-through needs of its view. */
export interface ReadThrough {
  readonly core: Core
  readonly loads: Loads
  readonly space: Space
  readonly emit: Emit
  readonly waitUntil: WaitUntil | undefined
  /** What the near tier holds, fresh or in grace, of values that this schema has checked. */
  held(key: string, schema?: Schema): NearEntry | undefined
  /** Counts and tells that a value was given out. */
  served(as: 'hit' | 'stale'): void
  /**
   * The value of a usable entry, in a box; undefined when it cannot be decoded, or its schema refuses it. Counts and
   * tells, `as` what; kept near, by what was found and for as long as the plan allows. Rejects past the limit.
   */
  open(
    to: string,
    entry: Entry,
    limit: Limit,
    as?: 'hit' | 'stale',
    use?: Use,
  ): Box | undefined | Promise<Box | undefined>
  /** Keeps near what the store has not confirmed; given out while `stands` answers true. */
  keep(
    key: string,
    coded: Coded,
    life: Life,
    tags: readonly string[],
    ticket: number | undefined,
    stands?: () => boolean,
    schema?: Schema,
  ): Promise<void>
  miss(): void
}

/** For what an entry is opened. */
export interface Use {
  /** The caller's. */
  readonly key: string
  readonly found: Pick<Found, 'atMs' | 'ticket' | 'status'>
  readonly plan?: Pick<LoadPlan, 'nearMs' | 'schema' | 'migrate'> | undefined
}

const MAX_LOADS = 10_000
const FIRST_POLL_MS = 4
const LAST_POLL_MS = 250
const LEASE_MARGIN_MS = 1000
/** A load that still asks for its lease says so with every command. */
const aliveUntil = ({ deadline = NEVER }: Call): number => deadline + LEASE_MARGIN_MS
/** The longest lease where a timer renews it, at each third: what a process that dies costs the others. */
const RENEWED_MS = 6000
const RENEWED_LEASE_MS = MORTAL ? NEVER : RENEWED_MS
/** How much longer than its own loader may run a follower waits for another's: its lease has run out by then. */
const PATIENCE_MARGIN_MS = 2 * LEASE_MARGIN_MS

/** What the step `lease` replies, with the store's time in second place. */
type LeaseReply =
  | readonly ['held', number, copyId: string]
  | readonly ['live', number, id: string]
  | readonly ['failed', number]
  | readonly ['busy', number, holder: string, leftMs: number, after: number]
const RELEASE_PAUSES_MS = [50, 200, 800]
/** How long `close` lets loads run before it gives their leases back, in milliseconds. */
const CLOSE_MS = 1000

export function createLoads(core: Core): Loads {
  const { plain, stats, background, versions } = core
  /** Of a call without a `hardTimeout` of its own, whatever the runtime. */
  const longestLeaseMs = Math.max(core.hardTimeoutMs + LEASE_MARGIN_MS, RENEWED_MS)
  const loads = new Map<string, Load>()
  /** Every load that holds something: those that were detached, too. */
  const running = new Set<Load>()
  /** By key, what callers past their own deadline share. */
  const lates = new Map<string, Load>()
  let starts = 0

  const mayJoin: Loads['mayJoin'] = (load, seen, arrived) => {
    const { over, started, token, context } = load
    if (over || load.untilMs <= now()) return false
    if (!started) return true
    // Without a lease nothing tells that it still stands: it is for those who came before it.
    if (!token) return plain || ((!seen || !!load.beside) && arrived < started)
    if (!context || seen?.entry?.lease !== token || seen.generation !== context.generation) return false
    for (const [tag, version] of context.tags) if (seen.tags.get(tag) !== version) return false
    return true
  }
  /** Whether a read has shown the load's lease, and that what the load is known to be begun under is no more. */
  const isOutdated = ({ over, token, context }: Load, { seen, knew }: Arrival): boolean => {
    if (over || !token || !context || knew !== context || seen?.entry?.lease !== token) return false
    if (seen.generation !== context.generation) return true
    for (const [tag, version] of context.tags) if (seen.tags.has(tag) && seen.tags.get(tag) !== version) return true
    return false
  }

  const leave = (to: string, load: Load): void => {
    if (loads.get(to) === load) loads.delete(to)
    stats.inFlight = loads.size
  }

  const telling =
    (emit: Emit) =>
    (error: unknown): void =>
      emit({ type: 'background-error', code: isHitherError(error) ? error.code : undefined })

  /** Sees to the end of `work`, which no caller waits for where something keeps it. */
  const settle = async ({ emit, waitUntil }: LoadJob, work: Promise<unknown>): Promise<void> => {
    const tell = telling(emit)
    const told = work.catch((error: unknown) => core.isFault(error, emit) || tell(error))
    if (!background.add(told, waitUntil, tell)) await told
  }

  /**
   * Gives a lease back; when the store is away, some more times, for which nobody waits. `inDoubt`: the request for the
   * lease was given up, and may reach the store after this one. `fail` and `gone` leave word that the load ended without
   * a value, and share its failure for `shareMs`; `gone` deletes the copy as well.
   */
  const release = (
    job: LoadJob,
    token: string,
    inDoubt = false,
    verb: 'release' | 'fail' | 'gone' = 'release',
    shareMs = 0,
  ): Promise<void> => {
    const once = async (): Promise<boolean> => {
      const held = await core.step('repeat', job.to, [verb, '', token, shareMs], core.call())
      return held === 1 || !inDoubt
    }
    const again = async (): Promise<void> => {
      for (const pause of RELEASE_PAUSES_MS) {
        await sleep(pause)
        if (await once().catch(() => false)) return
      }
    }
    const more = (): boolean => background.add(again(), job.waitUntil, nothing)
    const first = once().then(
      (done) => {
        if (!done) more()
      },
      (error: unknown) => {
        more()
        throw error
      },
    )
    return settle(job, first)
  }

  const leaseMs = ({ hardMs }: LoadJob): number => Math.min(hardMs + LEASE_MARGIN_MS, RENEWED_LEASE_MS)

  /** Keeps a lease that is shorter than its load may run, until the returned function is called. */
  const renew = (job: LoadJob, load: Load): (() => void) => {
    const ms = leaseMs(job)
    if (!load.token || ms > job.hardMs) return nothing
    let cancel = nothing
    let ended = false
    const later = (): void => {
      if (!ended) cancel = setTimer(once, ms / 3)
    }
    const once = (): void => {
      core.step('repeat', job.to, ['lease', '', load.token, ms, 2], core.call()).then((held) => {
        // Once somebody has ended it, there is none to keep.
        if (held === 1) later()
      }, later)
    }
    later()
    return () => {
      ended = true
      cancel()
    }
  }

  /**
   * Asks for the lease, and in the same wave, the first time, for the versions. The answer is the lease's. `followed`: the
   * holder that was waited for; `tooLong`: its lease is to be taken over.
   */
  const ask = async (
    job: LoadJob,
    load: Load,
    token: string,
    followed: string | undefined,
    tooLong: boolean,
  ): Promise<LeaseReply> => {
    const call = core.call()
    load.untilMs = aliveUntil(call)
    const sentMs = now()
    const shares = Number(job.shareMs > 0 && !job.early)
    const args = [
      'lease',
      job.dead ?? '',
      token,
      leaseMs(job),
      Number(!!job.early),
      tooLong ? (followed ?? '') : '',
      shares,
    ]
    const leasing = core.step('once', job.to, args, call).then((reply) => {
      core.clock.note(sentMs, (reply as LeaseReply)[1])
      return reply as LeaseReply
    })
    // Longer than the load may run: its fill renews them for as long as its entry lives.
    const lifeMs = job.life.lifeMs + job.hardMs
    const context =
      load.context ?? versions.capture(job.space, job.tags, call, { lifeMs, generation: job.seen?.generation })
    const [answer, captured] = await Promise.all([leasing, context])
    load.context = captured
    const held = answer[0] === 'held'
    // They may have been ended while another held the lease.
    if (followed !== undefined && held) load.context = await versions.capture(job.space, job.tags, call, { lifeMs })
    if (held) load.copyId = answer[2]
    return answer
  }

  /** Undefined once the lease is held, or when there is none to hold. */
  const lease = async (job: LoadJob, load: Load, before: Load | undefined): Promise<Again | undefined> => {
    const token = randomId()
    // Nobody waits for a load whose value nobody may be given.
    if (before?.detached && before.token && !before.over) await release(job, before.token)
    let followed: string | undefined
    let tooLong = false
    // By what was slept, whatever is done to the clock.
    let sleptMs = 0
    for (let waitedMs = 0; ; ) {
      let reply: LeaseReply
      try {
        reply = await ask(job, load, token, followed, tooLong)
      } catch (error) {
        // It may hold after all: nobody shall wait for it.
        void release(job, token, true)
        if (!core.isFault(error, job.emit)) throw error
        return undefined
      }
      if (reply[0] === 'held') {
        load.token = token
        return undefined
      }
      if (reply[0] === 'live') return { liveId: reply[2] }
      if (reply[0] === 'failed') return { liveId: '', failed: true }
      const [, , holder, leftMs, after] = reply
      const stands =
        before?.token === holder &&
        !before.over &&
        !before.detached &&
        before.untilMs > now() &&
        loads.get(job.to) === load
      // It stands: let each caller see so with a read of its own, those too that came while this was asked.
      if (stands) loads.set(job.to, before)
      // A refresh ahead of time that another process has begun needs no second one.
      if (stands || job.background) return { liveId: '' }
      job.onTurn?.(true)
      const isNext = followed !== undefined && holder !== followed
      // The load it waited for ended without a value, and another has the lease by now: it does not queue behind that one.
      // Or a lease outlasts what a load may take.
      if ((isNext && after) || sleptMs > job.hardMs + PATIENCE_MARGIN_MS) {
        if (isNext || tooLong || leftMs <= longestLeaseMs) {
          load.beside = true
          load.unstored = ''
          return undefined
        }
        // Nobody's lease lasts so long: its holder is none.
        tooLong = true
        followed = holder
        continue
      }
      // So that what a follower waits in vain stays a small part of what the load takes.
      // The wait for another holder begins anew.
      if (holder !== followed) waitedMs = 0
      followed = holder
      const pauseMs = Math.min(Math.max(FIRST_POLL_MS, waitedMs / 12), LAST_POLL_MS) * (0.75 + random() / 2)
      waitedMs += pauseMs
      sleptMs += pauseMs
      await sleep(Math.min(leftMs + 1, pauseMs), load.stop.signal)
    }
  }

  const run = async (job: LoadJob, load: Load, leased: boolean, before: Load | undefined): Load['result'] => {
    const { to, key, emit, seen, life, options, hardMs, background = false } = job
    const again = leased && (await lease(job, load, before))
    if (again) return again
    const { stop } = load
    const { signal } = stop
    if (
      before?.started &&
      !before.token &&
      !load.token &&
      !load.beside &&
      !plain &&
      !before.over &&
      before.heard === core.heard
    ) {
      // Nothing was heard of the store meanwhile. One at a time, as with a lease; who has waited may share the next.
      job.onTurn?.(true)
      await within(after(before.result.catch(nothing)), { signals: [signal], deadline: NEVER })
      return { liveId: '' }
    }
    const giveUp = async (verb?: 'fail' | 'gone', shareMs?: number): Promise<void> => {
      if (load.token) await release(job, load.token, false, verb, shareMs)
    }
    if (signal.aborted) {
      await giveUp()
      throw signal.reason
    }
    load.before = undefined
    load.started = ++starts
    stats.loads++
    const unhold = renew(job, load)
    let cancel = nothing
    const at = now()
    load.untilMs = at + hardMs + LEASE_MARGIN_MS
    const tell = (ok: boolean): void => emit({ type: 'load', durationMs: Math.max(0, now() - at), ok })
    const wish: Wish = { life, tags: [] }
    // As it would be with a ttl, where there is none.
    const graceMs = core.life({ ...options, ttl: 1 }).lifeMs - 1
    let coded: Coded | undefined
    try {
      const late = new HitherError('TIMEOUT', 'the loader ran longer than hardTimeout', { retryable: true })
      const expire = (): void => stop.abort(late)
      cancel = setTimer(expire, hardMs)
      load.quiet = () => {
        unhold()
        cancel()
        cancel = setQuietTimer(expire, at + hardMs - now())
      }
      const work = (async () => {
        const previous = await previousOf(job, load)
        // Awaited here: workerd reports a rejected promise that is only handed on.
        const context = { key, signal, previous, background, ...wishes(wish, previous, job, graceMs) }
        const value = await core.background.start(load, () => job.loader(context))
        const { negativeTtl } = options
        if (value === null && negativeTtl !== undefined && !wish.timed)
          wish.life = core.life({ ...options, ttl: negativeTtl })
        // What it answers after all is not what it had before.
        wish.keep &&= value === previous?.value
        if (!wish.skip && !wish.uncached) {
          checkTags([...new Set([...(options.tags ?? []), ...wish.tags])], wish.life.lifeMs)
        }
        if (wish.keep) return seen?.entry
        if (value === undefined) return undefined
        const { schema } = job
        return await core.encode(schema ? await conformLoaded(schema, value) : value, to)
      })()
      coded = await within(work, { signals: [signal], deadline: NEVER })
    } catch (error) {
      stats.loadErrors++
      // A load that everybody has left did not fail.
      if (job.backoffMs && !load.over) core.failures.set(to, true, job.backoffMs)
      tell(false)
      // A load that everybody has left says nothing of the source: the next one holds the lease as this one did.
      await (load.over ? giveUp() : giveUp('fail', job.shareMs))
      throw error
    } finally {
      cancel()
      unhold()
    }
    core.failures.delete(to)
    tell(true)
    const isStored = coded && !wish.skip && !wish.uncached
    if (load.detached) await giveUp()
    else if (!isStored) await giveUp(coded || wish.skip ? 'fail' : 'gone')
    if (coded && isStored) await fill(job, load, coded, wish, at)
    return coded
  }

  /** The stale copy, where the lease was taken on that very one: anything else has been written or deleted since. */
  const previousOf = async ({ seen, to, schema }: LoadJob, load: Load): Promise<LoadContext['previous']> => {
    if (plain || !seen?.entry || seen.status === 'absent') return undefined
    const { context } = load
    if (!context || seen.entry.id !== load.copyId || seen.generation !== context.generation) return undefined
    for (const [tag, version] of parseTags(seen.entry.tags)) {
      const current = context.tags.get(tag)
      if (current !== undefined && !isSameTag(current, version)) return undefined
    }
    try {
      const value = await core.decode(seen.entry, to)
      if (schema && !(await conform(schema, value))) return undefined
      return { value, age: Math.max(0, Math.floor(core.clock.now() - seen.entry.writtenMs)) }
    } catch {
      return undefined
    }
  }

  const fill = async (job: LoadJob, load: Load, coded: Coded, wish: Wish, startedMs: number): Promise<void> => {
    const { to, emit, space } = job
    const { token } = load
    const dropped = (code: ErrorCode): void => emit({ type: 'write-dropped', code })
    const refused = (): void => emit({ type: 'fill-refused' })
    if (load.unstored !== undefined) return load.unstored ? dropped(load.unstored) : undefined
    // A plain key has no lease to refuse it: a write that came first ends before.
    if (plain) for (let before = core.before(to); before; before = core.before(to)) await before
    if (load.detached) return refused()
    if (!token && !plain) {
      const { heard, ticket } = load
      // It stands for what nobody else can have changed since: nothing has been heard of the store.
      const stands = (): boolean => heard === core.heard
      if (stands()) await job.keep(job.key, coded, wish.life, [...job.tags, ...wish.tags], ticket, stands, job.schema)
      return dropped('STORE_UNAVAILABLE')
    }
    const { generation, tags: captured } = load.context ?? { generation: NONE, tags: [] }
    const tags = new Map(captured)
    let form = coded
    for (const tag of wish.tags) {
      const version = tags.get(tag) ?? versions.recall(space.tag(tag), startedMs)
      if (version === undefined) form = { mark: NO_VALUE, payload: '' }
      tags.set(tag, version ?? '')
    }
    dropHints(tags, [...(job.options.tags ?? []), ...wish.tags])
    // What is kept is as old as it was: a version that has ended since ends it too.
    for (const [tag, version] of parseTags((wish.keep && job.seen?.entry?.tags) || '')) {
      const current = tags.get(tag) || versions.recall(space.tag(tag), startedMs)
      tags.set(tag, current !== undefined && isSameTag(current, version) ? current : version)
    }
    const { freshMs, lifeMs } = wish.life
    const less = Math.floor(freshMs * (job.options.jitter ?? 0) * random())
    const life = { freshMs: freshMs - less, lifeMs: lifeMs - less }
    // What is stored does not outlive its tags. Where this fails it may, and is then a miss.
    if (!plain) versions.renew(space, [...tags.keys()], core.call(), lifeMs).catch(nothing)
    const sentMs = now()
    const written = core
      .write('fill', to, form, life, { generation, tags }, core.call(), now() - startedMs, token || NONE)
      .then(
        (done) => {
          if (Number(done) > 1) core.clock.note(sentMs, Number(done))
          if (done === 0 || form !== coded) refused()
        },
        async (error: unknown) => {
          dropped(isHitherError(error) ? error.code : 'STORE_UNAVAILABLE')
          if (token) await release(job, token, false, 'fail')
        },
      )
    core.fill(to, written)
    if (!plain) return settle(job, written)
    // No lease keeps it from landing after what is written to the key next.
    load.filling = written
    await written
  }

  const begin = (job: LoadJob, leased: boolean, before?: Load, unstored?: Load['unstored']): Load => {
    const load: Load = {
      result: Promise.resolve(undefined),
      token: '',
      copyId: '',
      before,
      unstored,
      kept: job.background,
      finishes: job.options.finish,
      waiters: 1,
      untilMs: aliveUntil(core.call()),
      heard: core.heard,
      job,
      ticket: core.near?.begin(),
      stop: new AbortController(),
    }
    running.add(load)
    load.result = run(job, load, leased, before).finally(() => {
      load.over = true
      running.delete(load)
      load.before = undefined
      leave(job.to, load)
      job.onTurn?.(true)
    })
    // Whoever waits is told; nobody may be left.
    const ended = load.result.catch(nothing)
    // Others may follow it when its own request has ended.
    if (MORTAL) background.add(ended, job.waitUntil, telling(job.emit), load)
    return load
  }

  const end = (load: Load, reason: unknown): void => {
    load.over = true
    try {
      load.stop.abort(reason)
    } catch {
      // A runtime may keep what one request has made from another's hands: it ends by itself.
    }
  }

  const alone = (job: LoadJob, unstored: ErrorCode | '' = ''): Load => {
    const load = begin(job, false, undefined, unstored)
    load.detached = true
    return load
  }

  const goOn: Loads['goOn'] = (load, { emit, waitUntil }) => {
    const ended = load.result.catch(nothing)
    if (!background.add(ended, waitUntil, telling(emit), load)) return false
    if (!load.kept && MORTAL) {
      const late = new HitherError('TIMEOUT', 'the loader ran longer than work may after an answer', {
        retryable: true,
      })
      const cancel = setTimer(() => load.waiters > 0 || end(load, late), BUDGET_MS)
      void ended.then(cancel)
    }
    load.kept = true
    return true
  }

  return {
    enter(caller, make) {
      const { to, seen, arrived } = caller
      const running = loads.get(to)
      if (running && mayJoin(running, seen, arrived)) {
        if (!caller.background) stats.joined++
        running.waiters++
        running.finishes ||= caller.finishes
        caller.onTurn?.(true)
        return running
      }
      // A plain one that is replaced has been given up: nothing would keep its value from landing late.
      if (running && (plain || isOutdated(running, caller))) running.detached = true
      for (const [key, { untilMs }] of loads) {
        if (loads.size < MAX_LOADS || untilMs > now()) break
        loads.delete(key)
      }
      if (loads.size >= MAX_LOADS) return alone(make(), 'OVERLOADED')
      const load = begin(make(), !plain && !!seen, running)
      loads.set(to, load)
      stats.inFlight = loads.size
      return load
    },
    alone: (job) => alone(job),
    starts: () => starts,
    mayJoin,
    late(load, caller, make) {
      const { to, arrived } = caller
      const known = load ? load.late : lates.get(to)
      // Of one load's callers each may have what was loaded after that one began; others, what began after they came.
      if (known && !known.over && (load || arrived < (known.started ?? NEVER))) {
        stats.joined++
        known.waiters++
        return known
      }
      const own = alone(make())
      if (load) load.late = own
      else lates.set(to, own)
      void own.result.catch(nothing).then(() => {
        if (lates.get(to) === own) lates.delete(to)
      })
      return own
    },
    leave(load) {
      if (--load.waiters > 0 || load.over || load.kept) return
      if (load.finishes && goOn(load, load.job)) return
      end(load, new DOMException('every caller of this load has left', 'AbortError'))
    },
    goOn,
    detach(to) {
      const load = loads.get(to)
      if (!load) return undefined
      load.detached = true
      leave(to, load)
      return load.filling
    },
    contextOf(to) {
      const load = loads.get(to)
      // One that still asks may find the lease standing, and make way for what it has replaced.
      return load?.context ?? load?.before?.context
    },
    async close() {
      const mine = (): Load[] => [...running].filter(({ kept }) => !kept)
      const ended = Promise.all(mine().map(({ result }) => result.catch(nothing)))
      if (mine().length > 0) await within(ended, { signals: [], deadline: now() + CLOSE_MS }).catch(nothing)
      const closed = new HitherError('CLOSED', 'the cache was closed')
      const giveBack = (load: Load): Promise<unknown> | undefined => {
        const { token, job, started } = load
        // It waits for another's lease, which nobody may look at any more.
        if (!started) {
          end(load, closed)
          return load.result.catch(nothing)
        }
        load.quiet?.()
        load.detached = true
        load.token = ''
        leave(job.to, load)
        running.delete(load)
        background.leave(load)
        return token ? release(job, token) : undefined
      }
      await Promise.all(mine().map(giveBack)).catch(nothing)
    },
  }
}

/** What a loader asked for beside its value. */
interface Wish {
  life: Life
  /** It named a lifetime. */
  timed?: boolean
  tags: readonly string[]
  keep?: boolean
  skip?: boolean
  /** It named a lifetime of none. */
  uncached?: boolean
}

function wishes(
  wish: Wish,
  previous: LoadContext['previous'],
  { options: { tags: named = [] } }: LoadJob,
  graceMs: number,
): Omit<LoadContext, 'key' | 'signal' | 'previous' | 'background'> {
  return {
    setTtl(ttl: Duration, grace: Duration = graceMs) {
      // What has been loaded is not lost for a lifetime that is none, such as of `max-age=0`, or not in a header.
      const length = (given: Duration): number =>
        typeof given === 'number' && !(given > 0) ? 0 : toMs(given, 'setTtl', 0)
      const freshMs = length(ttl)
      wish.life = { freshMs, lifeMs: freshMs + length(grace) }
      wish.uncached = freshMs === 0
      wish.timed = true
    },
    setTags(tags) {
      const all = [...wish.tags, ...checkTags(tags)]
      checkTags([...new Set([...named, ...all])])
      wish.tags = all
    },
    notModified() {
      if (!previous) throw invalid('notModified() needs a previous value')
      wish.keep = true
      return previous.value as never
    },
    skip(value) {
      wish.skip = true
      return value
    },
    fail(reason = new Error('the loader failed')) {
      throw reason
    },
  }
}
