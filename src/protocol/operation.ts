/** An argument of an operation or command. Numbers are safe integers only. */
export type Arg = string | number

/** The reply of an operation, the same on every store: no booleans, no floats, one level deep. */
export type Reply = null | string | number | readonly (null | string | number)[]

/**
 * What sending a command again would do. `read` changes nothing; `repeat` may run again at any later moment
 * without harm; `once` is never sent again after it may have run.
 */
export type Effect = 'read' | 'repeat' | 'once'

/** The moment a transition happens, by the store's own clock. */
export interface Moment {
  /** Microseconds since the epoch. */
  readonly nowUs: number
  /** Lifetime left of the current value in milliseconds; undefined when there is none or it has no end. */
  readonly leftMs: number | undefined
}

/** The outcome of a transition. `next: undefined` removes the key; `ttl` applies only to a `next` that is kept. */
export interface Transition<R extends Reply> {
  readonly next: string | undefined
  readonly ttl: 'keep' | 'none' | { readonly ms: number }
  readonly reply: R
}

/**
 * One atomic step on one key, declared twice: `apply`, a pure function, and `lua`, the same step for a server that runs
 * scripts. Replies and lifetimes of the two may not differ; stored bytes may.
 *
 * `lua` sees the key as `KEYS[1]` and the arguments, as strings, in `ARGV`. It reads time only through the local `now()`
 * (microseconds, a number), which the store puts before the body, and nothing else. `cjson`, `tostring` and `..` on numbers are
 * banned: numbers are formatted by `string.format('%.0f', n)`. A line `KEY_LINE` may end the part that does not use the key.
 */
export interface Operation<A extends readonly Arg[], R extends Reply> {
  /** A name such as `entry.fill`, unique in the package. */
  readonly name: string
  readonly effect: Effect
  readonly lua: string
  apply(current: string | undefined, args: A, at: Moment): Transition<R>
}

/**
 * The `apply` of operations by name, for a store that runs it. The operations themselves may then lack theirs, which makes a
 * program smaller whose store does not need it.
 */
export type ApplyTable = Readonly<Record<string, Operation<readonly Arg[], Reply>['apply']>>

/**
 * The part of an operation's `lua` before this line reads only the arguments and the clock, and runs once for all joined keys.
 * The part after it must leave nothing in its locals that the step of the next key reads, because an error may have cut it
 * short.
 */
export const KEY_LINE: string = '-- each key'

/** Puts the line before an operation's body that defines `now()`, which reads the server's clock. */
export function scriptOf(operation: { readonly lua: string }): string {
  return `local function now() local t = redis.call('TIME') return t[1] * 1000000 + t[2] end\n${operation.lua}`
}

/**
 * One operation on several keys with the same arguments, as a script for `scriptOf`. Each key has its own reply, or its own
 * error. All keys see the same moment.
 */
export function joinedOperation({ lua }: { readonly lua: string }): { readonly lua: string } {
  const [step, once = ''] = lua.split(KEY_LINE).reverse() as [string, string?]
  return {
    lua: `local now_us = now()
local function now() return now_us end
${once}
local function step(KEYS)
${step}
end
local replies, own = {}, {}
for i = 1, #KEYS do
 own[1] = KEYS[i]
 local is_done, reply = pcall(step, own)
 if not is_done and type(reply) ~= 'table' then reply = { err = reply } end
 replies[i] = reply == nil and false or reply
end
return replies`,
  }
}

/**
 * As `scriptOf`, but with the time as one more argument, the last, which the step does not see. For tests that replay a history
 * at chosen moments.
 */
export function scriptAt(operation: { readonly lua: string }): string {
  return `local at_us = tonumber(table.remove(ARGV))\nlocal function now() return at_us end\n${operation.lua}`
}
