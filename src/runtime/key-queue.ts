import { keepForOthers, settledOrTimeout } from './background.ts'
import { type Limit, within } from './deadline.ts'

/** Runs calls on the same keys one after another where one of them takes more than one command. */
export interface KeyQueue {
  /** Whether a slow call is under way or queued, on any key. */
  isBusy(): boolean
  /**
   * Runs `work` after the slow calls on these keys that came first; at once if there are none. `slow`: `work` takes more than
   * one command, so that later calls on the keys, also reads, wait for it. Rejects when the limit is reached first; `work` is
   * not run then.
   */
  run<T>(keys: readonly string[], slow: boolean, limit: Limit, work: () => Promise<T>): Promise<T>
  /** Resolves when the slow calls that are queued on the key have ended; undefined: there is none. */
  before(key: string): Promise<void> | undefined
}

/**
 * `keepAlive` gets a promise for the end of each call that others may wait for: the call's own caller may have left by then.
 * @default it is kept by what the runtime supplies for the current request
 */
export function createKeyQueue(keepAlive: (tail: Promise<unknown>) => void = keepForOthers): KeyQueue {
  /** By key, the end of its last slow call. */
  const tails = new Map<string, Promise<unknown>>()
  return {
    isBusy: () => tails.size > 0,
    run(keys, slow, limit, work) {
      const earlier = tails.size > 0 ? keys.flatMap((key) => tails.get(key) ?? []) : []
      const before = earlier.length > 0 ? settledOrTimeout(Promise.all(earlier)) : undefined
      const turn = before ? within(before, limit).then(work) : work()
      if (!slow && !before) return turn
      // A caller that gives up must not let later calls overtake the ones it was waiting for.
      const tail = Promise.all([before, turn.then(ignore, ignore)]).then(() => {
        for (const key of keys) if (tails.get(key) === tail) tails.delete(key)
      })
      for (const key of keys) tails.set(key, tail)
      keepAlive(tail)
      return turn
    },
    before(key) {
      const tail = tails.size > 0 ? tails.get(key) : undefined
      // On Workers the runtime may have ended the request of that call before it settled, so it is removed after one wait.
      return (
        tail &&
        settledOrTimeout(tail).then(() => {
          if (tails.get(key) === tail) tails.delete(key)
        })
      )
    },
  }
}

const ignore = (): void => {}
