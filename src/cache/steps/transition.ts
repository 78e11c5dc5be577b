import type { Arg, Reply, Transition } from '../../protocol/operation.ts'

/**
 * Stores `next` under the key for `life` milliseconds; 0: without an end; `keep`: for the time it has left. `undefined` removes
 * the key.
 */
export function put<R extends Reply>(next: string | undefined, life: Arg | undefined, reply: R): Transition<R> {
  return { next, ttl: life === 'keep' ? life : life ? { ms: Number(life) } : 'none', reply }
}

/** Leaves the key as it is. */
export function same<R extends Reply>(current: string | undefined, reply: R): Transition<R> {
  return put(current, 'keep', reply)
}

/** A counter's sum in digits, or the code of the error. */
export function sum(counter: string, by: Arg | undefined): string {
  const total = Number(counter) + Number(by)
  if (!/^-?\d+$/.test(counter)) return 'WRONG_TYPE'
  return Math.abs(total) > Number.MAX_SAFE_INTEGER ? 'OVERFLOW' : `${total}`
}
