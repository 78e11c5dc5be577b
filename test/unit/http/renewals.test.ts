import { memoryStore } from 'hither/memory'
import { expect, it, vi } from 'vitest'
import { cacheOf, createOrigin, get, URL_A } from './support.ts'

const fields = { 'cache-control': 'max-age=0', etag: '"a"', 'cache-tag': 't' }

it.each([
  ['its URL', { url: URL_A }],
  ['its tag', { tags: ['t'] }],
  ['a prefix of it', { prefix: 'https://a.example/' }],
])('a 304 does not bring back what was ended by %s after it was read', async (_, selection) => {
  const memory = memoryStore()
  let before: (() => Promise<void>) | undefined
  const run: typeof memory.run = async (operation, ...rest) => {
    const act = operation.name === 'http.begin' ? before : undefined
    before = operation.name === 'http.begin' ? undefined : before
    await act?.()
    return memory.run(operation, ...rest)
  }
  const cache = cacheOf({ store: { ...memory, run } })
  const origin = createOrigin()
  origin.answers(({ headers }, count) =>
    headers.has('if-none-match')
      ? new Response(null, { status: 304, headers: { etag: '"a"' } })
      : new Response(`${count}`, { headers: fields }),
  )
  await get(cache, origin)
  // It is read, then purged, then the origin is asked: a clock of milliseconds is to tell that order.
  const later = (): Promise<unknown> => new Promise((wait) => setTimeout(wait, 5))
  const purge = vi.fn(async () => {
    await cache.purge(selection)
    await later()
  })
  before = purge
  expect((await get(cache, origin)).body).toBe('1')
  expect(purge).toHaveBeenCalledTimes(1)
  expect((await get(cache, origin)).body).toBe('3')
  // Where nothing ends it, a 304 renews it.
  await later()
  expect((await get(cache, origin)).story).toMatch(/^hither; fwd=stale; fwd-status=304; stored; /)
})
