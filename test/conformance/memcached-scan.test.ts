import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type MemcachedStore, memcachedStore } from '../../adapters/memcached/index.ts'
import { globOf } from '../../adapters/memcached/scan.ts'
import { type Server, startServer } from '../../scripts/servers.ts'

async function all(keys: AsyncIterable<string>): Promise<string[]> {
  const found: string[] = []
  for await (const key of keys) found.push(key)
  return found
}

for (const program of ['memcached16', 'memcached'] as const) {
  describe(`the keys of ${program}`, () => {
    const servers: Server[] = []
    let store: MemcachedStore
    beforeAll(async () => {
      servers.push(await startServer(program), await startServer(program))
      store = memcachedStore({ servers: servers.map(({ url }) => url) })
    })
    afterAll(async () => {
      await store.close()
      await Promise.all(servers.map((server) => server.stop()))
    })
    it('are listed whole: binary ones, hashed ones, over several servers', async () => {
      expect(await all(store.scan('*'))).toEqual([])
      const keys = [
        'plain',
        'with space',
        'ümläut 😀',
        'a%20b',
        'b:1',
        ...Array.from({ length: 300 }, (_, i) => `n:${i}`),
      ]
      const long = [`long:${'k'.repeat(400)}`, `long:${'é'.repeat(300)}`]
      await Promise.all([...keys, ...long].map((key) => store.set(key, 'v', 60_000)))
      expect((await all(store.scan('*'))).sort()).toEqual([...keys, ...long].sort())
      expect((await all(store.scan('long:*'))).sort()).toEqual([...long].sort())
      expect((await all(store.scan('n:29?'))).length).toBe(10)
    })
    it('are listed by their names until they end', async () => {
      const keys = Array.from({ length: 20 }, (_, i) => `ends:${'k'.repeat(300)}${i}`)
      await Promise.all(keys.map((key) => store.set(key, 'v', 1000)))
      for (let left = 1; left > 0; ) {
        const listed = await all(store.scan('*'))
        expect(listed.filter((key) => key.startsWith('~'))).toEqual([])
        left = listed.filter((key) => key.startsWith('ends:')).length
      }
    })
    it('are listed after many as well', async () => {
      await Promise.all(Array.from({ length: 20_000 }, (_, i) => store.set(`many:${i}`, 'v')))
      expect(new Set(await all(store.scan('many:*'))).size).toBe(20_000)
    })
    it.each([['-X'], ['-o', 'no_lru_crawler']])(
      'are not to be had of a server that lists none: %s',
      async (...args) => {
        const own = await startServer(program, { args })
        const silent = memcachedStore({ servers: [own.url] })
        await expect(all(silent.scan('*'))).rejects.toMatchObject({ code: 'UNSUPPORTED' })
        await silent.close()
        await own.stop()
      },
    )
    it('reject when the server ends', async () => {
      const own = await startServer(program)
      const lost = memcachedStore({ servers: [own.url] })
      await lost.set('a', '1')
      await own.stop()
      await expect(all(lost.scan('*'))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
      await lost.close()
      await expect(all(lost.scan('*'))).rejects.toMatchObject({ code: 'CLOSED' })
    })
  })
}

describe('a glob pattern', () => {
  it.each([
    ['*', 'a\nb', true],
    ['a?c', 'abc', true],
    ['a?c', 'ac', false],
    ['h[ae]llo', 'hello', true],
    ['h[^ae]llo', 'hello', false],
    ['h[a-b]llo', 'hbllo', true],
    ['a\\*b', 'a*b', true],
    ['a\\*b', 'axb', false],
    ['a.b', 'axb', false],
    ['(a|b)', '(a|b)', true],
    ['[', '[', true],
    ['a]', 'a]', true],
    ['a-b/c', 'a-b/c', true],
  ])('%s and %s: %s', (pattern, key, fits) => {
    expect(globOf(pattern).test(key)).toBe(fits)
  })
})
