import { describe, expect, it } from 'vitest'
import { cacheOf, createOrigin, get, isHit, lengthOf, see, storeWithParts } from './support.ts'

const URL_WITH = 'https://a.example/page?x=1&utm=2'
const RULE = { 'no-vary-search': 'params=("utm")' }

describe('what a No-Vary-Search field has stored under another query', () => {
  it.each([
    ['a purge of its URL', (cache) => cache.purge({ url: URL_WITH })],
    ['a POST to its URL', (cache) => cache(new Request(URL_WITH, { method: 'POST' }), () => new Response('done'))],
  ] as [string, (cache: ReturnType<typeof cacheOf>) => Promise<unknown>][])(
    'is not stored after %s while it was fetched, though nothing was known of the field',
    async (_, end) => {
      const cache = cacheOf()
      const origin = createOrigin()
      const { promise, resolve } = Promise.withResolvers<void>()
      origin.answers(async (_, count) => {
        if (count === 1) await promise
        return new Response(`${count}`, { headers: { ...RULE, 'cache-control': 'max-age=60' } })
      })
      const first = cache(new Request(URL_WITH), origin)
      while (origin.asked.length === 0) await new Promise((wait) => setTimeout(wait))
      await end(cache)
      resolve()
      expect((await see(await first)).body).toBe('1')
      expect((await get(cache, origin, { url: URL_WITH })).body).toBe('2')
      const last = await get(cache, origin, { url: 'https://a.example/page?x=1&utm=3' })
      expect([last.body, isHit(last)]).toEqual(['2', true])
    },
  )
  it('is dropped where its origin forbids to store it', async () => {
    const cache = cacheOf()
    const origin = createOrigin()
    const old = { ...RULE, 'cache-control': 'max-age=0, stale-if-error=600', etag: '"a"' }
    origin.answers((_, count) => {
      if (count === 3) throw new Error('the origin is down')
      return new Response(`${count}`, { headers: count === 1 ? old : { 'cache-control': 'no-store' } })
    })
    const ask = () => get(cache, origin, { url: URL_WITH })
    expect([(await ask()).body, (await ask()).body]).toEqual(['1', '2'])
    await expect(ask()).rejects.toThrow('the origin is down')
  })
  it('is dropped where a part of its body was evicted', async () => {
    const { memory, store, parts } = storeWithParts()
    const cache = cacheOf({ store })
    const origin = createOrigin()
    const headers = { ...RULE, 'cache-control': 'max-age=3600' }
    origin.answers(() => new Response(new Uint8Array(900_000), { headers }))
    const ask = async (): Promise<[number | 'cut', number]> => {
      const length = await lengthOf(await cache(new Request(URL_WITH), origin))
      await cache.flush()
      // The clock of this store has steps of a millisecond: what began in the one of the drop is not stored.
      await new Promise((wait) => setTimeout(wait, 5))
      return [length, origin.asked.length]
    }
    expect(await ask()).toEqual([900_000, 1])
    await memory.delete([parts[2] as string])
    expect([await ask(), await ask(), await ask()]).toEqual([
      ['cut', 1],
      [900_000, 2],
      [900_000, 2],
    ])
  })
})
