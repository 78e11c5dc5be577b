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
/** Most holders of one name, since all of them are stored in one text. */
const MAX_HOLDERS = 1000
/** If n callers of a process wait, and n is more than this, those without a claim pause n / 8 times as long between tries. */
const CROWD = 8
/** How much longer a claim lasts than the longest pause before the next try: the time that a try may take. */
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

  /** Sleeps until the next try. Not counted where a runtime may end a request in its sleep: it would then count for ever. */
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
          // The lease came too late, or too few replicas confirmed it, or this call gives up and its claim would keep others out.
          // The next try takes a new id: a `free` of the old id that is sent again could end the next lease.
          await freeAs(id).catch(ignore)
          id = randomId()
          left = end - elapsedMs()
        }
        if (!(left > 0)) return undefined
        const crowd = reply < 0 ? 1 : Math.max(1, waiting / CROWD)
        await pauseFor(Math.min(left, jittered(pollMs) * crowd), signal)
      }
    } catch (error) {
      // The command may have run, or may still run. Nobody knows of its lease, which would keep everyone out until it ends.
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
    // Throws for a name that cannot be a key.
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
