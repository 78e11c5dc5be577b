import { memoryStore } from 'hither/memory'
import { afterEach, expect, it, vi } from 'vitest'
import { REQUEST_SCOPED } from '../../../src/runtime/background.ts'
import { cacheOf, createOrigin, get, see, URL_A } from './support.ts'

// What requests of one process wait for. Where a request's work ends with the request, they wait for the store alone.

const fields = { 'cache-control': 'max-age=60', 'cache-tag': 't' }

afterEach(() => {
  vi.useRealTimers()
})

const selections = [{ tags: ['t'] }, { path: 'https://a.example/page' }, { url: URL_A }]
it.each(selections)('nobody is given what is purged while it is being stored: %j', async (selection) => {
  const store = memoryStore()
  const { promise: free, resolve: go } = Promise.withResolvers<void>()
  const { promise: held, resolve: hold } = Promise.withResolvers<void>()
  /** Stores a response at once, and replies late. */
  const slow: typeof store = {
    ...store,
    async run(operation, ...args) {
      const reply = await store.run(operation, ...args)
      if (operation.name === 'http.put') {
        hold()
        await free
      }
      return reply
    },
  }
  const [cache, other] = [cacheOf({ store: slow }), cacheOf({ store })]
  const origin = createOrigin(fields)
  const first = get(cache, origin)
  await held
  await other.purge(selection)
  const later = get(cache, origin)
  await new Promise((resolve) => setTimeout(resolve, 20))
  go()
  expect([(await first).body, (await later).body]).toEqual(['1', '2'])
})

it.each(['cold', 'stale'])(
  'what is purged while it is fetched is fetched once more, for all who wait: %s',
  async (what) => {
    const store = memoryStore()
    const caches = [cacheOf({ store }), cacheOf({ store })] as const
    const origin = createOrigin({ ...fields, date: new Date(Date.now() - 120_000).toUTCString(), etag: '"1"' })
    if (what === 'stale') await get(caches[0], origin)
    const before = origin.asked.length
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const
    origin.answers(async (request, count) => {
      await gates[count - before - 1]?.promise
      const isSame = request.headers.get('if-none-match') === '"1"'
      return new Response(isSame ? null : `new ${count}`, { status: isSame ? 304 : 200, headers: fields })
    })
    const all = Array.from({ length: 20 }, (_, i) => get(caches[i % 2 ? 1 : 0], origin))
    await vi.waitFor(() => expect(origin.asked.length).toBe(before + 1))
    await new Promise((resolve) => setTimeout(resolve, 50))
    await caches[1].purge({ tags: ['t'] })
    gates[0].resolve()
    await vi.waitFor(() => expect(origin.asked.length).toBe(before + 2))
    await new Promise((resolve) => setTimeout(resolve, 50))
    gates[1].resolve()
    const bodies = (await Promise.all(all)).map(({ body }) => body)
    expect(origin.asked.length).toBe(before + 2)
    expect(bodies.filter((body) => body === `new ${before + 2}`).length).toBe(19)
  },
)

it('of ten processes that wait one asks the origin when the client of the first has gone', async () => {
  const store = memoryStore()
  const origin = createOrigin()
  const piece = new Uint8Array(40_000)
  origin.answers(async (_, count) => {
    if (count > 1) await new Promise((resolve) => setTimeout(resolve, 300))
    const body = new ReadableStream({
      pull(controller) {
        controller.enqueue(piece)
        if (count > 1) controller.close()
      },
    })
    return new Response(body, { headers: fields })
  })
  const first = await cacheOf({ store })(new Request(URL_A), origin)
  const others = Array.from({ length: 10 }, () => get(cacheOf({ store }), origin))
  await new Promise((resolve) => setTimeout(resolve, 50))
  await first.body?.cancel()
  await Promise.all(others)
  expect(origin.asked.length).toBe(2)
})

it.each([
  ['head', 'one process'],
  ['body', 'one process'],
  ['head', 'ten processes'],
  ['body', 'ten processes'],
])(
  'of ten that wait one asks the origin when its fetch is aborted with the first client: amid the %s, in %s',
  async (where, whose) => {
    const store = memoryStore()
    const shared = cacheOf({ store })
    const cacheFor = () => (whose === 'one process' ? shared : cacheOf({ store }))
    const origin = createOrigin()
    origin.answers(async ({ signal }, count) => {
      if (count > 1) await new Promise((resolve) => setTimeout(resolve, 300))
      const gone = () =>
        new Promise<never>((_, reject) => {
          const leave = (): void => reject(signal.reason)
          if (signal.aborted) leave()
          else signal.addEventListener('abort', leave)
        })
      if (count === 1 && where === 'head') return gone()
      let left = 2
      const body = new ReadableStream({
        async pull(controller) {
          if (count === 1 && left === 0) await gone()
          if (left-- > 0) controller.enqueue(new Uint8Array(1000))
          else controller.close()
        },
      })
      return new Response(body, { headers: fields })
    })
    const client = new AbortController()
    const first = cacheFor()(new Request(URL_A, { signal: client.signal }), origin).then(see)
    const hasLeft = expect(first).rejects.toThrow()
    await vi.waitFor(() => expect(origin.asked.length).toBe(1))
    const others = Array.from({ length: 10 }, () => get(cacheFor(), origin))
    await new Promise((resolve) => setTimeout(resolve, 50))
    client.abort()
    await hasLeft
    expect((await Promise.all(others)).map(({ body }) => body.length)).toEqual(Array(10).fill(2000))
    expect(origin.asked.length).toBe(2)
  },
)

