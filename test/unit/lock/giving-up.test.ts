import { describe, expect, it } from 'vitest'
import { createLocks } from '../../../src/lock/index.ts'
import { held, testStore, useClock } from './support.ts'

const { pass } = useClock()

describe('a caller whose wait is over', () => {
  for (const { way, back } of [
    { way: 40, back: 0 },
    { way: 0, back: 40 },
    { way: 0, back: 0 },
    { way: 120, back: 1 },
  ]) {
    it(`keeps nobody out of a free lock: ${way} ms there, ${back} ms back`, async () => {
      for (let wait = 1; wait < 200; wait += 7) {
        const store = testStore()
        const locks = createLocks({ store, ttl: '30s' })
        const lock = await held(locks.acquire('report'))
        store.before = (verb) => verb === 'take' && way && pass(way)
        store.after = (verb) => verb === 'take' && back && pass(back)
        const pending = locks.acquire('report', { wait })
        let over = false
        void pending.then(() => {
          over = true
        })
        while (!over) await pass(1)
        expect(await pending).toBeUndefined()
        store.before = store.after = () => {}
        await lock.release()
        const next = await held(locks.acquire('report'))
        await next.release()
      }
    })
  }
  it('sends one command more for it, and none where it has not claimed', async () => {
    const store = testStore()
    const locks = createLocks({ store, ttl: '30s' })
    await held(locks.acquire('report'))
    store.verbs.length = 0
    expect(await locks.acquire('report')).toBeUndefined()
    expect(store.verbs).toEqual(['take'])
    const pending = locks.acquire('report', { wait: 100 })
    await pass(200)
    await pending
    expect(store.verbs.filter((verb) => verb === 'free')).toHaveLength(1)
  })
})
