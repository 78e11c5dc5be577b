import { describe, expect, it } from 'vitest'
import { memoryStore } from '../../../adapters/memory/index.ts'
import { plain } from '../../../src/cache/parts/format-plain.ts'
import { type Cache, createCache } from '../../../src/index.ts'
import { rounds } from '../../support/rounds.ts'
import { byHand, distant, distantClock, linger, pause, seeded } from './slow-store.ts'

/** Callers of one cold key, at random moments. */
const CALLERS = rounds({ quick: 3000, soak: 10_000 })
const ROUNDS = rounds({ quick: 120, soak: 300 })

const code = (code: string) => expect.objectContaining({ code })

/** A signal that counts its listeners. */
function counted(): { controller: AbortController; listening(): number } {
  const controller = new AbortController()
  let count = 0
  const { signal } = controller
  const add = signal.addEventListener.bind(signal)
  const remove = signal.removeEventListener.bind(signal)
  const listeners = new Set<unknown>()
  signal.addEventListener = (type: string, listener: never, options?: never) => {
    if (!listeners.has(listener)) count++
    listeners.add(listener)
    add(type, listener, options)
  }
  signal.removeEventListener = (type: string, listener: never) => {
    if (listeners.delete(listener)) count--
    remove(type, listener)
  }
  return { controller, listening: () => count }
}

describe('over a store whose calls overtake one another', () => {
  for (const format of ['entry', 'plain'] as const) {
    it(`no later caller sees what was there before, and every call settles: ${format}`, async () => {
      const random = seeded(format === 'plain' ? 7 : 11)
      const memory = memoryStore()
      const open = (): Cache => {
        const store = distant(memory, random)
        return format === 'plain'
          ? (createCache({ store, format: plain(), ttl: '1m', storeTimeout: '20s' }) as Cache)
          : createCache({ store, ttl: '1m', storeTimeout: '20s' })
      }
      // In the plain format a key is guarded within one process only.
      const caches = format === 'plain' ? [open()] : [open(), open(), open()]
      const pick = (): Cache => caches[Math.floor(random() * caches.length)] as Cache
      const leaving = new Error('left')
      const failing = new Error('failed')
      const signals: (() => number)[] = []

      const round = async (n: number): Promise<void> => {
        const key = `k${n}`
        /** The last version whose write was acknowledged, and the newest there is. */
        let acknowledged = 0
        let newest = 0
        const load = async (): Promise<number | undefined> => {
          const seen = newest
          await linger(random)
          if (random() < 0.1) throw failing
          return random() < 0.05 ? undefined : seen
        }
        const reader = async (): Promise<void> => {
          await linger(random)
          const atLeast = acknowledged
          const { controller, listening } = counted()
          signals.push(listening)
          const options = random() < 0.5 ? {} : { signal: controller.signal }
          if (random() < 0.2) void linger(random).then(() => controller.abort(leaving))
          const which = random()
          const answer =
            which < 0.6
              ? pick().getOrSet(key, load, options)
              : which < 0.8
                ? pick().get<number>(key, options)
                : pick()
                    .getMany<number>([key], options)
                    .then((found) => found.get(key))
          const seen = await answer.catch((error: unknown) => {
            if (error !== leaving && error !== failing) throw error
            return undefined
          })
          if (seen !== undefined) expect(seen).toBeGreaterThanOrEqual(atLeast)
        }
        const writer = async (): Promise<void> => {
          for (let i = 0; i < 2; i++) {
            await linger(random)
            const version = ++newest
            if (random() < 0.5) await pick().delete(key)
            else await pick().set(key, version)
            acknowledged = version
          }
        }
        await Promise.all([...Array.from({ length: 8 }, reader), writer(), ...Array.from({ length: 4 }, reader)])
        const last = await pick().getOrSet(key, () => newest)
        if (last !== undefined) expect(last).toBe(newest)
      }
      for (let n = 0; n < ROUNDS; n += 20) await Promise.all(Array.from({ length: 20 }, (_, i) => round(n + i)))
      await Promise.all(caches.map((cache) => cache.flush()))
      expect(caches.map((cache) => cache.stats().inFlight)).toEqual(caches.map(() => 0))
      expect(signals.every((listening) => listening() === 0)).toBe(true)
    }, 60_000)
  }

  it(`runs one loader for ${CALLERS} callers that come at odd moments`, async () => {
    const random = seeded(3)
    const cache = createCache({ store: distant(memoryStore(), random), ttl: '1m', storeTimeout: '20s' })
    let runs = 0
    const load = async () => {
      runs++
      await pause(20)
      return 'value'
    }
    const caller = async () => {
      await linger(random)
      return cache.getOrSet('k', load)
    }
    const answers = await Promise.all(Array.from({ length: CALLERS }, caller))
    expect(new Set(answers)).toEqual(new Set(['value']))
    expect(runs).toBe(1)
    expect(cache.stats().inFlight).toBe(0)
  }, 30_000)
})

