import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect, ioredisStore } from '../../adapters/ioredis/index.ts'
import { type StartedGateway, startGateway } from '../../adapters/node/index.ts'
import { tcpStore } from '../../adapters/tcp/index.ts'
import { upstashStore } from '../../adapters/upstash/index.ts'
import { type AtomicStore, type Cache, type CacheOptions, createCache } from '../../src/index.ts'

// Caches with separate connections to one Redis, as separate processes have.

const url = process.env.REDIS8_URL ?? ''
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
let gateway: StartedGateway
beforeAll(async () => {
  gateway = await startGateway({ redis: url })
})
afterAll(() => gateway.stop())

const ways: Readonly<Record<string, () => Promise<AtomicStore>>> = {
  tcp: async () => tcpStore({ url }),
  ioredis: async () => ioredisStore(await connect(url)),
  REST: async () => upstashStore(gateway),
}

for (const [name, open] of Object.entries(ways)) {
  describe(`loads of several processes, ${name}`, () => {
    const caches = async (count: number, options: Partial<CacheOptions> = {}): Promise<Cache<'frozen'>[]> => {
      const namespace = `loads-${Math.random().toString(36).slice(2)}`
      const one = async (): Promise<Cache<'frozen'>> =>
        createCache({ store: await open(), namespace, ttl: '1m', storeTimeout: '20s', ...options })
      return Promise.all(Array.from({ length: count }, one))
    }
    const closeAll = (all: readonly Cache<'frozen'>[]): Promise<unknown> =>
      Promise.all(all.map((cache) => cache.close()))

    it('that all fail fail after two at the most, one for each process', async () => {
      for (const grace of [0, '1h'] as const) {
        const all = await caches(8, { grace })
        if (grace) {
          await all[0]?.set('k', 'stale')
          await all[0]?.expire('k')
        }
        let running = 0
        let loads = 0
        const most: number[] = []
        const fail = async (): Promise<never> => {
          loads++
          most.push(++running)
          await pause(400)
          running--
          throw new Error('down')
        }
        const answers = await Promise.allSettled(all.map((cache) => cache.getOrSet('k', fail)))
        expect(loads).toBe(8)
        // The first loader runs alone. Once it has failed, the other seven run together, and none waits for another.
        expect(most).toEqual([1, 1, 2, 3, 4, 5, 6, 7])
        for (const answer of answers) {
          if (grace) expect(answer).toEqual({ status: 'fulfilled', value: 'stale' })
          else expect(answer).toMatchObject({ status: 'rejected', reason: { message: 'down' } })
        }
        await closeAll(all)
      }
    }, 30_000)
    it('share a failure by option', async () => {
      const all = await caches(8)
      let loads = 0
      const fail = async (): Promise<never> => {
        loads++
        await pause(200)
        throw new Error('down')
      }
      const answers = await Promise.allSettled(all.map((cache) => cache.getOrSet('k', fail, { shareFailure: '20s' })))
      expect(loads).toBe(1)
      const reasons = answers.map((answer) => answer.status === 'rejected' && (answer.reason.code ?? 'own'))
      expect(reasons.sort()).toEqual([...Array(7).fill('LOAD_FAILED'), 'own'])
      await closeAll(all)
    }, 30_000)
    it('pass to another process when one closes', async () => {
      const [here, there] = (await caches(2)) as [Cache<'frozen'>, Cache<'frozen'>]
      const { promise, resolve } = Promise.withResolvers<string>()
      const first = here.getOrSet('k', () => promise)
      await pause(100)
      const closing = here.close()
      const second = there.getOrSet('k', () => 'of b')
      await closing
      expect(await second).toBe('of b')
      resolve('of a')
      expect(await first).toBe('of a')
      expect(await there.get('k')).toBe('of b')
      await there.close()
    }, 30_000)
    it('leave no timer that keeps the process after close', async () => {
      const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
      const [here, there] = (await caches(2)) as [Cache<'frozen'>, Cache<'frozen'>]
      const { promise, resolve } = Promise.withResolvers<string>()
      const running = here.getOrSet('own', () => promise)
      const other = there.getOrSet('k', () => promise)
      await pause(100)
      const waiting = here.getOrSet('k', () => 'here')
      waiting.catch(() => {})
      // The waiting call has a timer between two reads of the store, and none during a read. So take the largest count.
      let before = 0
      for (let i = 0; i < 15; i++) {
        await pause(5)
        before = Math.max(before, timers())
      }
      await here.close()
      await expect(waiting).rejects.toMatchObject({ code: 'CLOSED' })
      // The timers of the running load and of the waiting call are gone. Without `vi.waitFor`, whose timers would be counted too.
      for (let i = 0; i < 100 && timers() > before - 2; i++) await pause(10)
      expect(timers()).toBeLessThanOrEqual(before - 2)
      resolve('value')
      expect(await Promise.all([running, other])).toEqual(['value', 'value'])
      await there.close()
    }, 30_000)
    it('of a value that is gone end its stale copy everywhere', async () => {
      const [here, there] = (await caches(2, { grace: '1h' })) as [Cache<'frozen'>, Cache<'frozen'>]
      await here.set('k', 'old')
      await here.expire('k')
      expect(await here.getOrSet('k', () => undefined)).toBeUndefined()
      await here.flush()
      await expect(there.getOrSet('k', () => Promise.reject(new Error('down')))).rejects.toThrow('down')
      await closeAll([here, there])
    })
  })
}
