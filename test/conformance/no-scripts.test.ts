import { Redis } from 'ioredis'
import { afterAll, describe, expect, it } from 'vitest'
import { connect, ioredisStore } from '../../adapters/ioredis/index.ts'
import { describeStore, testCounter } from '../../src/testing/index.ts'

const admin = new Redis(process.env.REDIS7_URL ?? '')
const url = new URL(process.env.REDIS7_URL ?? '')
url.username = 'noscripts'
url.password = 'secret'

const open = async () => {
  await admin.call('ACL', 'SETUSER', 'noscripts', 'on', '>secret', '~*', '&*', '+@all', '-@scripting')
  const store = ioredisStore(await connect(url.href))
  // It finds out that scripts are refused: calls keep their order from then on.
  await store.ready()
  return store
}

afterAll(() => admin.disconnect())

describeStore({ describe, it, afterAll }, 'ioredis, scripts refused', {
  open,
  elapse: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  foreign: async (key) => {
    await admin.rpush(key, 'x')
  },
})

describe('without scripts', () => {
  it('keeps the order of calls on a key', async () => {
    const store = await open()
    for (let round = 0; round < 100; round++) {
      const key = `noscripts:order:${round}`
      const [, sum, , again, gone] = await Promise.all([
        store.set(key, '5', 60_000),
        store.run(testCounter, key, [2, 0]),
        store.set(key, '1', 60_000),
        store.run(testCounter, key, [1, 0]),
        store.delete([key]),
      ])
      expect([sum, again, gone, await store.get(key)]).toEqual([7, 2, 1, undefined])
    }
    await store.close()
  })
  it('loses no increment of 50 callers at once, and counts none twice', async () => {
    const store = await open()
    const replies = await Promise.all(
      Array.from({ length: 50 }, () => store.run(testCounter, `noscripts:${url.port}`, [1, 5000])),
    )
    expect([...replies].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1))
    await store.close()
  })
})
