import { waitUntil as extend } from 'cloudflare:workers'

/** How long work may go on after an answer, in milliseconds: the platform ends it after 30 s. */
export const budgetMs: number = 25_000

/** What keeps work going that the current request has begun. */
export function waitUntil(): (work: Promise<unknown>) => void {
  return extend
}
