import { afterEach, beforeEach, expect, vi } from 'vitest'
import { memoryStore } from '../../../adapters/memory/index.ts'
import { HitherError } from '../../../src/errors.ts'
import type { Lock } from '../../../src/lock/index.ts'
import type { AtomicStore } from '../../../src/store/store.ts'

export const TTL = 30_000
export const START = 1_795_000_000_000

export const code = (code: string): unknown => expect.objectContaining({ code })

export interface Clock {
  /** Lets time pass, and timers fire. */
  pass(ms: number): Promise<void>
  /** Moves the wall clocks of this process and of the store by `ms`. */
  set(ms: number): void
  /** Moves all clocks on by `ms` while no timer fires, like code that blocks the event loop. */
  block(ms: number): void
  /** How far `performance.now` is ahead of the timers, in milliseconds. */
  ahead: number
}

/** Gives each test of a file its own clocks and timers. */
export function useClock(): Clock {
  const clock: Clock = {
    async pass(ms) {
      await vi.advanceTimersByTimeAsync(ms)
    },
    set(ms) {
      vi.setSystemTime(Date.now() + ms)
    },
    block(ms) {
      clock.ahead += ms
      clock.set(ms)
    },
    ahead: 0,
  }
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date', 'performance'], now: START })
    const timed = performance.now.bind(performance)
    clock.ahead = 0
    vi.spyOn(performance, 'now').mockImplementation(() => timed() + clock.ahead)
  })
  afterEach(() => {
    vi.restoreAllMocks()
    vi.useRealTimers()
  })
  return clock
}

/** A store whose steps a test counts, delays or refuses. */
export interface TestStore extends AtomicStore {
  readonly verbs: string[]
  before: (verb: string) => unknown
  after: (verb: string) => unknown
}

export function testStore(): TestStore {
  const inner = memoryStore()
  const made: TestStore = {
    ...inner,
    verbs: [],
    before: () => {},
    after: () => {},
    async run(operation, key, args, call) {
      const verb = String(args[0])
      made.verbs.push(verb)
      await made.before(verb)
      const reply = await inner.run(operation, key, args, call)
      await made.after(verb)
      return reply
    },
  }
  return made
}

export const down = (): never => {
  throw new HitherError('STORE_UNAVAILABLE', 'down', { retryable: true })
}

export async function held(pending: Promise<Lock | undefined>): Promise<Lock> {
  const lock = await pending
  if (!lock) throw new Error('it is taken')
  return lock
}
