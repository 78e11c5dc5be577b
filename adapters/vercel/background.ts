/** How long work may go on after an answer, in milliseconds. */
export const budgetMs: number = 25_000

/** What keeps work going that the current request has begun: the platform's own, as `@vercel/functions` finds it. */
export function waitUntil(): ((work: Promise<unknown>) => void) | undefined {
  const found = (globalThis as unknown as Contexts)[Symbol.for('@vercel/request-context')]?.get?.()
  return found?.waitUntil && ((work) => found.waitUntil?.(work))
}

interface Contexts {
  readonly [symbol: symbol]: { get?(): { waitUntil?(work: Promise<unknown>): void } | undefined } | undefined
}
