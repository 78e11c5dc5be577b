interface Globals {
  readonly process?: { readonly versions?: { readonly node?: string } }
  readonly [symbol: symbol]: { get?(): { waitUntil?(work: Promise<unknown>): void } | undefined } | undefined
}
const globals = globalThis as unknown as Globals

/**
 * Whether this process outlives a request. A Worker whose bundle lacks the `workerd` condition may have a `process` too. Does not
 * test `navigator`, which Node makes only when it is first read.
 */
const lasts = !!globals.process?.versions?.node && !('WebSocketPair' in globals)

/** How long work may go on after a response, in milliseconds; without a limit in Node, Bun and Deno. */
export const budgetMs: number = lasts ? Number.POSITIVE_INFINITY : 25_000

/** The `waitUntil` of Vercel's Node, which freezes a process between requests: it keeps work running. Undefined elsewhere. */
export function waitUntil(): ((work: Promise<unknown>) => void) | undefined {
  const found = globals[Symbol.for('@vercel/request-context')]?.get?.()
  return found?.waitUntil && ((work) => found.waitUntil?.(work))
}
