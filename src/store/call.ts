/** How one call may end early, and in what form it is answered. The last parameter of every store method. */
export interface Call {
  /** Aborting rejects this call with the signal's reason. Calls that share its request are not affected. */
  readonly signal?: AbortSignal
  /** The instant, in epoch milliseconds, at which the call rejects with `TIMEOUT`. @default the store's own `timeout` from now */
  readonly deadline?: number
  /** Whether to wait where the endpoint asks for fewer requests (HTTP 429), before the deadline; else `OVERLOADED` at once. @default true */
  readonly patient?: boolean
  /** Answer strings as bytes; used by `getBytes`. */
  readonly bytes?: boolean
}
