import type { Arg, Moment, Operation, Reply } from 'hither'

/** The result of a step: the key's next text, its end (`endsMs`, epoch milliseconds, undefined for none) and the reply. */
export interface Step<R extends Reply> {
  readonly next: string | undefined
  readonly endsMs?: number | undefined
  readonly reply: R
}

/** The state in a key's text. Text that is no JSON object counts as empty state. */
export function readState(text: string | undefined): Readonly<Record<string, unknown>> {
  try {
    const state: unknown = JSON.parse(text ?? '{}')
    return isObject(state) ? state : {}
  } catch {
    return {}
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Whether it is a number at most 2^53 − 1 away from 0, so that sums and times can be made with it. */
export function isCount(value: unknown): value is number {
  return typeof value === 'number' && Math.abs(value) <= Number.MAX_SAFE_INTEGER
}

/** An operation for stores that run `apply`. It does what a script of the package does; servers run the script itself. */
export function step<A extends readonly Arg[], R extends Reply>(
  name: string,
  apply: (current: string | undefined, args: A, nowMs: number) => Step<R>,
): Operation<A, R> {
  return {
    name: `upstash-ratelimit.${name}`,
    effect: 'once',
    lua: "return redis.error_reply('ERR this store has a transport: the script itself goes there')",
    apply(current, args, { nowUs }: Moment) {
      const nowMs = Math.floor(nowUs / 1000)
      const { next, endsMs, reply } = apply(current, args, nowMs)
      return { next, ttl: endsMs === undefined ? 'none' : { ms: Math.max(1, Math.ceil(endsMs - nowMs)) }, reply }
    },
  }
}
