import { settledOrTimeout } from '../runtime/background.ts'
import { NEVER, now } from '../runtime/clock.ts'

/** Deletes that did not reach the store: their keys count as absent here for a while, and are deleted once it is back. */
export interface Tombstones {
  /** A delete has been sent. */
  open(key: string): Grave
  /** It has ended. `failed`: its key is buried, unless it was written since. */
  close(key: string, grave: Grave, failed: boolean): void
  /**
   * A write of the key has been sent: until it has ended nothing is deleted that it may have stored. Answers the deletes
   * that were sent before it and are not done.
   */
  write(key: string, sent: Promise<unknown>): readonly Grave[]
  /** The key was written or deleted by what was sent after these. */
  lift(key: string, graves: readonly Grave[]): void
  /** Undefined: not buried. Else deletes once more: resolves to whether the key must still count as absent. */
  buried(key: string): Promise<boolean> | undefined
  /** Resolves when the delete has ended that is tried once more; undefined: none is. */
  trying(key: string): Promise<unknown> | undefined
  /** The store has answered: what is left is deleted now. */
  heard(): void
}

export interface Grave {
  /** When the delete was sent, in epoch ms. */
  readonly sinceMs: number
  /** What may store a value that is not to be deleted. */
  writing?: Promise<unknown> | undefined
  lifted?: boolean
  /** When it may be tried again for nobody in particular, in epoch ms. */
  againMs: number
}

interface Host {
  /** Resolves to whether nothing is left to delete; false: it was not due any more. */
  remove(key: string, sinceMs: number, isDue: () => boolean): Promise<boolean>
  track(work: Promise<unknown>): void
}

const MAX_BURIED = 10_000
/** Between tries that nobody waits for. */
const PAUSE_MS = 1000
const NO_GRAVES: readonly Grave[] = []

/** The oldest is forgotten where there are more than 10,000. */
export function createTombstones(maxAgeMs: number, { remove, track }: Host): Tombstones {
  /** Of deletes that are on their way. */
  const opened = new Map<string, Grave[]>()
  const graves = new Map<string, Grave>()
  const tries = new Map<string, Promise<unknown>>()

  /** Resolves when the key has been deleted, or could not be; to false while a write may be on its way. */
  const retry = (key: string, grave: Grave): Promise<unknown> => {
    const running = tries.get(key)
    if (running) return running
    const isDue = (): boolean => graves.get(key) === grave && !grave.writing
    if (!isDue()) return Promise.resolve(false)
    const attempt = remove(key, grave.sinceMs, isDue).then(
      (done) => {
        if (done && graves.get(key) === grave) graves.delete(key)
        return done
      },
      () => true,
    )
    const over = attempt.then((tried) => {
      if (tries.get(key) === over) tries.delete(key)
      return tried
    })
    tries.set(key, over)
    return over
  }
  return {
    open(key) {
      const grave: Grave = { sinceMs: now(), againMs: 0 }
      // One whose request has ended without a word is never closed.
      if (opened.size >= MAX_BURIED) opened.delete(opened.keys().next().value as string)
      opened.set(key, [...(opened.get(key) ?? []), grave])
      return grave
    },
    close(key, grave, failed) {
      const others = (opened.get(key) ?? []).filter((other) => other !== grave)
      if (others.length > 0) opened.set(key, others)
      else opened.delete(key)
      if (!failed || grave.lifted) return
      graves.delete(key)
      if (graves.size >= MAX_BURIED) graves.delete(graves.keys().next().value as string)
      graves.set(key, grave)
    },
    write(key, sent) {
      if (graves.size === 0 && opened.size === 0) return NO_GRAVES
      const all = [graves.get(key), ...(opened.get(key) ?? [])].filter((grave) => grave !== undefined)
      for (const grave of all) {
        const writing = Promise.allSettled([grave.writing, sent]).then(() => {
          if (grave.writing === writing) grave.writing = undefined
        })
        grave.writing = writing
      }
      return all
    },
    lift(key, all) {
      for (const grave of all) {
        grave.lifted = true
        if (graves.get(key) === grave) graves.delete(key)
      }
    },
    buried(key) {
      const grave = graves.get(key)
      return grave === undefined
        ? undefined
        : (async () => {
            let tried: unknown
            do {
              const { writing } = grave
              if (writing) await settledOrTimeout(writing)
              // Another request's may have ended without a word.
              if (grave.writing === writing) grave.writing = undefined
              const attempt = retry(key, grave)
              tried = await settledOrTimeout(attempt)
              if (tries.get(key) === attempt) tries.delete(key)
            } while (tried === false && graves.get(key) === grave)
            // It may have been deleted in vain once more.
            const left = graves.get(key)
            const agoMs = now() - (left?.sinceMs ?? NEVER)
            return agoMs >= 0 && agoMs < maxAgeMs
          })()
    },
    trying: (key) => tries.get(key),
    heard() {
      if (graves.size <= tries.size) return
      const at = now()
      for (const [key, grave] of graves) {
        const waitMs = grave.againMs - at
        // More than a pause: the clock went back.
        if (waitMs > 0 && waitMs <= PAUSE_MS) continue
        grave.againMs = at + PAUSE_MS
        track(retry(key, grave))
      }
    },
  }
}
