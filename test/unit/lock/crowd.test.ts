import { beforeEach, describe, expect, it, vi } from 'vitest'
import { createLocks, type Locks } from '../../../src/lock/index.ts'
import { held, type TestStore, TTL, testStore, useClock } from './support.ts'

// Many timers and minutes of the fake clock, so these tests run in Node alone.

const { pass } = useClock()
let store: TestStore
beforeEach(() => {
  store = testStore()
})
const make = (): Locks => createLocks({ store, namespace: 'shop', ttl: TTL })

describe('a crowd', () => {
  it('lets 32 contenders have it again and again, though a holder asks again at once', async () => {
    const locks = make()
    const counts = Array.from({ length: 32 }, () => 0)
    let over = false
    const done = Promise.all(
      counts.map(async (_, i) => {
        while (!over) {
          const lock = await held(locks.acquire('report', { wait: '1m' }))
          await new Promise((resolve) => setTimeout(resolve, 5))
          await lock.release()
          counts[i] = (counts[i] as number) + 1
        }
      }),
    )
    await pass(20_000)
    over = true
    await pass(60_000)
    await done
    expect(Math.min(...counts)).toBeGreaterThan(20)
  }, 60_000)

  it('of very many callers loads the store no more than that of some', async () => {
    const locks = make()
    await held(locks.acquire('report', { ttl: '10m', renew: false }))
    const crowd = Promise.all(Array.from({ length: 1000 }, () => locks.acquire('report', { wait: '1m' })))
    await pass(30_000)
    store.verbs.length = 0
    await pass(10_000)
    expect(store.verbs.length).toBeLessThan(10_000)
    await pass(25_000)
    expect((await crowd).filter(Boolean)).toEqual([])
    expect(vi.getTimerCount()).toBe(1)
  }, 60_000)

  it('writers that always wait let readers in all the same', async () => {
    const { read, write } = make().readWrite('page')
    let over = false
    const writers = Promise.all(
      Array.from({ length: 8 }, async () => {
        while (!over) {
          const lock = await write.acquire({ wait: '1m' })
          await new Promise((resolve) => setTimeout(resolve, 20))
          await lock?.release()
        }
      }),
    )
    const reader = read.acquire({ wait: '1m' })
    await pass(30_000)
    over = true
    await (await held(reader)).release()
    await pass(60_000)
    await writers
  })

  it('by 10,000 locks', async () => {
    const locks = make()
    for (let i = 0; i < 10_000; i++) await (await held(locks.acquire('report'))).release()
    expect(vi.getTimerCount()).toBe(0)
    expect(store.verbs).toHaveLength(20_000)
    expect((await store.get(':shop:lock:report'))?.length).toBeLessThan(100)
  })
})
