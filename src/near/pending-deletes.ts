import { settledOrTimeout } from '../runtime/background.ts'
import { NEVER, now } from '../runtime/clock.ts'

/*
 * The way of a delete:
 *
 *   sent      `begin`. When it ends without an outage, it is forgotten (`end`).
 *   failed    `end` after an outage. Until `maxAgeMs` after it was sent, its key counts as absent in this process.
 *   retried   By a read of its key (`retryPendingDelete`), or in the background once the store replies (`onAnswer`).
 *   done      A retry has succeeded, or a later write or delete of the key has (`settle`).
 *
 * A retry must not delete the value of a later write. So none starts while a write of the key is under way (`noteWrite`); and a
 * write of a plain key, whose value does not say when it was written, waits for a retry that is under way (`retrying`).
 */

/**
 * Deletes that failed because the store was down. Their keys count as absent in this process for `maxAgeMs`, and the deletes
 * are retried once the store is back.
 */
export interface PendingDeletes {
  /** Records a delete that was just sent. */
  begin(key: string): PendingDelete
  /** The delete has ended. `hasFailed`: it is retried, unless its key was written since. */
  end(key: string, pending: PendingDelete, hasFailed: boolean): void
  /**
   * A write of the key has been sent. Until it has ended, no delete of the key is retried, because that could delete the new
   * value. Returns the deletes that were sent before the write and are not done.
   */
  noteWrite(key: string, write: Promise<unknown>): readonly PendingDelete[]
  /** A write or delete that was sent after `deletes` has succeeded, so they need no retry. */
  settle(key: string, deletes: readonly PendingDelete[]): void
  /**
   * Retries the failed delete of the key now, and resolves to whether the key must still count as absent. Undefined: no delete
   * of the key has failed.
   */
  retryPendingDelete(key: string): Promise<boolean> | undefined
  /** Resolves when the retry of a delete of this key that is under way has ended; undefined: there is none. */
  retrying(key: string): Promise<unknown> | undefined
  /** The store has replied: retries the failed deletes. */
  onAnswer(): void
}

export interface PendingDelete {
  /** When the delete was sent, in epoch ms. */
  readonly sinceMs: number
  /** The writes under way whose value must not be deleted. */
  writing?: Promise<unknown> | undefined
  /** A later write or delete of its key has succeeded. */
  isOverwritten?: boolean
  /** When it may be retried in the background, in epoch ms. */
  againMs: number
}

interface Host {
  /** Resolves to whether nothing is left to delete; false: the delete was not due any more, or something else had been stored. */
  remove(key: string, sinceMs: number, isDue: () => boolean): Promise<boolean>
  track(work: Promise<unknown>): void
}

const MAX_PENDING = 10_000
/** Pause between the retries of a delete in the background, in ms. */
const PAUSE_MS = 1000
const NONE_PENDING: readonly PendingDelete[] = []

/** Of more than 10,000 deletes the oldest is forgotten. */
export function createPendingDeletes(maxAgeMs: number, { remove, track }: Host): PendingDeletes {
  /** Deletes that have been sent and have not ended. */
  const sent = new Map<string, PendingDelete[]>()
  /** Deletes that did not reach the store. */
  const failed = new Map<string, PendingDelete>()
  const tries = new Map<string, Promise<unknown>>()

  /**
   * Retries a delete. Resolves to false where it has to be tried again, because it was not due (a write may be under way) or
   * because something else had been stored; otherwise once the key is deleted or the retry has failed.
   */
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
      // A delete never ends if the runtime has ended its request, so the map is bounded.
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
              // The write may belong to another request, which the runtime has ended without settling it: do not wait for it
              // twice.
              if (pending.writing === writing) pending.writing = undefined
              const attempt = retry(key, pending)
              tried = await settledOrTimeout(attempt)
              if (tries.get(key) === attempt) tries.delete(key)
            } while (tried === false && failed.get(key) === pending)
            // If the retry has failed as well, the key counts as absent until `maxAgeMs` after the delete was sent.
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
        // A wait longer than the pause means that the clock was set back.
        if (waitMs > 0 && waitMs <= PAUSE_MS) continue
        pending.againMs = at + PAUSE_MS
        track(retry(key, pending))
      }
    },
  }
}
