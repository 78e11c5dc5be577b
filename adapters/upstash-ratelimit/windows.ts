import type { Operation, Reply } from 'hither'
import { isCount, isObject, readState, type Step, step } from './step.ts'

/**
 * The windows of one id, by the number of the window: its end in epoch milliseconds, and its shares. In a single region there is
 * one share, `n`; in several regions each call has a share, under the id of the call.
 */
type Windows = Record<string, { shares: Record<string, number>; endsMs: number }>

type Change = readonly [window: string, share: string, by: number, lifeMs: number]
type One = readonly [window: string]
type Count<A extends readonly (string | number)[]> = Operation<A, number>
type Fields<A extends readonly (string | number)[]> = Operation<A, readonly (string | number)[]>

/** Splits `prefix:id:29` into `prefix:id:*`, the key of all windows of the id (and of `resetUsedTokens`), and `29`. */
export function windowOf(key: string): readonly [held: string, window: string] {
  const at = key.lastIndexOf(':') + 1
  return [`${key.slice(0, at)}*`, key.slice(at)]
}

function read(current: string | undefined, nowMs: number): Windows {
  const windows: Windows = Object.create(null)
  for (const [name, window] of Object.entries(readState(current)))
    if (isWindow(window) && window.endsMs > nowMs) windows[name] = window
  return windows
}

function isWindow(value: unknown): value is Windows[string] {
  if (!isObject(value) || !isObject(value.shares) || !isCount(value.endsMs)) return false
  return Object.values(value.shares).every(isCount)
}

function sum({ shares = {} }: Partial<Windows[string]> = {}): number {
  return Object.values(shares).reduce((total, share) => total + share, 0)
}

function fields({ shares = {} }: Partial<Windows[string]> = {}): string[] {
  return Object.entries(shares).flatMap(([id, share]) => [id, String(share)])
}

/** Adds to share `n` of a window, or sets the share of a call in several regions. A window ends `lifeMs` after its first call. */
function add(windows: Windows, [window, share, by, lifeMs]: Change, nowMs: number): number {
  windows[window] ??= { shares: {}, endsMs: nowMs + lifeMs }
  const { shares } = windows[window]
  shares[share] = share === 'n' ? (shares[share] ?? 0) + by : by
  return shares[share]
}

function kept<R extends Reply>(windows: Windows, reply: R): Step<R> {
  const ends = Object.values(windows).map(({ endsMs }) => endsMs)
  if (ends.length === 0) return { next: undefined, reply }
  return { next: JSON.stringify(windows), endsMs: Math.max(...ends), reply }
}

/** How much of the previous window still counts at this point of the current one, weighted as the package does. */
function weighted(windows: Windows, previous: string, now: number, window: number): number {
  return (1 - (now % window) / window) * sum(windows[previous])
}

export const fixedLimit: Count<Change> = step('fixed-limit', (current, change, nowMs) => {
  const windows = read(current, nowMs)
  const total = add(windows, change, nowMs)
  return kept(windows, total)
})

export const used: Count<One> = step('used', (current, [window], nowMs) => {
  const windows = read(current, nowMs)
  return kept(windows, sum(windows[window]))
})

type Sliding = readonly [current: string, previous: string, limit: number, now: number, window: number, by: number]

/** Replies -1 when refused, otherwise how much of the limit is left. */
export const slidingLimit: Count<Sliding> = step(
  'sliding-limit',
  (text, [current, previous, limit, now, window, by], nowMs) => {
    const windows = read(text, nowMs)
    const before = Math.floor(weighted(windows, previous, now, window))
    if (by > 0 && before + sum(windows[current]) >= limit) return kept(windows, -1)
    const total = add(windows, [current, 'n', by, window * 2 + 1000], nowMs)
    return kept(windows, limit - (total + before))
  },
)

type Look = readonly [current: string, previous: string, now: number, window: number]

export const slidingUsed: Count<Look> = step('sliding-used', (text, [current, previous, now, window], nowMs) => {
  const windows = read(text, nowMs)
  return kept(windows, Math.floor(weighted(windows, previous, now, window)) + sum(windows[current]))
})

/** Replies the window's shares, this call's included: `[id, share, …]`. */
export const regionFixedLimit: Fields<Change> = step('region-fixed-limit', (current, change, nowMs) => {
  const windows = read(current, nowMs)
  add(windows, change, nowMs)
  return kept(windows, fields(windows[change[0]]))
})

export const regionFields: Fields<One> = step('region-fields', (current, [window], nowMs) => {
  const windows = read(current, nowMs)
  return kept(windows, fields(windows[window]))
})

type RegionSliding = readonly [...Sliding, share: string]

/** Replies 1 if allowed or 0 if not, the length of the current window's list of shares, then that list and the previous one's. */
export const regionSlidingLimit: Fields<RegionSliding> = step(
  'region-sliding-limit',
  (text, [current, previous, limit, now, window, by, share], nowMs) => {
    const windows = read(text, nowMs)
    const mine = fields(windows[current])
    const allowed = by <= 0 || weighted(windows, previous, now, window) + sum(windows[current]) + by <= limit
    const reply = [allowed ? 1 : 0, mine.length, ...mine, ...fields(windows[previous])]
    if (allowed) add(windows, [current, share, by, window * 2 + 1000], nowMs)
    return kept(windows, reply)
  },
)

/** Adds the shares that another region has counted in a window; ignores them if the window is over. Replies how many were new. */
export const regionLearn: Count<readonly [window: string, ...string[]]> = step(
  'region-learn',
  (current, [window, ...shares], nowMs) => {
    const windows = read(current, nowMs)
    let added = 0
    for (let i = 0; windows[window] && i + 1 < shares.length; i += 2) {
      const share = shares[i] as string
      if (!(share in windows[window].shares)) added++
      add(windows, [window, share, Number(shares[i + 1]), 0], nowMs)
    }
    return kept(windows, added)
  },
)
