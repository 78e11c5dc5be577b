import { memoryStore } from 'hither/memory'
import { expect, it, vi } from 'vitest'
import { REQUEST_SCOPED } from '../../../src/runtime/background.ts'
import { cacheOf, createOrigin, get, isHit, URL_A } from './support.ts'

/** The first request hangs, or its process has died; the others come to a cache of the same process, or of another. */
async function afterOneThatHangs(processes: number, cacheControl: string) {
  const memory = memoryStore()
  const run = vi.fn(memory.run)
  const store = { ...memory, run: run as typeof memory.run }
  const caches = Array.from({ length: processes }, () => cacheOf({ store, collapseTimeout: 50 }))
  const origin = createOrigin()
  origin.answers((_, count) =>
    count === 1 ? new Promise(() => {}) : new Response(`${count}`, { headers: { 'cache-control': cacheControl } }),
  )
  void caches[0]?.(new Request(URL_A), origin)
  await vi.waitFor(() => expect(origin.asked.length).toBe(1))
  return async () => {
    run.mockClear()
    const seen = await get(caches.at(-1) as (typeof caches)[0], origin)
    return { ...seen, begins: run.mock.calls.filter(([{ name }]) => name === 'http.begin').length }
  }
}

it.each([1, 2])('one request waits for one that hangs, and those after it do not: processes %i', async (processes) => {
  const ask = await afterOneThatHangs(processes, 'no-store')
  const first = await ask()
  expect(first.body).toBe('2')
  // Where requests of one process know of one another, it has waited for the lease as well.
  if (processes === 1 && !REQUEST_SCOPED) expect(first.begins).toBe(1)
  for (const body of ['3', '4']) {
    const next = await ask()
    expect(next).toMatchObject({ body, begins: 1, story: 'hither; fwd=uri-miss; fwd-status=200; detail=no-store' })
  }
})

it.each([1, 2])('what is fetched in place of one that hangs is stored: processes %i', async (processes) => {
  const ask = await afterOneThatHangs(processes, 'max-age=60')
  expect((await ask()).body).toBe('2')
  const next = await ask()
  expect([next.body, isHit(next)]).toEqual(['2', true])
})
