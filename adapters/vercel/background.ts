/** How long work may go on after a response, in milliseconds. */
export const budgetMs: number = 25_000

/** Returns the platform's own function that keeps work going after a response, found as `@vercel/functions` finds it. */
export function waitUntil(): ((work: Promise<unknown>) => void) | undefined {
  const found = (globalThis as unknown as Contexts)[Symbol.for('@vercel/request-context')]?.get?.()
  return found?.waitUntil && ((work) => found.waitUntil?.(work))
}

interface Contexts {
  readonly [symbol: symbol]: { get?(): { waitUntil?(work: Promise<unknown>): void } | undefined } | undefined
}
