import { Redis } from 'ioredis'
import { afterAll, describe, expect, it } from 'vitest'
import { connect, ioredisStore } from '../../adapters/ioredis/index.ts'
import { tcpStore } from '../../adapters/tcp/index.ts'
import type { AtomicStore } from '../../src/store/store.ts'
import { describeStore, testCounter } from '../../src/testing/index.ts'

const admin = new Redis(process.env.REDIS7_URL ?? '')
const url = new URL(process.env.REDIS7_URL ?? '')
url.username = 'noscripts'
url.password = 'secret'

const stores: Record<string, () => Promise<AtomicStore>> = {
  ioredis: async () => ioredisStore(await connect(url.href)),
  tcp: async () => tcpStore({ url: url.href }),
}

afterAll(() => admin.disconnect())

describe.each(Object.entries(stores))('%s, scripts refused', (name, make) => {
  const open = async () => {
    await admin.call('ACL', 'SETUSER', 'noscripts', 'on', '>secret', '~*', '&*', '+@all', '-@scripting')
    const store = await make()
    // It finds out that scripts are refused: calls keep their order from then on.
    await store.ready()
    return store
  }
  describeStore({ describe, it, afterAll }, `${name}, scripts refused`, {
    open,
    elapse: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    foreign: async (key) => {
      await admin.rpush(key, 'x')
    },
  })
  it('keeps the order of calls on a key', async () => {
    const store = await open()
    for (let round = 0; round < 100; round++) {
      const key = `noscripts:order:${name}:${round}`
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
      Array.from({ length: 50 }, () => store.run(testCounter, `noscripts:${name}:${url.port}`, [1, 5000])),
    )
    expect([...replies].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1))
    await store.close()
  })
})
