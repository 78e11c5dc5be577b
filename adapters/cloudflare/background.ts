import { waitUntil as extend } from 'cloudflare:workers'

/** How long work may go on after a response, in milliseconds. The platform ends it after 30 s. */
export const budgetMs: number = 25_000

/** Returns the function that keeps work going after the response to the current request. */
export function waitUntil(): (work: Promise<unknown>) => void {
  return extend
}
