import { memoryStore } from 'hither/memory'
import { nearTier } from 'hither/near'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { cacheOf, createOrigin, get } from './support.ts'

// A clock of milliseconds, such as that of memory, Memcached and NATS, does not show what came first within one of them.

const url = 'https://a.example/shop/page'
const fields = { 'cache-control': 'max-age=60', 'cache-tag': 't', 'cache-groups': '"g"' }
const purges = [
  { tags: ['t'] },
  { tags: ['g'] },
  { path: url },
  { prefix: 'https://a.example/' },
  { prefix: 'https://a.example/shop' },
  { url },
]
beforeEach(() => void vi.useFakeTimers({ toFake: ['Date'] }))
afterEach(() => void vi.useRealTimers())

describe.each([['the store alone', {}] as const, ['a near tier', undefined] as const])('over %s', (_, given) => {
  const options = () => given ?? { near: nearTier({ maxAge: '5s' }) }

  it.each(purges)('what is fetched in the moment of a purge and after it is stored: %j', async (selection) => {
    const cache = cacheOf(options())
    const origin = createOrigin(fields)
    await get(cache, origin, { url })
    for (let i = 0; i < 3; i++) {
      await cache.purge(selection)
      expect((await get(cache, origin, { url })).story).toContain('fwd=uri-miss')
      expect((await get(cache, origin, { url })).story).toContain('hit;')
    }
  })
  it.each(purges)('what is being fetched then is not: %j', async (selection) => {
    const cache = cacheOf(options())
    const origin = createOrigin(fields)
    await get(cache, origin, { url })
    await cache.purge(selection)
    let purged = false
    origin.answers(async () => {
      if (!purged) await cache.purge(selection)
      purged = true
      return new Response('old', { headers: fields })
    })
    await get(cache, origin, { url })
    origin.answers(() => new Response('new', { headers: fields }))
    expect((await get(cache, origin, { url })).body).toBe('new')
    expect((await get(cache, origin, { url })).story).toContain('hit;')
  })
  it.each(purges)('nor is it where its URL was purged just before: %j', async (selection) => {
    const cache = cacheOf(options())
    const origin = createOrigin(fields)
    await get(cache, origin, { url })
    await cache.purge({ url })
    origin.answers(async () => {
      await cache.purge(selection)
      return new Response('old', { headers: fields })
    })
    await get(cache, origin, { url })
    origin.answers(() => new Response('new', { headers: fields }))
    expect((await get(cache, origin, { url })).body).toBe('new')
  })
  it('nor is what goes to the place of another query', async () => {
    const cache = cacheOf(options())
    const origin = createOrigin(fields)
    const ruled = { headers: { ...fields, 'no-vary-search': 'params=("utm")' } }
    const [one, two] = [`${url}?utm=1`, `${url}?utm=2`]
    await get(cache, origin, { url: one })
    await cache.purge({ url: one })
    origin.answers(async () => {
      origin.answers(() => new Response('other', ruled))
      await get(cache, origin, { url: two })
      await cache.purge({ url: two })
      return new Response('old', ruled)
    })
    await get(cache, origin, { url: one })
    origin.answers(() => new Response('new', ruled))
    expect((await get(cache, origin, { url: two })).body).toBe('new')
  })
  it.each([{ tags: ['t'] }, { tags: ['g'] }])('and no page had the tag before: %j', async (selection) => {
    const cache = cacheOf(options())
    const origin = createOrigin(fields)
    await cache.purge(selection)
    await get(cache, origin, { url })
    expect((await get(cache, origin, { url })).story).toContain('hit;')
    origin.answers(async () => {
      await cache.purge(selection)
      return new Response('old', { headers: fields })
    })
    const other = 'https://a.example/other'
    await get(cache, origin, { url: other })
    origin.answers(() => new Response('new', { headers: fields }))
    expect((await get(cache, origin, { url: other })).body).toBe('new')
  })
  it('a group that a POST has ended in the moment is stored anew', async () => {
    const cache = cacheOf(options())
    const origin = createOrigin(fields)
    await get(cache, origin, { url })
    origin.answers(() => new Response('', { headers: { ...fields, 'cache-group-invalidation': '"g"' } }))
    await get(cache, origin, { url: 'https://a.example/post', method: 'POST', body: 'x' })
    origin.answers(() => new Response('new', { headers: fields }))
    expect((await get(cache, origin, { url })).body).toBe('new')
    expect((await get(cache, origin, { url })).story).toContain('hit;')
  })
})

it.each(purges)(
  'what is fetched in the moment of a purge by another process, and after it, is stored: %j',
  async (selection) => {
    const store = memoryStore()
    const [cache, other] = [cacheOf({ store }), cacheOf({ store })]
    const origin = createOrigin(fields)
    await get(cache, origin, { url })
    await other.purge(selection)
    expect((await get(cache, origin, { url })).story).toContain('fwd=uri-miss')
    expect((await get(cache, origin, { url })).story).toContain('hit;')
  },
)
