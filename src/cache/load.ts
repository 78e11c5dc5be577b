import { HitherError, isHitherError } from '../errors.ts'
import { type Entry, NONE } from '../protocol/entry.ts'
import { now, setTimer, sleep } from '../runtime/clock.ts'
import { within } from '../runtime/deadline.ts'
import { random, randomId } from '../runtime/random.ts'
import type { Coded, Core, Emit, Life } from './core.ts'
import type { Loader, WaitUntil } from './types.ts'

/** One run of a loader, or the wait for the one that another process has begun. */
export interface Load {
  /** Undefined: the loader answered undefined. */
  result: Promise<Coded | Again | undefined>
  /** The lease it runs under; `''`: none. */
  token: string
  /** Its loader runs, so that only who has seen its lease may join. */
  started: boolean
  over: boolean
  /** Its key was deleted or written: its value is for its own callers only. */
  detached: boolean
  waiters: number
  /** Its unguarded write, under way. */
  filling: Promise<unknown> | undefined
  readonly stop: AbortController
}

/** No load was needed, or none is any more: look into the store again. */
export interface Again {
  /** The entry that the store's own clock has just called fresh, if any. */
  readonly liveId: string
}

export interface LoadJob {
  /** The stored key. */
  readonly stored: string
  /** The caller's. */
  readonly key: string
  readonly loader: Loader<unknown>
  readonly life: Life
  readonly hardMs: number
  readonly emit: Emit
  readonly waitUntil: WaitUntil | undefined
  /** What the caller's own read has shown; `away`: the store did not answer it. */
  readonly seen: Entry | undefined | 'away'
  /** The id of an entry that cannot be decoded. */
  readonly dead: string
}

export interface Loads {
  /** The running load this caller may share, or a new one. The caller leaves it by `leave`. */
  enter(job: LoadJob): Load
  leave(load: Load): void
  /** Parts a running load from its key: its callers get its value, nobody else does. Resolves when nothing of it is on its way. */
  detach(stored: string): Promise<unknown> | undefined
}

const MAX_LOADS = 10_000
const FIRST_POLL_MS = 4
const LAST_POLL_MS = 250
const LEASE_MARGIN_MS = 1000

export function createLoads(core: Core): Loads {
  const { plain, stats, background } = core
  const loads = new Map<string, Load>()

  const mayJoin = (load: Load, seen: LoadJob['seen']): boolean =>
    !load.over &&
    (!load.started || (load.token === '' ? plain || seen === 'away' : seen !== 'away' && seen?.lease === load.token))

  const forget = (stored: string, load: Load): void => {
    load.over = true
    if (loads.get(stored) === load) loads.delete(stored)
    stats.inFlight = loads.size
  }

  const release = (job: LoadJob, token: string): Promise<unknown> =>
    core.step('repeat', job.stored, ['release', '', token], core.call())

  const again = async (text: string): Promise<Again> => ({ liveId: core.parse(text)?.id ?? '' })

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
        const args = ['lease', job.dead, token, job.hardMs + LEASE_MARGIN_MS]
        reply = await core.step('repeat', job.stored, args, core.call())
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
      if (typeof reply === 'string') return { other: again(reply) }
      const [holder, leftMs] = reply as [string, number]
      if (before?.token === holder && !before.over && !before.detached && loads.get(job.stored) === load) {
        // It stands: let each caller see so with a read of its own, those too that came while this was asked.
        loads.set(job.stored, before)
        return { other: again('') }
      }
      await sleep(Math.min(leftMs + 1, pause * (0.5 + random())), load.stop.signal)
    }
  }

  const run = async (job: LoadJob, load: Load, leased: boolean, before: Load | undefined): Load['result'] => {
    const { stored, key, loader, emit } = job
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
    const cancel = setTimer(
      () => stop.abort(new HitherError('TIMEOUT', 'the loader ran longer than hardTimeout', { retryable: true })),
      job.hardMs,
    )
    const at = now()
    const tell = (ok: boolean): void => emit({ type: 'load', durationMs: now() - at, ok })
    let coded: Coded | undefined
    try {
      const { signal } = stop
      const value = await within((async () => loader({ key, signal }))(), { signals: [signal], deadline: undefined })
      coded = value === undefined ? undefined : await core.encode(value, stored)
    } catch (error) {
      stats.loadErrors++
      tell(false)
      await giveUp()
      throw error
    } finally {
      cancel()
    }
    tell(true)
    if (coded === undefined || load.detached) await giveUp()
    if (coded !== undefined) await fill(job, load, coded, now() - at)
    return coded
  }

  const fill = async (job: LoadJob, load: Load, coded: Coded, loadMs: number): Promise<void> => {
    const { stored, emit } = job
    if (load.detached) return emit({ type: 'fill-refused' })
    if (load.token === '' && !plain) return emit({ type: 'write-dropped', code: 'STORE_UNAVAILABLE' })
    const written = core.write('fill', stored, coded, job.life, core.call(), loadMs, load.token || NONE).then(
      (done) => {
        if (done === 0) emit({ type: 'fill-refused' })
      },
      (error: unknown) =>
        emit({ type: 'write-dropped', code: isHitherError(error) ? error.code : 'STORE_UNAVAILABLE' }),
    )
    if (plain) load.filling = written
    await settle(job, written)
  }

  return {
    enter(job) {
      const { stored, seen } = job
      const running = loads.get(stored)
      if (running && mayJoin(running, seen)) {
        stats.joined++
        running.waiters++
        return running
      }
      const crowded = loads.size >= MAX_LOADS
      const load: Load = {
        result: Promise.resolve(undefined),
        token: '',
        started: false,
        over: false,
        detached: false,
        waiters: 1,
        filling: undefined,
        stop: new AbortController(),
      }
      load.result = run(job, load, !plain && !crowded && seen !== 'away', running).finally(() => forget(stored, load))
      // Whoever waits is told; nobody may be left.
      load.result.catch(() => {})
      if (!crowded) loads.set(stored, load)
      stats.inFlight = loads.size
      return load
    },
    leave(load) {
      if (--load.waiters > 0 || load.over) return
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
  }
}
