import { after } from '../runtime/background.ts'
import { NEVER, now } from '../runtime/clock.ts'

/** Deletes that did not reach the store: their keys count as absent here for a while, and are deleted once it is back. */
export interface Tombstones {
  /** `sinceMs`: before the delete was sent. */
  bury(key: string, sinceMs: number): void
  /** A write of the key has been sent: until it has ended nothing is deleted that it may have stored. */
  write(key: string, sent: Promise<unknown>): Grave | undefined
  /** The key was written or deleted by what was sent when this was its grave. */
  lift(key: string, grave: Grave | undefined): void
  /** Undefined: not buried. Else deletes once more: resolves to whether the key must still count as absent. */
  buried(key: string): Promise<boolean> | undefined
  /** The store has answered: what is left is deleted now. */
  heard(): void
}

export interface Grave {
  readonly sinceMs: number
  /** What may store a value that is not to be deleted. */
  writing?: Promise<unknown> | undefined
}

interface Host {
  remove(key: string, sinceMs: number): Promise<unknown>
  track(work: Promise<unknown>): void
}

const MAX_BURIED = 10_000

/** The oldest is forgotten where there are more than 10,000. */
export function createTombstones(maxAgeMs: number, { remove, track }: Host): Tombstones {
  const graves = new Map<string, Grave>()
  const trying = new Map<string, Promise<unknown>>()

  /** Resolves when the key has been deleted, or could not be; to false while a write may be on its way. */
  const retry = (key: string, grave: Grave): Promise<unknown> => {
    const running = trying.get(key)
    if (running) return running
    if (graves.get(key) !== grave || grave.writing) return Promise.resolve(false)
    const attempt = remove(key, grave.sinceMs).then(
      () => {
        if (graves.get(key) === grave) graves.delete(key)
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
      graves.set(key, { sinceMs })
    },
    write(key, sent) {
      const grave = graves.get(key)
      if (grave) {
        const writing = Promise.allSettled([grave.writing, sent]).then(() => {
          if (grave.writing === writing) grave.writing = undefined
        })
        grave.writing = writing
      }
      return grave
    },
    lift(key, grave) {
      if (grave && graves.get(key) === grave) graves.delete(key)
    },
    buried(key) {
      const grave = graves.get(key)
      return grave === undefined
        ? undefined
        : (async () => {
            let tried: unknown
            do {
              const { writing } = grave
              if (writing) await after(writing)
              // Another request's may have ended without a word.
              if (grave.writing === writing) grave.writing = undefined
              const attempt = retry(key, grave)
              tried = await after(attempt)
              if (trying.get(key) === attempt) trying.delete(key)
            } while (tried === false && graves.get(key) === grave)
            // It may have been deleted in vain once more.
            const left = graves.get(key)
            const agoMs = now() - (left?.sinceMs ?? NEVER)
            return agoMs >= 0 && agoMs < maxAgeMs
          })()
    },
    heard() {
      if (graves.size > trying.size) for (const [key, grave] of graves) track(retry(key, grave))
    },
  }
}
