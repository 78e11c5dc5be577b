interface Globals {
  readonly process?: { readonly versions?: { readonly node?: string } }
  readonly [symbol: symbol]: { get?(): { waitUntil?(work: Promise<unknown>): void } | undefined } | undefined
}
const globals = globalThis as unknown as Globals

/** A Worker that was bundled without its condition may have a `process` too. Node makes a `navigator` only when it is asked for. */
const lasts = !!globals.process?.versions?.node && !('WebSocketPair' in globals)

/** How long work may go on after an answer, in milliseconds: without an end in Node, Bun and Deno. */
export const budgetMs: number = lasts ? Number.POSITIVE_INFINITY : 25_000

/** What keeps work going where a process is frozen between requests: on Vercel's Node. Undefined elsewhere. */
export function waitUntil(): ((work: Promise<unknown>) => void) | undefined {
  const found = globals[Symbol.for('@vercel/request-context')]?.get?.()
  return found?.waitUntil && ((work) => found.waitUntil?.(work))
}
