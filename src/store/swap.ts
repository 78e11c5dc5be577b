import { HitherError, isHitherError } from '../errors.ts'
import type { ApplyTable, Arg, Operation, Reply } from '../protocol/operation.ts'
import { now, sleep } from '../runtime/clock.ts'
import { random } from '../runtime/random.ts'

/** When a call ends at the latest. */
export interface CallLimits {
  readonly deadline: number
  readonly signal: AbortSignal | undefined
}

/** What a key holds. */
export interface Held {
  /** Undefined where it is absent, or past its lifetime. */
  readonly text: string | undefined
  /** When its lifetime ends, in epoch milliseconds of this process's clock; undefined without an end. */
  readonly endMs: number | undefined
}

/** A key whose value can be replaced if it has not changed since it was read. */
export interface Swappable<H extends Held> {
  read(): Promise<H>
  /**
   * Replaces what `read` found, or removes it if `next` is undefined. Resolves to false, and changes nothing, if the key has
   * changed since.
   */
  swap(held: H, next: string | undefined, endMs: number | undefined): Promise<boolean>
  /** `apply` by operation name, for operations that come without one. Used in place of the operation's own. */
  readonly table?: ApplyTable
}

/** Longest wait before another attempt, after the key has changed, in milliseconds. */
const MAX_WAIT_MS = 32

/**
 * Runs an operation's `apply` under compare-and-swap. It reads, decides, and writes only if the key has not changed; else it
 * tries again, with jitter, until the deadline (`TIMEOUT`). Time is this process's clock. `keep` writes the same end, so that
 * no number of steps makes a lifetime longer. A lost reply to the write rejects with `maybeExecuted`. An operation that may be
 * repeated reads and decides again instead; if that fails too, the error also has `maybeExecuted`.
 */
export async function runBySwap<A extends readonly Arg[], R extends Reply, H extends Held>(
  operation: Operation<A, R>,
  args: A,
  limits: CallLimits,
  { read, swap, table = {} }: Swappable<H>,
): Promise<R> {
  const apply = (table[operation.name] ?? operation.apply) as typeof operation.apply
  let isInDoubt = false
  const orInDoubt = (error: unknown): never => {
    if (!isInDoubt || !isHitherError(error)) throw error
    const { code, message, retryable } = error
    throw new HitherError(code, message, { cause: error, retryable, maybeExecuted: true })
  }
  for (let attempt = 0; now() < limits.deadline; attempt++) {
    const held = await read().catch(orInDoubt)
    const nowMs = now()
    const { text, endMs } = held
    const leftMs = endMs === undefined ? undefined : endMs - nowMs
    const { next, ttl, reply } = apply(text, args, { nowUs: nowMs * 1000, leftMs })
    if (next === text && (next === undefined || ttl === 'keep')) return reply
    const nextEndMs = ttl === 'keep' ? endMs : ttl === 'none' ? undefined : nowMs + ttl.ms
    const isDone = await swap(held, next, nextEndMs).catch((error: unknown) => {
      if (operation.effect === 'once' || !(isHitherError(error) && error.code === 'STORE_UNAVAILABLE')) throw error
      isInDoubt ||= error.maybeExecuted
      return false
    })
    if (isDone) return reply
    await sleep(Math.min(2 ** attempt, MAX_WAIT_MS) * random(), limits.signal)
  }
  const kept = `${operation.name}: the key kept changing until the deadline`
  return orInDoubt(new HitherError('TIMEOUT', kept, { retryable: true }))
}
