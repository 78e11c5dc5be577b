import { memoryStore } from '../../../adapters/memory/index.ts'
import type { AtomicStore } from '../../../src/index.ts'

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** A generator of floats in [0, 1), which repeats for the same seed. */
export function seeded(seed: number): () => number {
  let state = seed * 2654435761
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + 374761393) | 0
    return (state >>> 8) / 2 ** 24
  }
}

/** Waits for a few microtasks, or now and then for some milliseconds. */
export async function linger(random: () => number): Promise<void> {
  const turns = Math.floor(random() * 14)
  if (turns > 10) await pause(Math.floor(random() * 4))
  else for (let i = 0; i < turns; i++) await Promise.resolve()
}

/**
 * The same store as if it were far away: each call travels by itself, there and back, so that calls overtake one another
 * and results come late. A REST endpoint may do this to requests of different ticks.
 */
export function distant(store: AtomicStore, random: () => number): AtomicStore {
  const travel = async <T>(call: () => Promise<T>): Promise<T> => {
    await linger(random)
    const answer = await call()
    await linger(random)
    return answer
  }
  return {
    ...store,
    get: (...args) => travel(() => store.get(...args)),
    getMany: (...args) => travel(() => store.getMany(...args)),
    set: (...args) => travel(() => store.set(...args)),
    delete: (...args) => travel(() => store.delete(...args)),
    run: (...args) => travel(() => store.run(...args)),
  }
}

/** A store in memory that stands for one on another machine: its clock is `now`, and its callers cannot read that clock. */
export function distantClock(now: () => number): ReturnType<typeof memoryStore> {
  const store = memoryStore({ now })
  const { ownClock: _, ...traits } = store.traits
  return { ...store, traits }
}

/** A call that is held up. `what` is the verb of an entry's step, or the name of the method. */
export interface Held {
  readonly what: string
  /** Lets the call reach the store. Resolves when it has been carried out. */
  act(): Promise<void>
  /** Lets the result arrive. Carries out the call first if that has not been done. */
  answer(): Promise<void>
}

/** A store whose calls wait, both on their way there and back, until a test moves them by hand. */
export function byHand(store: AtomicStore = memoryStore()): {
  store: AtomicStore
  next(what: string): Promise<Held>
  /** From now on calls pass without waiting. */
  flow(): void
} {
  const waiting: Held[] = []
  let flowing = false
  const hold = <T>(what: string, call: () => Promise<T>): Promise<T> => {
    if (flowing) return call()
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    let acting: Promise<T> | undefined
    const act = async (): Promise<void> => {
      acting ??= call()
      await acting.catch(() => {})
    }
    waiting.push({
      what,
      act,
      async answer() {
        await act()
        acting?.then(resolve, reject)
        await pause(0)
      },
    })
    return promise
  }
  return {
    store: {
      ...store,
      // Calls on the namespace's own keys, its generation and its tag versions, do not wait.
      get: (...args) => (args[0].startsWith(':') ? store.get(...args) : hold('get', () => store.get(...args))),
      delete: (...args) => hold('delete', () => store.delete(...args)),
      set: (...args) => hold('set', () => store.set(...args)),
      run: (...args) =>
        args[1].startsWith(':') ? store.run(...args) : hold(String(args[2][0]), () => store.run(...args)),
    },
    flow() {
      flowing = true
      for (const held of waiting) void held.answer()
    },
    async next(what) {
      for (;;) {
        const at = waiting.findIndex((held) => held.what === what)
        if (at >= 0) return waiting.splice(at, 1)[0] as Held
        await pause(1)
      }
    },
  }
}
