import { after } from '../runtime/background.ts'
import { now } from '../runtime/clock.ts'

/** Deletes that did not reach the store: their keys count as absent here for a while, and are deleted once it is back. */
export interface Tombstones {
  /** `sinceMs`: before the delete was sent. */
  bury(key: string, sinceMs: number): void
  /** The key was written or deleted since. */
  lift(key: string): void
  /** Undefined: not buried. Else deletes once more: resolves to whether the key must still count as absent. */
  buried(key: string): Promise<boolean> | undefined
  /** The store has answered: what is left is deleted now. */
  heard(): void
}

interface Host {
  remove(key: string, sinceMs: number): Promise<unknown>
  track(work: Promise<unknown>): void
}

const MAX_BURIED = 10_000

/** The oldest is forgotten where there are more than 10,000. */
export function createTombstones(maxAgeMs: number, { remove, track }: Host): Tombstones {
  const graves = new Map<string, number>()
  const trying = new Map<string, Promise<unknown>>()

  /** Resolves when the key has been deleted, or could not be. */
  const retry = (key: string, sinceMs: number): Promise<unknown> => {
    const running = trying.get(key)
    if (running) return running
    const attempt = remove(key, sinceMs).then(
      () => {
        if (graves.get(key) === sinceMs) graves.delete(key)
      },
      () => {},
    )
    const over = attempt.then(() => {
      if (trying.get(key) === over) trying.delete(key)
    })
    trying.set(key, over)
    return over
  }
  return {
    bury(key, sinceMs) {
      graves.delete(key)
      if (graves.size >= MAX_BURIED) graves.delete(graves.keys().next().value as string)
      graves.set(key, sinceMs)
    },
    lift: (key) => void graves.delete(key),
    buried(key) {
      const sinceMs = graves.get(key)
      return sinceMs === undefined
        ? undefined
        : (async () => {
            const attempt = retry(key, sinceMs)
            await after(attempt)
            // Another request's may have ended without a word.
            if (trying.get(key) === attempt) trying.delete(key)
            const agoMs = now() - sinceMs
            return graves.get(key) === sinceMs && agoMs >= 0 && agoMs < maxAgeMs
          })()
    },
    heard() {
      if (graves.size > trying.size) for (const [key, sinceMs] of graves) track(retry(key, sinceMs))
    },
  }
}
