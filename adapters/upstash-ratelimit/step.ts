import type { Arg, Moment, Operation, Reply } from 'hither'

/** What a step makes of a key's text; `endsMs` in epoch milliseconds, undefined for no end. */
export interface Step<R extends Reply> {
  readonly next: string | undefined
  readonly endsMs?: number | undefined
  readonly reply: R
}

/** An operation for stores that run `apply`: what it does is a script of the package, which servers run themselves. */
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
