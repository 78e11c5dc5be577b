import { readFileSync } from 'node:fs'
import { Redis } from 'ioredis'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { connect, ioredisStore } from '../../adapters/ioredis/index.ts'
import { tcpStore } from '../../adapters/tcp/index.ts'
import { createCache } from '../../src/index.ts'
import { createRateLimiter, fixedWindow, slidingBuckets, slidingLog } from '../../src/rate-limit/index.ts'
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
/** Resolves to how often the server ran a command since its statistics were last reset. */
const ran = async (command: string): Promise<number> =>
  Number(new RegExp(`cmdstat_${command}\\w*:calls=(\\d+)`).exec(await admin.info('commandstats'))?.[1] ?? 0)

describe.each(Object.entries(stores))('%s, scripts refused', (name, make) => {
  const open = async () => {
    await admin.call('ACL', 'SETUSER', 'noscripts', 'on', '>secret', '~*', '&*', '+@all', '-@scripting')
    const store = await make()
    // `ready` finds out that scripts are refused. From then on the store runs calls on a key one at a time.
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
  it('runs scripts again once the server takes them, and keeps the order meanwhile', async () => {
    const store = await open()
    await store.run(testCounter, `noscripts:back:${name}`, [1, 5000])
    await admin.call('ACL', 'SETUSER', 'noscripts', '+@scripting')
    await admin.call('CONFIG', 'RESETSTAT')
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
    try {
      const sums = async (): Promise<number[]> => {
        const key = `noscripts:back:${name}:${Math.random()}`
        const calls = Array.from({ length: 20 }, () => store.run(testCounter, key, [1, 60_000]))
        return Promise.all(calls)
      }
      const inOrder = Array.from({ length: 20 }, (_, i) => i + 1)
      expect(await sums()).toEqual(inOrder)
      expect(await ran('eval')).toBe(0)
      vi.setSystemTime(Date.now() + 11_000)
      expect(await sums()).toEqual(inOrder)
      expect(await ran('eval')).toBeGreaterThan(0)
      await admin.call('CONFIG', 'RESETSTAT')
      expect(await sums()).toEqual(inOrder)
      expect(await ran('watch')).toBe(0)
    } finally {
      vi.useRealTimers()
      await store.close()
    }
  })
  it('a key that is refused says nothing of scripts: the store stays as it is', async () => {
    const rights = ['reset', 'on', '>secret', '~open:*', '&*', '+@all']
    await admin.call('ACL', 'SETUSER', 'noscripts', ...rights)
    const store = await make()
    const before = await ran('watch')
    for (const key of ['other', 'another']) {
      await expect(store.run(testCounter, key, [1, 5000])).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
    }
    const algorithm = slidingLog({ limit: 5, window: '1m' })
    const limiter = createRateLimiter({ store, algorithm, outage: 'open', namespace: 'refused' })
    expect(await limiter.limit('user')).toMatchObject({ success: true, reason: 'unavailable' })
    expect(await store.run(testCounter, `open:${name}:${Math.random()}`, [1, 5000])).toBe(1)
    await store.ready()
    expect((await ran('watch')) - before).toBe(0)
    // A command that the user may not run inside a script does not make the store use WATCH either.
    await admin.call('ACL', 'SETUSER', 'noscripts', '-set')
    await expect(store.run(testCounter, 'open:x', [1, 5000])).rejects.toMatchObject({
      code: expect.not.stringMatching('UNSUPPORTED'),
    })
    expect((await ran('watch')) - before).toBe(0)
    await store.close()
    await admin.call('ACL', 'SETUSER', 'noscripts', 'reset')
  })
  it('a user with the rights that the documentation names has a cache and a limiter', async () => {
    const page = readFileSync(new URL('../../docs/tcp.md', import.meta.url), 'utf8')
    const rights = (row: string): string[] =>
      [...(page.split(`| ${row} |`)[1]?.split('\n')[0] ?? '').matchAll(/\+\w+/g)].map(String)
    const first = rights('a plain store: `get`, `set`, `delete`')
    const info = name === 'ioredis' ? ['+info'] : []
    const user = (...more: string[]) =>
      admin.call('ACL', 'SETUSER', 'noscripts', 'reset', 'on', '>secret', '~*', '-@all', ...first, ...info, ...more)
    await user(...rights('a cache, also with tags'))
    const store = await make()
    const cache = createCache({ store, namespace: `acl-${name}`, ttl: '1m', grace: '1m' })
    await cache.set('k', 1, { tags: ['t'] })
    expect(await cache.getOrSet('l', () => 2, { tags: ['t'] })).toBe(2)
    expect([
      await cache.get('k', { tags: ['t'] }),
      await cache.increment('n'),
      await cache.touch('l', { ttl: '2m' }),
    ]).toEqual([1, 1, true])
    await cache.invalidateTags(['t'])
    expect([
      await cache.add('k', 3),
      await cache.take('k'),
      await cache.delete('l'),
      await cache.expire('n'),
    ]).toBeDefined()
    await cache.clear()
    await user(...rights('a limiter'))
    for (const algorithm of [slidingLog, fixedWindow, slidingBuckets]) {
      const limit = createRateLimiter({
        store,
        algorithm: algorithm({ limit: 2, window: '1m' }),
        outage: 'closed',
        namespace: `acl-${name}`,
      })
      const taken = []
      for (let i = 0; i < 3; i++) taken.push((await limit.limit('user')).reason)
      expect(taken).toEqual(['ok', 'ok', 'limited'])
      await limit.reset('user')
    }
    await user(...rights('operations where scripts are not allowed'))
    expect(await store.run(testCounter, `acl:${name}:${Math.random()}`, [1, 5000])).toBe(1)
    await store.close()
    await admin.call('ACL', 'SETUSER', 'noscripts', 'reset')
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
