import { createHttpCache, type HttpCache, type HttpCacheOptions, purgeHandler } from 'hither/http'
import { memoryStore } from 'hither/memory'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { cacheOf, createOrigin, get, isHit, type Origin, see, URL_A } from './support.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2026, 0, 1) })
})
afterEach(() => {
  vi.useRealTimers()
})
const wait = (ms: number): void => void vi.setSystemTime(Date.now() + ms)

/** A cache behind another one. The one in front reads fields as a CDN does, and is purged by tags. */
function stack(origin: Origin, options: Partial<HttpCacheOptions> = {}) {
  const front = cacheOf({ cacheStatus: 'cdn' })
  const behind = cacheOf({ layers: [front], ...options })
  const ask = async (url = URL_A): Promise<string> => {
    const { headers } = await see(await front(new Request(url), (request) => behind(request, origin)))
    const age = headers.get('age') ?? '-'
    return `${(headers.get('cache-status') ?? '').replace(/ttl=-?\d+/g, 'ttl')} | ${age}`
  }
  return { front, behind, ask }
}

describe('with a cache in front', () => {
  it('a response is as old in both, and no older than it may be', async () => {
    const origin = createOrigin({ 'cache-control': 'max-age=60' })
    const { front, behind, ask } = stack(origin)
    await get(behind, origin)
    wait(40_000)
    expect(await ask()).toBe('hither; hit; ttl, cdn; fwd=uri-miss; fwd-status=200; stored | 40')
    wait(19_000)
    expect(await ask()).toBe('hither; hit; ttl, cdn; hit; ttl | 59')
    wait(1000)
    expect(await ask()).not.toContain('hither; hit')
    expect(origin.asked.length).toBe(2)
    await Promise.all([front.close(), behind.close()])
  })
  it('one purge of a tag ends both: a tag of Cache-Tag and a tag of a rule', async () => {
    for (const tag of ['t1', 'of-a-rule', 'made-by-a-rule']) {
      const origin = createOrigin({ 'cache-control': 'max-age=60', 'cache-tag': 't1' })
      const rules = [
        {
          match: '/page',
          tags: tag === 'of-a-rule' ? [tag] : (_: Request, { status }: Response) => [`${tag}`, `${status}`],
        },
      ]
      const { behind, ask } = stack(origin, { rules })
      await ask()
      expect(await ask()).toContain('cdn; hit')
      await behind.purge({ tags: ['another'] })
      expect(await ask()).toContain('cdn; hit')
      await behind.purge({ tags: [tag] })
      expect([tag, await ask(), origin.asked.length]).toEqual([
        tag,
        'hither; fwd=uri-miss; fwd-status=200; stored, cdn; fwd=uri-miss; fwd-status=200; stored | -',
        2,
      ])
    }
  })
  it('a tag may have any text: commas, other letters, spaces at its ends', async () => {
    for (const tag of ['Smith, John', '日本 語', 'é', ' a ', '\ud800', 'a\nb', '50%', 'あ'.repeat(50)]) {
      const origin = createOrigin({ 'cache-control': 'max-age=60' })
      const { behind, ask } = stack(origin, { rules: [{ tags: [tag, 'other'] }] })
      await ask()
      for (const another of ['Smith', 'John', '日本', 'a', 'b'].filter((one) => one !== tag.trim()))
        await behind.purge({ tags: [another] })
      expect([tag, await ask()]).toEqual([tag, expect.stringContaining('cdn; hit')])
      await behind.purge({ tags: [tag] })
      await ask()
      expect([tag, origin.asked.length]).toEqual([tag, 2])
    }
  })
  it('a layer is asked for a tag as its field had it', async () => {
    const seen: unknown[] = []
    await cacheOf({ layers: [{ purge: (selection) => seen.push(selection) }] }).purge({ tags: ['a, b', 'é', 'c'] })
    expect(seen).toEqual([{ tags: ['a%2C b', '%C3%A9', 'c'] }])
  })
  it('the fields that CDNs read have the tags of a rule, and without one in front no field has them', async () => {
    const origin = createOrigin({ 'cache-control': 'max-age=60', 'cache-tag': 't1' })
    const rules = [{ tags: ['t2'] }]
    const fields = async (cache: HttpCache) => {
      const { headers } = await get(cache, origin)
      return [headers.get('cache-tag'), headers.get('vercel-cache-tag')]
    }
    for (const cache of [cacheOf({ rules, layers: [{ purge() {} }, { purge() {}, tagField: 'Vercel-Cache-Tag' }] })]) {
      expect(await fields(cache)).toEqual(['t1, t2', 't1, t2'])
      expect(await fields(cache)).toEqual(['t1, t2', 't1, t2'])
    }
    expect(await fields(cacheOf({ rules }))).toEqual(['t1', null])
  })
  it('its own responses end first, and a layer that did not purge makes the purge reject', async () => {
    const origin = createOrigin({ 'cache-control': 'max-age=60', 'cache-tag': 't1' })
    const seen: unknown[] = []
    const failing = [
      () => ({ success: false, errors: [{ code: 1, message: 'too many purges' }] }),
      () => Promise.resolve({ success: false }),
      () => Promise.reject(new TypeError('gone')),
      () => {
        throw new TypeError('gone')
      },
    ]
    for (const purge of failing) {
      const other = vi.fn()
      const cache: HttpCache = createHttpCache({
        store: memoryStore(),
        layers: [
          {
            async purge(selection) {
              seen.push(selection, isHit(await get(cache, origin)))
              return purge()
            },
          },
          { purge },
          { purge: other },
        ],
      })
      await get(cache, origin)
      await expect(cache.purge({ tags: ['t1'] })).rejects.toMatchObject({ code: 'STORE_REJECTED', retryable: true })
      expect(seen.splice(0)).toEqual([{ tags: ['t1'] }, false])
      expect(other).toHaveBeenCalledOnce()
      const request = new Request('https://a.example/purge', {
        method: 'POST',
        body: '{"tags":["t1"]}',
        headers: { authorization: 'Bearer a-token-of-the-test' },
      })
      expect((await purgeHandler(cache, { tokens: ['a-token-of-the-test'] })(request)).status).toBe(503)
      seen.splice(0)
    }
    const done = cacheOf({ layers: [{ purge: () => ({ success: true, errors: [] }) }, { purge: () => undefined }] })
    await done.purge({ tags: ['t1'] })
  })
})

