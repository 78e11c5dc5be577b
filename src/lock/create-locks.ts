import { HitherError } from '../errors.ts'
import { checkFlag, checkNames, checkSignal, checkWhole, invalid } from '../protocol/arguments.ts'
import { toMs } from '../protocol/duration.ts'
import { checkNamespace, storedKey } from '../protocol/keys.ts'
import { createBackground, REQUEST_SCOPED } from '../runtime/background.ts'
import { jittered } from '../runtime/backoff.ts'
import { elapsedMs, sleep } from '../runtime/clock.ts'
import { randomId } from '../runtime/random.ts'
import { heldLock } from './held-lock.ts'
import { lockStep } from './operations.ts'
import { confirmedRun, UNMET } from './replicas.ts'
import type { AcquireOptions, Lock, Lockable, Locks, LocksOptions, RunResult } from './types.ts'

const OPTIONS = ['store', 'namespace', 'ttl', 'minReplicas', 'poll']
const ACQUIRE = ['wait', 'signal', 'ttl', 'renew']
/** Most holders of one name: all of them are one stored text. */
const MAX_HOLDERS = 1000
/** Of those who wait without a claim, so many of one process try at full pace; more of them try more rarely, each alike. */
const CROWD = 8
/** How much longer a claim lasts than the pause to the next try: what a try may take. */
const CLAIM_MS = 1000

/**
 * Locks over a store. Throws `UNSUPPORTED` for a store without operations, or without `WAIT` where `minReplicas` asks for
 * it; `INVALID_ARGUMENT`, `INVALID_DURATION` or `INVALID_KEY` for options that make no sense.
 */
export function createLocks(options: LocksOptions): Locks {
  checkNames('createLocks', options ?? null, OPTIONS)
  const { store, namespace = 'lock', ttl = '30s', minReplicas = 0, poll = '50ms' } = options
  if (typeof store?.run !== 'function') throw new HitherError('UNSUPPORTED', 'locks need a store with operations')
  const space = checkNamespace(namespace)
  const defaultMs = toMs(ttl, 'ttl')
  const pollMs = toMs(poll, 'poll')
  const confirmed = checkWhole(minReplicas, 'minReplicas', 0, MAX_HOLDERS)
    ? { run: confirmedRun(store, minReplicas) }
    : store
  const background = createBackground()
  let waiting = 0

  /** Sleeps until the next try. Where a request may end in its sleep, its crowd is not counted. */
  const pauseFor = async (ms: number, signal: AbortSignal | undefined): Promise<void> => {
    if (!REQUEST_SCOPED) waiting++
    try {
      await sleep(ms, signal)
    } finally {
      if (!REQUEST_SCOPED) waiting--
    }
  }

  const acquire = async ({ kind, name, most }: LockPlace, options: AcquireOptions = {}) => {
    const key = storedKey(`:${space}:${kind}`, name)
    checkNames('acquire', options, ACQUIRE)
    const { wait = 0, signal, renew = true, ttl = defaultMs } = options
    const ttlMs = toMs(ttl, 'ttl')
    const end = elapsedMs() + toMs(wait, 'wait', 0)
    let id = randomId()
    let claims = false
    const freeAs = (id: string): Promise<number> => store.run(lockStep, key, ['free', id, 0])
    checkFlag(renew, 'renew')
    checkSignal(signal)
    try {
      for (;;) {
        const sentAt = elapsedMs()
        const claimMs = Math.ceil(Math.max(0, Math.min(end - sentAt, pollMs * 1.5 + CLAIM_MS)))
        const reply = await confirmed.run(lockStep, key, ['take', id, ttlMs, most, claimMs], signal && { signal })
        if (reply > 0 && elapsedMs() < sentAt + ttlMs) {
          return heldLock({
            token: reply,
            sentAt,
            ttlMs,
            renew,
            keep: (leaseMs, call) => confirmed.run(lockStep, key, ['keep', id, leaseMs], call),
            free: () => freeAs(id),
          })
        }
        claims ||= reply < 0
        let left = end - elapsedMs()
        if (reply > 0 || reply === UNMET || (claims && !(left > 0))) {
          // Too late, on too few replicas, or with a claim that would keep others out after this call has given up.
          // Under the old id a release that is sent again could end the next lease.
          await freeAs(id).catch(ignore)
          id = randomId()
          left = end - elapsedMs()
        }
        if (!(left > 0)) return undefined
        const crowd = reply < 0 ? 1 : Math.max(1, waiting / CROWD)
        await pauseFor(Math.min(left, jittered(pollMs) * crowd), signal)
      }
    } catch (error) {
      // The command may have run, or run yet: a lease that nobody knows of would keep everyone out until its end.
      background.add(freeAs(id).catch(ignore), undefined, ignore)
      throw error
    }
  }

  const run: RunAs = async (place, work, options) => {
    if (typeof work !== 'function') throw invalid('run takes the work, a function')
    const lock = await acquire(place, options)
    if (!lock) return { acquired: false }
    try {
      return { acquired: true, value: await work(lock) }
    } finally {
      await lock[Symbol.asyncDispose]()
    }
  }
  const lockable = (place: LockPlace): Lockable => {
    // Throws for a name that makes no key.
    storedKey(`:${space}:${place.kind}`, place.name)
    return {
      acquire: (options) => acquire(place, options),
      run: (work, options) => run(place, work, options),
    }
  }

  const single = (name: string): LockPlace => ({ kind: 'lock', name, most: 1 })
  return {
    acquire: (name, options) => acquire(single(name), options),
    run: (name, work, options) => run(single(name), work, options),
    semaphore(name, options) {
      checkNames('semaphore', options ?? null, ['permits'])
      const most = checkWhole(options.permits, 'permits', 1, MAX_HOLDERS)
      return lockable({ kind: 'semaphore', name, most })
    },
    readWrite: (name) => ({
      read: lockable({ kind: 'read-write', name, most: MAX_HOLDERS }),
      write: lockable({ kind: 'read-write', name, most: 1 }),
    }),
  }
}

/** What is locked, and for how many holders at a time. */
interface LockPlace {
  readonly kind: 'lock' | 'semaphore' | 'read-write'
  readonly name: string
  readonly most: number
}

type RunAs = <T>(
  place: LockPlace,
  work: (lock: Lock) => T | PromiseLike<T>,
  options?: AcquireOptions,
) => Promise<RunResult<T>>

function ignore(): void {}