if (!REQUEST_SCOPED) {
  it('who has left together with the first client asks for nothing', async () => {
    const cache = cacheOf()
    const origin = createOrigin(fields)
    origin.answers(({ signal }, count) =>
      count > 1
        ? new Response('for all', { headers: fields })
        : new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    )
    const clients = new AbortController()
    const { signal } = clients
    const ask = (): Promise<string> => cache(new Request(URL_A, { signal }), origin).then((response) => response.text())
    const gone = [ask()]
    await vi.waitFor(() => expect(origin.asked.length).toBe(1))
    gone.push(...Array.from({ length: 5 }, ask))
    const here = get(cache, origin)
    await new Promise((resolve) => setTimeout(resolve, 20))
    clients.abort()
    for (const { status } of await Promise.allSettled(gone)) expect(status).toBe('rejected')
    expect([(await here).body, origin.asked.length]).toEqual(['for all', 2])
  })
  it('a refresh that hangs keeps nobody from refreshing for longer than the lease lasts', async () => {
    vi.useFakeTimers({ toFake: ['Date', 'performance'], now: Date.UTC(2026, 0, 1) })
    const cache = cacheOf({ profile: 'safe' })
    const origin = createOrigin()
    const answer = (_: Request, count: number): Response =>
      new Response(`${count}`, { headers: { 'cache-control': 'max-age=1, stale-while-revalidate=600' } })
    origin.answers(answer)
    await get(cache, origin)
    vi.setSystemTime(Date.now() + 2000)
    origin.answers(() => new Promise(() => {}))
    expect((await get(cache, origin)).body).toBe('1')
    await vi.waitFor(() => expect(origin.asked.length).toBe(2))
    origin.answers(answer)
    expect((await get(cache, origin)).body).toBe('1')
    expect(origin.asked.length).toBe(2)
    vi.advanceTimersByTime(31_000)
    expect((await get(cache, origin)).body).toBe('1')
    await vi.waitFor(() => expect(origin.asked.length).toBe(3))
    await vi.waitFor(async () => expect((await see(await cache(new Request(URL_A), origin))).body).toBe('3'))
  })
}

const useless = [
  { 'cache-control': 'no-store' },
  {},
  { 'cache-control': 'no-cache', etag: '"1"' },
  { 'cache-control': 'max-age=0', etag: '"1"' },
]
it.each(useless)('nobody waits for a response that is of no use to others, once one was seen: %j', async (given) => {
  const store = memoryStore()
  const caches = [cacheOf({ store }), cacheOf({ store })] as const
  const origin = createOrigin(given)
  await get(caches[0], origin)
  await caches[0].flush()
  const { promise: gate, resolve: open } = Promise.withResolvers<void>()
  origin.answers(async (_, count) => {
    await gate
    return new Response(`${count}`, { headers: given })
  })
  const all = Array.from({ length: 10 }, (_, i) => get(caches[i % 2 ? 1 : 0], origin))
  await vi.waitFor(() => expect(origin.asked.length).toBe(11))
  open()
  expect(new Set((await Promise.all(all)).map(({ body }) => body)).size).toBe(10)
})

it('who asks for a stale response waits, though another variant of it may not be shared', async () => {
  const cache = cacheOf()
  const date = new Date(Date.now() - 120_000).toUTCString()
  const origin = createOrigin({ ...fields, vary: 'x-a', date })
  await get(cache, origin)
  origin.answers(() => new Response('no', { headers: { 'cache-control': 'no-store' } }))
  await get(cache, origin, { headers: { 'x-a': '1' } })
  await cache.flush()
  const { promise: gate, resolve: open } = Promise.withResolvers<void>()
  origin.answers(async (_, count) => {
    await gate
    return new Response(`${count}`, { headers: fields })
  })
  const all = Array.from({ length: 10 }, () => get(cache, origin))
  await vi.waitFor(() => expect(origin.asked.length).toBe(REQUEST_SCOPED ? 12 : 3))
  await new Promise((resolve) => setTimeout(resolve, 50))
  open()
  await Promise.all(all)
  if (!REQUEST_SCOPED) expect(origin.asked.length).toBe(3)
})

if (!REQUEST_SCOPED) {
  const befores: Record<string, readonly ResponseInit[]> = {
    'a 500': [{ status: 500 }],
    'a 503, then a 200': [{ status: 503 }, { headers: fields }],
    'a response that could not be shared, then one that could': [{ headers: {} }, { headers: fields }],
  }
  it.each(Object.entries(befores))('one of all asks after %s', async (_, before) => {
    const cache = cacheOf()
    const origin = createOrigin(fields)
    for (const init of before) {
      origin.answers(() => new Response('before', init))
      await get(cache, origin)
      await cache.flush()
    }
    await cache.purge({ tags: ['t'] })
    const { promise: gate, resolve: open } = Promise.withResolvers<void>()
    origin.answers(async (_, count) => {
      await gate
      return new Response(`${count}`, { headers: fields })
    })
    const all = Array.from({ length: 10 }, () => get(cache, origin))
    await vi.waitFor(() => expect(origin.asked.length).toBe(before.length + 1))
    await new Promise((resolve) => setTimeout(resolve, 50))
    open()
    expect(new Set((await Promise.all(all)).map(({ body }) => body)).size).toBe(1)
  })
}