describe('a 304', () => {
  it('that names other tags is purged by them', async () => {
    for (const tag of ['after', 'group']) {
      const cache = cacheOf()
      const origin = createOrigin({ 'cache-control': 'max-age=10', 'cache-tag': 'before', etag: '"e"' })
      await get(cache, origin)
      wait(11_000)
      origin.answers(
        () =>
          new Response(null, {
            status: 304,
            headers: { 'cache-control': 'max-age=10', 'cache-tag': 'after', 'cache-groups': '"group"', etag: '"e"' },
          }),
      )
      await get(cache, origin)
      expect(isHit(await get(cache, origin))).toBe(true)
      await cache.purge({ tags: [tag] })
      expect([tag, isHit(await get(cache, origin))]).toEqual([tag, false])
    }
  })
  it('to a cache in front has the tags', async () => {
    const cache = cacheOf()
    const origin = createOrigin({ 'cache-control': 'max-age=60', 'cache-tag': 'a', 'cache-groups': '"g"', etag: '"e"' })
    await get(cache, origin)
    const { status, headers } = await get(cache, origin, { headers: { 'if-none-match': '"e"' } })
    expect([status, headers.get('cache-tag'), headers.get('cache-groups')]).toEqual([304, 'a', '"g"'])
  })
  it('without a Vary leaves the stored one as it is, with what a rule adds', async () => {
    const cache = cacheOf({ rules: [{ vary: ['X-A'], tags: ['t'] }] })
    const origin = createOrigin({ 'cache-control': 'max-age=10', vary: 'X-B', etag: '"e"' })
    const ask = (headers: Record<string, string>) => get(cache, origin, { headers })
    await ask({ 'x-b': '1' })
    for (const vary of ['', 'X-B, x-a', 'X-B']) {
      wait(11_000)
      origin.answers(() => new Response(null, { status: 304, headers: { etag: '"e"', ...(vary ? { vary } : {}) } }))
      expect((await ask({ 'x-b': '1' })).headers.get('vary')?.toLowerCase()).toBe('x-b, x-a')
      origin.answers(() => new Response('another', { headers: { 'cache-control': 'no-store' } }))
      expect([vary, isHit(await ask({ 'x-b': '1' }))]).toEqual([vary, true])
      for (const headers of [{ 'x-b': '2' }, { 'x-b': '1', 'x-a': '1' }])
        expect([vary, headers, (await ask(headers)).body]).toEqual([vary, headers, 'another'])
    }
  })
})
