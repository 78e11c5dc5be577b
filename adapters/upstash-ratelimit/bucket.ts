import type { Operation } from 'hither'
import { isCount, readState, step } from './step.ts'

interface Bucket {
  readonly refilledAt: number
  readonly tokens: number
  readonly endsMs: number
}

function read(current: string | undefined): Bucket | undefined {
  const { refilledAt, tokens, endsMs } = readState(current)
  return isCount(refilledAt) && isCount(tokens) && isCount(endsMs) ? { refilledAt, tokens, endsMs } : undefined
}

type Take = readonly [max: number, interval: number, rate: number, now: number, by: number]

/** Replies the tokens left, or -1 when refused, and when the next refill is due by the caller's clock. */
export const bucketLimit: Operation<Take, readonly number[]> = step(
  'bucket-limit',
  (current, [max, interval, rate, now, by], nowMs) => {
    const held = read(current) ?? { refilledAt: now, tokens: max, endsMs: nowMs + interval }
    const refills = Math.max(0, Math.floor((now - held.refilledAt) / interval))
    const tokens = refills > 0 ? Math.min(max, held.tokens + refills * rate) : held.tokens
    const refilledAt = held.refilledAt + refills * interval
    const due = refilledAt + interval
    if (by > 0 && tokens < by) return { next: current, endsMs: held.endsMs, reply: [-1, due] }
    const left = tokens - by
    const lifeMs = Math.ceil((max - left) / rate) * interval
    const endsMs = lifeMs > 0 ? nowMs + lifeMs : held.endsMs
    return { next: JSON.stringify({ refilledAt, tokens: left, endsMs }), endsMs, reply: [Math.trunc(left), due] }
  },
)

/** Replies the tokens left and when they were last refilled; for an id without a bucket, all tokens and -1. */
export const bucketLeft: Operation<readonly [max: number], readonly number[]> = step(
  'bucket-left',
  (current, [max]) => {
    const held = read(current)
    if (!held) return { next: undefined, reply: [max, -1] }
    return { next: current, endsMs: held.endsMs, reply: [Math.trunc(held.tokens), held.refilledAt] }
  },
)
