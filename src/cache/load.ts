import { type ErrorCode, HitherError, isHitherError } from '../errors.ts'
import { type Duration, toMs } from '../protocol/duration.ts'
import { NO_VALUE, NONE } from '../protocol/entry.ts'
import { now, setTimer, sleep } from '../runtime/clock.ts'
import { within } from '../runtime/deadline.ts'
import { random, randomId } from '../runtime/random.ts'
import { type Coded, type Core, type Emit, invalid, type Life, nothing, type Space } from './core.ts'
import type { Found } from './look.ts'
import type { GetOrSetOptions, LoadContext, Loader, WaitUntil } from './types.ts'
import { type Context, checkTags, TAG_LIFE_MS } from './versions.ts'

/** No load was needed, or none is any more: look into the store again. */
export interface Again {
  /** The entry that the store's own clock has just called fresh, if any. */
  readonly liveId: string
}

/** One run of a loader, or the wait for the one that another process has begun. */
export interface Load {
  /** Undefined: the loader answered undefined. */
  result: Promise<Coded | Again | undefined>
  /** The lease it runs under; `''`: none. */
  token: string
  /** What it was begun under. */
  context: Context | undefined
  /** Its loader runs, so that only who has seen its lease may join. */
  started: boolean
  over: boolean
  /** Its key was deleted or written: its value is for its own callers only. */
  detached: boolean
  /** It goes on when every caller has left: its value will be stored. */
  kept: boolean
  waiters: number
  /** Why its value is not stored, where nobody asked for that. */
  unstored: ErrorCode | undefined
  /** Its unguarded write, under way. */
  filling: Promise<unknown> | undefined
  readonly stop: AbortController
}

export interface LoadJob {
  readonly space: Space
  /** The stored key. */
  readonly stored: string
  /** The caller's. */
  readonly key: string
  readonly loader: Loader<unknown>
  readonly life: Life
  readonly tags: readonly string[]
  readonly hardMs: number
  readonly options: GetOrSetOptions
  readonly emit: Emit
  readonly waitUntil: WaitUntil | undefined
  /** What the caller's own read has shown; `away`: the store did not answer it. */
  readonly seen: Found | 'away'
  /** The id of an entry that shall count as gone. */
  readonly dead: string
  /** Loads although there is a fresh value. */
  readonly early: boolean
  /** No caller waits. */
  readonly background: boolean
  /** Told once, when it is known whether this load runs its loader now or waits for another's. */
  readonly onTurn?: ((waits: boolean) => void) | undefined
}

export interface Loads {
  /** The running load this caller may share, or a new one. The caller leaves it by `leave`. */
  enter(job: LoadJob): Load
  /** A load of its own: shared with nobody, stored nowhere. */
  alone(job: LoadJob): Load
  leave(load: Load): void
  /** Parts a running load from its key: its callers get its value, nobody else does. Resolves when nothing of it is on its way. */
  detach(stored: string): Promise<unknown> | undefined
  /** The tags of the running load, which a caller must have read to join it. */
  tagsOf(stored: string): Iterable<string>
}

const MAX_LOADS = 10_000
const FIRST_POLL_MS = 4
const LAST_POLL_MS = 250
const LEASE_MARGIN_MS = 1000