describe('a caller whose read came before a lease', () => {
  const begin = async () => {
    const memory = memoryStore()
    const { store, next, flow } = byHand(memory)
    const cache = createCache({ store, ttl: '1m', storeTimeout: '20s' })
    const elsewhere = createCache({ store: memory, ttl: '1m' })
    const door = Promise.withResolvers<string>()
    // The read of `second` returns only after `first` has its lease.
    const controller = new AbortController()
    const first = cache.getOrSet('k', () => door.promise, { signal: controller.signal })
    const firstRead = await next('get')
    const second = cache.getOrSet('k', () => 'second')
    const secondRead = await next('get')
    await secondRead.act()
    await firstRead.answer()
    await (await next('lease')).answer()
    await secondRead.answer()
    const asking = await next('lease')
    await asking.act()
    return { cache, elsewhere, next, flow, door, first, second, asking, controller }
  }
  it('shares the load once its own read has shown the lease', async () => {
    const { cache, next, door, first, second, asking } = await begin()
    await asking.answer()
    await (await next('get')).answer()
    door.resolve('first')
    await (await next('fill')).answer()
    expect(await Promise.all([first, second])).toEqual(['first', 'first'])
    expect(cache.stats()).toMatchObject({ loads: 1, inFlight: 0 })
  })
  it('leads nobody who comes after a delete to the load before it', async () => {
    const { cache, elsewhere, next, flow, door, first, second, asking } = await begin()
    await elsewhere.delete('k')
    const late = cache.getOrSet('k', () => 'late')
    await (await next('get')).answer()
    await asking.answer()
    flow()
    await pause(5)
    door.resolve('first')
    expect(await first).toBe('first')
    expect(await late).not.toBe('first')
    expect(await second).not.toBe('first')
    expect(await elsewhere.get('k')).not.toBe('first')
  })
  it('keeps the load when its first caller leaves', async () => {
    const { next, flow, door, first, second, asking, controller } = await begin()
    await asking.answer()
    await (await next('get')).answer()
    controller.abort(new Error('left'))
    await expect(first).rejects.toThrow('left')
    flow()
    door.resolve('first')
    expect(await second).toBe('first')
  })
})

describe('a load whose callers have left while it asked for its lease', () => {
  it('does not run its loader, and frees the lease', async () => {
    const { store, next } = byHand()
    const cache = createCache({ store, ttl: '1m', storeTimeout: '20s' })
    let runs = 0
    const controller = new AbortController()
    const answer = cache.getOrSet('k', () => ++runs, { signal: controller.signal })
    await (await next('get')).answer()
    const asking = await next('lease')
    controller.abort(new Error('left'))
    await expect(answer).rejects.toThrow('left')
    await asking.answer()
    await (await next('release')).answer()
    expect(runs).toBe(0)
    await cache.flush()
    expect(cache.stats()).toMatchObject({ inFlight: 0, loads: 0 })
  })
})

describe('a read shared within a tick', () => {
  it('is not shared with who comes after a delete, a set, an increment or a take', async () => {
    const memory = memoryStore()
    const cache = createCache({ store: memory, ttl: '1m' })
    await cache.set('k', 1)
    const answers = await Promise.all([
      cache.get('k'),
      cache.set('k', 2),
      cache.get('k'),
      cache.increment('k'),
      cache.get('k'),
      cache.take('k'),
      cache.get('k'),
      cache.add('k', 'a'),
      cache.get('k'),
      cache.delete('k'),
      cache.get('k'),
    ])
    expect(answers).toEqual([1, undefined, 2, 3, 3, 3, undefined, true, 'a', 1, undefined])
  })
  it('is one read', async () => {
    let gets = 0
    const memory = memoryStore()
    const store = {
      ...memory,
      get: (...args: Parameters<typeof memory.get>) => {
        if (args[0] === 'hither:k') gets++
        return memory.get(...args)
      },
    }
    const cache = createCache({ store, ttl: '1m' })
    await Promise.all(Array.from({ length: 100 }, () => cache.get('k')))
    expect(gets).toBe(1)
    await cache.get('k')
    expect(gets).toBe(2)
  })
})

describe('clocks that differ', () => {
  it('a reader ahead of its store takes what the store calls fresh', async () => {
    let gets = 0
    const memory = distantClock(() => Date.now() - 60_000)
    const store = {
      ...memory,
      get: (...args: Parameters<typeof memory.get>) => {
        if (args[0] === 'hither:k') gets++
        return memory.get(...args)
      },
    }
    const cache = createCache({ store, ttl: '30s', grace: '1h' })
    await cache.set('k', 'value')
    expect(await cache.getOrSet('k', () => 'loaded')).toBe('value')
    expect(gets).toBe(2)
    expect(await cache.take('k')).toBe('value')
  })
  it('a deadline ends a call although the clock was set back', async () => {
    const real = Date.now
    const cache = createCache({ store: memoryStore(), ttl: '1m' })
    let running = false
    const load = () => {
      running = true
      return new Promise<never>(() => {})
    }
    const answer = cache.getOrSet('k', load, { deadline: real() + 500 })
    while (!running) await pause(1)
    Date.now = () => real() - 40
    try {
      await expect(answer).rejects.toEqual(code('TIMEOUT'))
    } finally {
      Date.now = real
    }
  })
})

describe('background work', () => {
  it('a waitUntil that throws does not cost the answer', async () => {
    const events: string[] = []
    const cache = createCache({ store: memoryStore(), ttl: '1m', onEvent: ({ type }) => events.push(type) })
    const view = cache.with({
      waitUntil: () => {
        throw new Error('the request is over')
      },
    })
    expect(await view.getOrSet('k', () => 'value')).toBe('value')
    await expect(view.getOrSet('f', () => Promise.reject(new Error('down')))).rejects.toThrow('down')
    await cache.flush()
    expect(await cache.get('k')).toBe('value')
    expect(events).toContain('background-error')
  })
})
