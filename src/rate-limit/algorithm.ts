import { HitherError } from '../errors.ts'
import { checkNames, checkWhole, invalid } from '../protocol/arguments.ts'
import { type Duration, toMs } from '../protocol/duration.ts'
import { MAX_MS, type Steps } from './meter.ts'

/** At most `limit` in each `window`. */
export interface Limit {
  /** A whole number above 0. */
  readonly limit: number
  /** Whole milliseconds, or a literal such as `'1m'`: at most 31 years. */
  readonly window: Duration
}

export interface BurstLimit extends Limit {
  /** The most that can be taken at once. @default `limit` */
  readonly burst?: number
}

/** One limit, or several. A call must fit all of them: nothing is taken when one refuses. */
export type Limits<L extends Limit = Limit> = L | readonly L[]

/** How to count, as one atomic step on one key. Created by `fixedWindow` and the like. */
export interface Algorithm {
  readonly name: string
  /** The part of a key that sets these limits apart from others. */
  readonly tag: string
  readonly windowMs: number
  readonly steps: Steps
  /**
   * The arguments of a step that describe the limits, with the numbers of `limit` in place of the configured ones. Throws for
   * limits that make no sense. `text`: the store runs `apply`, not the script.
   */
  args(limit: number | readonly number[] | undefined, text: boolean): readonly number[]
}

/** The options of a limit. */
export const LIMIT: readonly string[] = ['limit', 'window']
export const BURST_LIMIT: readonly string[] = [...LIMIT, 'burst']

export function checkTime(time: Duration, name: string): number {
  const ms = toMs(time, name)
  if (ms <= MAX_MS && (typeof time === 'string' || ms === time)) return ms
  throw new HitherError('INVALID_DURATION', `${name} is whole milliseconds, 31 years at most`)
}

/** A limit, checked: the most that can be taken at once is `burst`. */
export interface CheckedLimit {
  readonly limit: number
  readonly windowMs: number
  readonly burst: number
  /** The longest window of all limits of the algorithm. */
  readonly longestMs: number
}

interface AlgorithmParts {
  readonly name: string
  readonly steps: Steps
  /** The options that a limit has. */
  readonly options: readonly string[]
  /** The third argument of a limit, after the most at once and the window. Throws for a limit that cannot be counted. */
  extra(limit: CheckedLimit): number
  /** The largest limit where the store runs the script, and where it runs `apply`. @default 10^9 */
  readonly most?: readonly [scripted: number, text: number]
}

export function algorithm(
  { name, steps, options, extra, most }: AlgorithmParts,
  given: Limits | Limits<BurstLimit>,
): Algorithm {
  const limits = [given].flat() as BurstLimit[]
  for (const one of limits) checkNames(name, one, options)
  const windows = limits.map((one) => checkTime(one?.window, `the window of ${name}`))
  const args: Algorithm['args'] = (own, text) => {
    const numbers = own === undefined ? limits.map(({ limit }) => limit) : [own].flat()
    if (limits.length === 0) throw invalid(`${name} takes a limit`)
    if (numbers.length !== limits.length) throw invalid(`${name} takes ${limits.length} limits here, one for each`)
    return limits.flatMap(({ burst }, i) => {
      const limit = checkWhole(numbers[i] as number, `the limit of ${name}`, 1)
      const windowMs = windows[i] as number
      const bound = most?.[text ? 1 : 0] ?? 1e9
      if (limit > bound) throw invalid(`${name} takes a limit up to ${bound} here${most ? ': use slidingBuckets' : ''}`)
      const top = checkWhole(burst ?? limit, 'burst', 1)
      return [top, windowMs, extra({ limit, windowMs, burst: top, longestMs: Math.max(...windows) })]
    })
  }
  const tag = `${name}-${args(undefined, false).join('-')}`
  return { name, tag, windowMs: windows[0] as number, steps, args }
}