export function createLoads(core: Core): Loads {
  const { plain, stats, background, versions } = core
  const loads = new Map<string, Load>()

  const mayJoin = (load: Load, seen: Found | 'away'): boolean => {
    if (load.over) return false
    if (!load.started) return true
    if (load.token === '') return plain || seen === 'away'
    const { context } = load
    if (seen === 'away' || seen.entry?.lease !== load.token || !context || seen.generation !== context.generation)
      return false
    for (const [tag, version] of context.tags) if (seen.tags.get(tag) !== version) return false
    return true
  }

  const forget = (stored: string, load: Load): void => {
    load.over = true
    if (loads.get(stored) === load) loads.delete(stored)
    stats.inFlight = loads.size
  }

  const release = (job: LoadJob, token: string): Promise<unknown> =>
    core.step('repeat', job.stored, ['release', '', token], core.call())

  const settle = async (job: LoadJob, work: Promise<unknown>): Promise<void> => {
    const tell = (error: unknown): void =>
      job.emit({ type: 'background-error', code: isHitherError(error) ? error.code : undefined })
    const told = work.catch((error: unknown) => {
      if (!core.isFault(error, job.emit)) tell(error)
    })
    try {
      background.add(told, job.waitUntil)
    } catch (error) {
      // A runtime's waitUntil throws once its request is over. The work goes on, tracked.
      tell(error)
    }
    if (!job.waitUntil) await told
  }

  /** Asks for the lease, and in the same wave, the first time, for the versions. The answer is the lease's. */
  const ask = async (job: LoadJob, load: Load, token: string): Promise<unknown> => {
    const call = core.call()
    const { space, tags, seen } = job
    const args = ['lease', job.dead, token, job.hardMs + LEASE_MARGIN_MS, Number(job.early)]
    const leasing = core.step('repeat', job.stored, args, call)
    if (load.context) return leasing
    const capturing = Promise.all([
      (seen !== 'away' && seen.generation) || versions.capture(space.generation, 16, 0, call),
      ...tags.map((tag) => versions.capture(space.tag(tag), 32, TAG_LIFE_MS, call)),
    ])
    const [reply, [generation, ...captured]] = await Promise.all([leasing, capturing])
    load.context = { generation, tags: new Map(tags.map((tag, i) => [tag, captured[i] as string])) }
    return reply
  }

  /** Undefined once the lease is held, or when there is none to hold. */
  const lease = async (
    job: LoadJob,
    load: Load,
    before: Load | undefined,
  ): Promise<{ other: Load['result'] } | undefined> => {
    const token = randomId()
    for (let pause = FIRST_POLL_MS; ; pause = Math.min(pause * 1.4, LAST_POLL_MS)) {
      let reply: unknown
      try {
        reply = await ask(job, load, token)
      } catch (error) {
        if (!core.isFault(error, job.emit)) throw error
        // It may hold after all: nobody shall wait for it.
        void settle(job, release(job, token))
        return undefined
      }
      if (reply === 1) {
        load.token = token
        return undefined
      }
      if (typeof reply === 'string') return { other: Promise.resolve({ liveId: core.parse(reply)?.id ?? '' }) }
      const [holder, leftMs] = reply as [string, number]
      if (before?.token === holder && !before.over && !before.detached && loads.get(job.stored) === load) {
        // It stands: let each caller see so with a read of its own, those too that came while this was asked.
        loads.set(job.stored, before)
        return { other: Promise.resolve({ liveId: '' }) }
      }
      // A refresh ahead of time that another process has begun needs no second one.
      if (job.background) return { other: Promise.resolve({ liveId: '' }) }
      job.onTurn?.(true)
      await sleep(Math.min(leftMs + 1, pause * (0.5 + random())), load.stop.signal)
    }
  }

  const run = async (job: LoadJob, load: Load, leased: boolean, before: Load | undefined): Load['result'] => {
    const { stored, emit, seen, options } = job
    const outcome = leased ? await lease(job, load, before) : undefined
    if (outcome) return outcome.other
    const { stop } = load
    const giveUp = async (): Promise<void> => {
      if (load.token) await settle(job, release(job, load.token))
    }
    if (stop.signal.aborted) {
      await giveUp()
      throw stop.signal.reason
    }
    load.started = true
    stats.loads++
    let cancel = nothing
    const at = now()
    const tell = (ok: boolean): void => emit({ type: 'load', durationMs: now() - at, ok })
    let coded: Coded | undefined
    const wish: Wish = { life: job.life, tags: [], keep: false, skip: false }
    try {
      const { signal } = stop
      const late = new HitherError('TIMEOUT', 'the loader ran longer than hardTimeout', { retryable: true })
      cancel = setTimer(() => stop.abort(late), job.hardMs)
      const work = (async () => {
        const previous = await previousOf(job)
        // Awaited here: workerd reports a rejected promise that is only handed on.
        return await job.loader(contextOf(job, signal, previous, wish))
      })()
      const value = await within(work, { signals: [signal], deadline: undefined })
      if (value === null && options.negativeTtl !== undefined) wish.life = lifeFor(core, options, options.negativeTtl)
      if (wish.keep && seen !== 'away' && seen.entry) coded = seen.entry
      else coded = value === undefined ? undefined : await core.encode(value, stored)
    } catch (error) {
      stats.loadErrors++
      tell(false)
      await giveUp()
      throw error
    } finally {
      cancel()
    }
    tell(true)
    if (coded === undefined || load.detached || wish.skip) await giveUp()
    if (coded !== undefined && !wish.skip) await fill(job, load, coded, wish, at)
    return coded
  }

  const previousOf = async (job: LoadJob): Promise<LoadContext['previous']> => {
    const { seen } = job
    const entry = seen !== 'away' && seen.status !== 'absent' ? seen.entry : undefined
    if (!entry || plain) return undefined
    try {
      const value = await core.decode(entry, job.stored)
      return { value, age: Math.max(0, now() - entry.writtenMs) }
    } catch {
      return undefined
    }
  }

  const fill = async (job: LoadJob, load: Load, coded: Coded, wish: Wish, startedMs: number): Promise<void> => {
    const { stored, emit, space } = job
    const { unstored = load.token === '' && !plain && !load.detached ? 'STORE_UNAVAILABLE' : undefined } = load
    if (unstored) return emit({ type: 'write-dropped', code: unstored })
    if (load.detached) return emit({ type: 'fill-refused' })
    let context = load.context ?? { generation: NONE, tags: new Map() }
    let form: Coded = coded
    if (wish.tags.length > 0) {
      const tags = new Map(context.tags)
      for (const tag of wish.tags) {
        const version = tags.get(tag) ?? versions.recall(space.tag(tag), startedMs)
        if (version === undefined) form = { mark: NO_VALUE, payload: '' }
        tags.set(tag, version ?? '')
      }
      context = { ...context, tags }
    }
    const { freshMs, lifeMs } = jittered(wish.life, job.options.jitter)
    const written = core
      .write('fill', stored, form, { freshMs, lifeMs }, context, core.call(), now() - startedMs, load.token || NONE)
      .then(
        (done) => {
          if (done === 0 || form !== coded) emit({ type: 'fill-refused' })
        },
        (error: unknown) =>
          emit({ type: 'write-dropped', code: isHitherError(error) ? error.code : 'STORE_UNAVAILABLE' }),
      )
    if (plain) load.filling = written
    await settle(job, written)
  }

  const begin = (job: LoadJob, leased: boolean, before: Load | undefined): Load => {
    const load: Load = {
      result: Promise.resolve(undefined),
      token: '',
      context: undefined,
      started: false,
      over: false,
      detached: false,
      unstored: undefined,
      kept: job.background,
      waiters: 1,
      filling: undefined,
      stop: new AbortController(),
    }
    load.result = run(job, load, leased, before).finally(() => {
      forget(job.stored, load)
      job.onTurn?.(true)
    })
    // Whoever waits is told; nobody may be left.
    load.result.catch(() => {})
    return load
  }

  const alone = (job: LoadJob, unstored?: ErrorCode): Load => {
    const load = begin(job, false, undefined)
    load.detached = true
    load.unstored = unstored
    return load
  }

  return {
    enter(job) {
      const { stored, seen } = job
      const running = loads.get(stored)
      if (running && mayJoin(running, seen)) {
        if (!job.background) stats.joined++
        running.waiters++
        job.onTurn?.(true)
        return running
      }
      if (loads.size >= MAX_LOADS) return alone(job, 'OVERLOADED')
      const load = begin(job, !plain && seen !== 'away', running)
      loads.set(stored, load)
      stats.inFlight = loads.size
      return load
    },
    alone: (job) => alone(job),
    leave(load) {
      if (--load.waiters > 0 || load.over || load.kept) return
      load.over = true
      load.stop.abort(new DOMException('every caller of this load has left', 'AbortError'))
    },
    detach(stored) {
      const load = loads.get(stored)
      if (!load) return undefined
      load.detached = true
      loads.delete(stored)
      stats.inFlight = loads.size
      return load.filling
    },
    tagsOf: (stored) => loads.get(stored)?.context?.tags.keys() ?? [],
  }
}

/** What a loader asked for beside its value. */
interface Wish {
  life: Life
  tags: readonly string[]
  keep: boolean
  skip: boolean
}

function contextOf(job: LoadJob, signal: AbortSignal, previous: LoadContext['previous'], wish: Wish): LoadContext {
  return {
    key: job.key,
    signal,
    previous,
    background: job.background,
    setTtl(ttl: Duration, grace?: Duration) {
      const freshMs = toMs(ttl, 'setTtl')
      const staleMs = grace === undefined ? job.life.lifeMs - job.life.freshMs : toMs(grace, 'setTtl', 0)
      wish.life = { freshMs, lifeMs: freshMs + staleMs }
    },
    setTags(tags) {
      wish.tags = checkTags(tags, wish.life.lifeMs)
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

function lifeFor(core: Core, options: GetOrSetOptions, ttl: Duration): Life {
  const { ttl: _, ...rest } = options
  return core.life({ ...rest, ttl })
}

function jittered({ freshMs, lifeMs }: Life, jitter = 0): Life {
  const less = Math.floor(freshMs * jitter * random())
  return { freshMs: freshMs - less, lifeMs: lifeMs - less }
}
