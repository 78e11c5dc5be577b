import { HitherError } from '../errors.ts'
import { checkWhole } from '../protocol/arguments.ts'
import type { Arg, Operation, Reply } from '../protocol/operation.ts'
import { NEVER, now, setTimer } from '../runtime/clock.ts'
import type { AtomicStore, Call, StoreTraits } from '../store/store.ts'

/** `down`: every call rejects at once. `hangs`: no call gets a reply before its deadline. `slow`: each call waits first. */
export type StoreFault = 'down' | 'hangs' | 'slow'

export interface BrokenStoreOptions {
  /** The store that runs the calls when the fault is `slow` or mended. @default none: a call then rejects `STORE_UNAVAILABLE` */
  readonly store?: AtomicStore
  /** How long `slow` waits before each call, in milliseconds. @default 200 */
  readonly delayMs?: number
  /** How long a call without a deadline hangs, in milliseconds, as with any other store. @default 5000 */
  readonly timeoutMs?: number
}

export interface BrokenStore extends AtomicStore {
  /** The present fault; `undefined` mends the store. */
  fault: StoreFault | undefined
}

const TRAITS: StoreTraits = {
  shared: false,
  ttlStepMs: 1,
  maxKeyBytes: 1024,
  maxValueBytes: 8_388_608,
  clock: 'server',
  consistency: 'strong',
}

/**
 * A store that fails as a real one does, for a test of what a program does then. Rejects with `STORE_UNAVAILABLE` when it is
 * down, or with `TIMEOUT` at the call's deadline when it hangs (without one after `timeoutMs`), or replies late when it is
 * slow. An aborted call rejects with the signal's reason. Throws `INVALID_ARGUMENT` for another fault, or an invalid time.
 */
export function brokenStore(fault: StoreFault | undefined, options: BrokenStoreOptions = {}): BrokenStore {
  const { store, delayMs = 200, timeoutMs = 5000 } = options
  if (!(Number.isFinite(delayMs) && delayMs >= 0)) {
    throw new HitherError('INVALID_ARGUMENT', 'delayMs is a number of milliseconds from 0 up')
  }
  checkWhole(timeoutMs, 'timeoutMs', 1)
  let current = checkFault(fault)
  const unavailable = (): never => {
    throw new HitherError('STORE_UNAVAILABLE', 'this store is broken on purpose', { retryable: true })
  }
  /** Applies the fault to one call, then runs the call on the store underneath. */
  const call = async <T>(limits: Call | undefined, answer: (store: AtomicStore) => Promise<T>): Promise<T> => {
    if (limits?.signal?.aborted) throw limits.signal.reason
    if (current === 'down') unavailable()
    if (current === 'hangs') await waitUntil(NEVER, { ...limits, deadline: limits?.deadline ?? now() + timeoutMs })
    if (current === 'slow') await waitUntil(now() + delayMs, limits)
    return store ? answer(store) : unavailable()
  }
  return {
    name: 'broken',
    traits: store?.traits ?? TRAITS,
    get fault() {
      return current
    },
    set fault(next) {
      current = checkFault(next)
    },
    get: (key, limits) => call(limits, (to) => to.get(key, limits)),
    getMany: (keys, limits) => call(limits, (to) => to.getMany(keys, limits)),
    set: (key, value, ttlMs, limits) => call(limits, (to) => to.set(key, value, ttlMs, limits)),
    delete: (keys, limits) => call(limits, (to) => to.delete(keys, limits)),
    run: <A extends readonly Arg[], R extends Reply>(
      operation: Operation<A, R>,
      key: string,
      args: A,
      limits?: Call,
    ): Promise<R> => call(limits, (to) => to.run(operation, key, args, limits)),
    ready: (limits) => call(limits, (to) => to.ready(limits)),
    close: async () => store?.close(),
  }
}

/** Waits until `endMs`. Rejects with `TIMEOUT` at an earlier deadline, or with the signal's reason when that aborts. */
function waitUntil(endMs: number, { deadline = NEVER, signal }: Call = {}): Promise<void> {
  return new Promise((resolve, reject) => {
    const timeout = (): HitherError =>
      new HitherError('TIMEOUT', 'the store did not answer in time', { retryable: true, maybeExecuted: true })
    const end = (settle: () => void): void => {
      cancel()
      signal?.removeEventListener('abort', onAbort)
      settle()
    }
    const onAbort = (): void => end(() => reject(signal?.reason))
    const isLate = deadline < endMs
    const wait = Math.min(deadline, endMs)
    const cancel =
      wait === NEVER ? () => {} : setTimer(() => end(isLate ? () => reject(timeout()) : resolve), wait - now())
    signal?.addEventListener('abort', onAbort)
  })
}

function checkFault(fault: StoreFault | undefined): StoreFault | undefined {
  if (fault === undefined || fault === 'down' || fault === 'hangs' || fault === 'slow') return fault
  throw new HitherError('INVALID_ARGUMENT', "a store can be 'down', 'hangs' or 'slow'; undefined mends it")
}
