import { now } from '../runtime/clock.ts'

/** Limits of one call, and the form of its result. The last parameter of every store method. */
export interface Call {
  /** Aborting rejects this call with the signal's reason. Calls that share its request are not affected. */
  readonly signal?: AbortSignal
  /** The instant, in epoch milliseconds, at which the call rejects with `TIMEOUT`. @default `timeoutMs` of the store from now */
  readonly deadline?: number
  /**
   * Whether the call waits, up to its deadline, when the endpoint asks for fewer requests (HTTP 429). If false, it rejects with
   * `OVERLOADED` at once. @default true
   */
  readonly patient?: boolean
  /** Return strings as bytes; used by `getBytes`. */
  readonly bytes?: boolean
}

/** As `call`, with a deadline if it has none: `timeoutMs` from now, 5 s by default as in every store. */
export function withDeadline<C extends Call>(call: C | undefined, timeoutMs = 5000): C & { readonly deadline: number } {
  return { ...(call as C), deadline: call?.deadline ?? now() + timeoutMs }
}
