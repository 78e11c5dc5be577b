import { settledOrTimeout } from '../runtime/background.ts'
import { NEVER, now } from '../runtime/clock.ts'

/** Deletes that did not reach the store: their keys count as absent here for a while, and are deleted once it is back. */
export interface PendingDeletes {
  /** A delete has been sent. */
  begin(key: string): PendingDelete
  /** It has ended. `hasFailed`: it is retried, unless its key was written since. */
  end(key: string, pending: PendingDelete, hasFailed: boolean): void
  /**
   * A write of the key has been sent: until it has ended nothing is deleted that it may have stored. Returns the deletes
   * that were sent before it and are not done.
   */
  noteWrite(key: string, write: Promise<unknown>): readonly PendingDelete[]
  /** The key was written or deleted by what was sent after these. */
  settle(key: string, deletes: readonly PendingDelete[]): void
  /** Undefined: no delete of it has failed. Else deletes once more: resolves to whether the key must still count as absent. */
  retryPendingDelete(key: string): Promise<boolean> | undefined
  /** Resolves when the delete has ended that is tried once more; undefined: none is. */
  retrying(key: string): Promise<unknown> | undefined
  /** The store has answered: what is left is deleted now. */
  onAnswer(): void
}

export interface PendingDelete {
  /** When the delete was sent, in epoch ms. */
  readonly sinceMs: number
  /** What may store a value that is not to be deleted. */
  writing?: Promise<unknown> | undefined
  /** Its key was written or deleted since. */
  isOverwritten?: boolean
  /** When it may be tried again for nobody in particular, in epoch ms. */
  againMs: number
}

interface Host {
  /** Resolves to whether nothing is left to delete; false: it was not due any more, or something else was there by then. */
  remove(key: string, sinceMs: number, isDue: () => boolean): Promise<boolean>
  track(work: Promise<unknown>): void
}

const MAX_PENDING = 10_000
/** Between tries that nobody waits for. */
const PAUSE_MS = 1000
const NONE_PENDING: readonly PendingDelete[] = []

/** The oldest is forgotten where there are more than 10,000. */
export function createPendingDeletes(maxAgeMs: number, { remove, track }: Host): PendingDeletes {
  /** Deletes that have been sent and have not ended. */
  const sent = new Map<string, PendingDelete[]>()
  /** Deletes that did not reach the store. */
  const failed = new Map<string, PendingDelete>()
  const tries = new Map<string, Promise<unknown>>()

  /** Resolves when the key has been deleted, or could not be; to false while a write may be on its way. */
  const retry = (key: string, pending: PendingDelete): Promise<unknown> => {
    const running = tries.get(key)
    if (running) return running
    const isDue = (): boolean => failed.get(key) === pending && !pending.writing
    if (!isDue()) return Promise.resolve(false)
    const attempt = remove(key, pending.sinceMs, isDue).then(
      (done) => {
        if (done && failed.get(key) === pending) failed.delete(key)
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
    begin(key) {
      const pending: PendingDelete = { sinceMs: now(), againMs: 0 }
      // One whose request has ended without a word never ends.
      if (sent.size >= MAX_PENDING) sent.delete(sent.keys().next().value as string)
      sent.set(key, [...(sent.get(key) ?? []), pending])
      return pending
    },
    end(key, pending, hasFailed) {
      const others = (sent.get(key) ?? []).filter((other) => other !== pending)
      if (others.length > 0) sent.set(key, others)
      else sent.delete(key)
      if (!hasFailed || pending.isOverwritten) return
      failed.delete(key)
      if (failed.size >= MAX_PENDING) failed.delete(failed.keys().next().value as string)
      failed.set(key, pending)
    },
    noteWrite(key, write) {
      if (failed.size === 0 && sent.size === 0) return NONE_PENDING
      const all = [failed.get(key), ...(sent.get(key) ?? [])].filter((pending) => pending !== undefined)
      for (const pending of all) {
        const writing = Promise.allSettled([pending.writing, write]).then(() => {
          if (pending.writing === writing) pending.writing = undefined
        })
        pending.writing = writing
      }
      return all
    },
    settle(key, all) {
      for (const pending of all) {
        pending.isOverwritten = true
        if (failed.get(key) === pending) failed.delete(key)
      }
    },
    retryPendingDelete(key) {
      const pending = failed.get(key)
      return pending === undefined
        ? undefined
        : (async () => {
            let tried: unknown
            do {
              const { writing } = pending
              if (writing) await settledOrTimeout(writing)
              // Another request's may have ended without a word.
              if (pending.writing === writing) pending.writing = undefined
              const attempt = retry(key, pending)
              tried = await settledOrTimeout(attempt)
              if (tries.get(key) === attempt) tries.delete(key)
            } while (tried === false && failed.get(key) === pending)
            // It may have been deleted in vain once more.
            const left = failed.get(key)
            const agoMs = now() - (left?.sinceMs ?? NEVER)
            return agoMs >= 0 && agoMs < maxAgeMs
          })()
    },
    retrying: (key) => tries.get(key),
    onAnswer() {
      if (failed.size <= tries.size) return
      const at = now()
      for (const [key, pending] of failed) {
        const waitMs = pending.againMs - at
        // More than a pause: the clock went back.
        if (waitMs > 0 && waitMs <= PAUSE_MS) continue
        pending.againMs = at + PAUSE_MS
        track(retry(key, pending))
      }
    },
  }
}
