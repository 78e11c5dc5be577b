import type { AtomicStore } from 'hither'
import { memoryStore } from 'hither/memory'
import { expect, it, vi } from 'vitest'
import { REQUEST_SCOPED } from '../../../src/runtime/background.ts'
import { cacheOf, createOrigin, get, isHit, see, skipFor, URL_A } from './support.ts'

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

it('a request that passes two caches of one store does not wait for itself', async () => {
  const store = memoryStore()
  const [outer, inner] = [cacheOf({ store, collapseTimeout: '1h' }), cacheOf({ store, collapseTimeout: '1h' })]
  const origin = createOrigin()
  const ask = async () => see(await outer(new Request(URL_A), (request) => inner(request, origin)))
  const first = await ask()
  expect([first.body, isHit(first), origin.asked.length]).toEqual(['1', false, 1])
  const second = await ask()
  expect([second.body, isHit(second), origin.asked.length]).toEqual(['1', true, 1])
})

it.each([1, 2])('requests with one Request object share a response: caches in a line %i', async (count) => {
  const store = memoryStore()
  const [outer, inner] = [cacheOf({ store, collapseTimeout: '1h' }), cacheOf({ store, collapseTimeout: '1h' })]
  const origin = createOrigin()
  origin.answers(() => Promise.reject(new TypeError('down')))
  const request = new Request(URL_A)
  const next = count === 1 ? origin : (passed: Request) => inner(passed, origin)
  await expect(outer(request, next)).rejects.toThrow('down')
  const { promise, resolve } = Promise.withResolvers<Response>()
  origin.answers(() => promise)
  const first = outer(request, next)
  await vi.waitFor(() => expect(origin.asked.length).toBe(2))
  const more = [outer(request, next), outer(request, next)]
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(origin.asked.length).toBe(2)
  resolve(new Response('one', { headers: { 'cache-control': 'max-age=60' } }))
  for (const response of [await first, ...(await Promise.all(more))]) expect(await response.text()).toBe('one')
})

it('two caches of one store in a line renew a stale response', async () => {
  const store = memoryStore()
  const [outer, inner] = [cacheOf({ store }), cacheOf({ store })]
  const origin = createOrigin({ 'cache-control': 'max-age=1, stale-while-revalidate=60', age: '1' })
  const ask = async () => see(await outer(new Request(URL_A), (request) => inner(request, origin)))
  for (const body of ['1', '1', '2', '3']) {
    expect((await ask()).body).toBe(body)
    await outer.flush()
    await inner.flush()
  }
  expect(origin.asked.length).toBe(4)
})

it('caches of different stores in a line share responses, and serve stale ones, each by itself', async () => {
  const behind = cacheOf({ store: memoryStore() })
  const origin = createOrigin()
  /** Through a front that has nothing yet. */
  const ask = async () => {
    const front = cacheOf({ store: memoryStore() })
    return (await see(await front(new Request(URL_A), (request) => behind(request, origin)))).body
  }
  expect(await Promise.all([ask(), ask()])).toEqual(['1', '1'])
  expect(origin.asked.length).toBe(1)
  await behind.purge({ url: URL_A })
  const headers = { 'cache-control': 'max-age=1, stale-while-revalidate=60', age: '1' }
  origin.answers((_, count) => new Response(`${count}`, { headers }))
  expect([await ask(), await ask()]).toEqual(['2', '2'])
  await behind.flush()
  expect(origin.asked.length).toBe(3)
})

it('connections to one shared store count as one store', async () => {
  const shared = (): AtomicStore => ({ ...memory, traits: { ...memory.traits, shared: true } })
  const memory = memoryStore()
  const caches = [
    cacheOf({ store: shared(), collapseTimeout: '1h' }),
    cacheOf({ store: shared(), collapseTimeout: '1h' }),
  ] as const
  const origin = createOrigin()
  const ask = async () => see(await caches[0](new Request(URL_A), (request) => caches[1](request, origin)))
  expect([(await ask()).body, origin.asked.length]).toEqual(['1', 1])
})

/** Three processes with one store. `end` ends the fetch of a request, by the order in which the origin was asked. */
function processesWithOneStore() {
  const memory = memoryStore()
  const run = vi.fn(memory.run)
  const store = { ...memory, run: run as typeof memory.run }
  const caches = Array.from({ length: 3 }, () => cacheOf({ store, collapseTimeout: 50 }))
  const origin = createOrigin()
  const fetches: ((response: Response) => void)[] = []
  origin.answers(() => new Promise((resolve) => void fetches.push(resolve)))
  const ask = async (process: number, asked: number, headers = {}) => {
    const response = get(caches[process] as (typeof caches)[0], origin, { headers })
    await vi.waitFor(() => expect(origin.asked.length).toBe(asked))
    return { response }
  }
  const end = (fetch: number, cacheControl = 'no-store') =>
    fetches[fetch]?.(new Response(`${fetch}`, { headers: { 'cache-control': cacheControl } }))
  const began = () => run.mock.calls.filter(([{ name }]) => name === 'http.begin').length
  const freed = () => run.mock.calls.filter(([{ name }, , args]) => name === 'http.release' && args[1] === 1).length
  return { run, ask, end, began, freed }
}

it('nobody waits after a response that may not be shared, though another request has taken its lease', async () => {
  const { run, ask, end, began, freed } = processesWithOneStore()
  const first = await ask(0, 1)
  const second = await ask(1, 2)
  end(0)
  expect((await first.response).body).toBe('0')
  await vi.waitFor(() => expect(freed()).toBe(1))
  run.mockClear()
  const third = await ask(2, 3)
  expect(began()).toBe(1)
  end(1)
  end(2)
  expect([(await second.response).body, (await third.response).body]).toEqual(['1', '2'])
})

it('the response to a request that asks for no lease ends nobody’s wait', async () => {
  const { run, ask, end, began, freed } = processesWithOneStore()
  const first = await ask(0, 1)
  const own = await ask(1, 2, { authorization: 'a' })
  end(1)
  expect((await own.response).body).toBe('1')
  expect(freed()).toBe(0)
  run.mockClear()
  const third = await ask(2, 3)
  expect(began()).toBeGreaterThan(1)
  end(0)
  end(2)
  expect([(await first.response).body, (await third.response).body]).toEqual(['0', '2'])
})

it('a client that has left while it waited takes nothing over', async ({ skip }) => {
  if (REQUEST_SCOPED) skipFor(skip, 'here requests do not know of one another')
  const cache = cacheOf({ collapseTimeout: 50 })
  const origin = createOrigin()
  origin.answers(() => new Promise(() => {}))
  void cache(new Request(URL_A), origin)
  await vi.waitFor(() => expect(origin.asked.length).toBe(1))
  const client = new AbortController()
  const waiting = cache(new Request(URL_A, { signal: client.signal }), origin)
  client.abort(new Error('left'))
  await expect(waiting).rejects.toThrow('left')
  expect(origin.asked.length).toBe(1)
})
