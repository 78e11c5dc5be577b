import { memoryStore } from 'hither/memory'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { REQUEST_SCOPED } from '../../../src/runtime/background.ts'
import { cacheOf, createOrigin, type Fields, get, see, URL_A } from './support.ts'

const fresh = { 'cache-control': 'max-age=60' }
/** Waits until all requests so far have come to where they wait for others: keys are hashed by other threads. */
const tick = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 50))

/** An origin that responds once `open` is called. */
function held(fields: Fields) {
  const origin = createOrigin()
  let open: () => void = () => {}
  const gate = new Promise<void>((resolve) => {
    open = resolve
  })
  origin.answers(async (request, count) => {
    await gate
    return new Response(`${count} ${request.headers.get('x-a') ?? ''}`, { headers: fields })
  })
  return { origin, open: () => open() }
}

afterEach(() => {
  vi.useRealTimers()
})

describe('requests for the same at once', () => {
  it('ask the origin once', async () => {
    const { origin, open } = held(fresh)
    const cache = cacheOf()
    const all = Array.from({ length: 20 }, () => get(cache, origin))
    await tick()
    open()
    const seen = await Promise.all(all)
    expect([origin.asked.length, new Set(seen.map(({ body }) => body)).size]).toEqual([1, 1])
    expect(seen.filter(({ story }) => story.includes('collapsed')).length).toBe(19)
  })
  it('leave no timer', async () => {
    const set = vi.spyOn(globalThis, 'setTimeout')
    const clear = vi.spyOn(globalThis, 'clearTimeout')
    const { origin, open } = held(fresh)
    const cache = cacheOf()
    const all = Array.from({ length: 20 }, () => get(cache, origin))
    await tick()
    open()
    await Promise.all(all)
    const long = set.mock.results.filter((_, i) => (set.mock.calls[i]?.[1] ?? 0) > 1000).map(({ value }) => value)
    const cleared = new Set<unknown>(clear.mock.calls.map(([timer]) => timer))
    vi.restoreAllMocks()
    if (!REQUEST_SCOPED) expect(long.length).toBeGreaterThanOrEqual(19)
    expect(long.filter((timer) => !cleared.has(timer))).toEqual([])
  })
  const unread: [string, number, number][] = [
    ['a small one, in 1 process', 10, 1],
    ['a small one, in 2 processes', 10, 2],
  ]
  // Where a request's work ends with the request, others wait by the lease, which does not show that they do.
  if (!REQUEST_SCOPED) unread.push(['a large one', 300_000, 1])
  it.each(unread)('ask the origin once where no client has read its body yet: %s', async (_, length, processes) => {
    const origin = createOrigin()
    const body = 'x'.repeat(length)
    origin.answers((_, count) => new Response(`${count} ${body}`, { headers: fresh }))
    const store = memoryStore()
    const caches = Array.from({ length: processes }, () => cacheOf({ store }))
    const ask = (i: number): Promise<Response> =>
      (caches[i % processes] as (typeof caches)[0])(new Request(URL_A), origin)
    const responses = await Promise.all(Array.from({ length: 10 }, (_, i) => ask(i)))
    expect(origin.asked.length).toBe(1)
    expect(new Set(await Promise.all(responses.map((each) => each.text())))).toEqual(new Set([`1 ${body}`]))
  })
  it('of two processes ask the origin once', async () => {
    const { origin, open } = held(fresh)
    const store = memoryStore()
    const all = [cacheOf({ store }), cacheOf({ store })].map((cache) => get(cache, origin))
    await tick()
    open()
    const seen = await Promise.all(all)
    expect([origin.asked.length, seen[0]?.body]).toEqual([1, seen[1]?.body])
  })
  it.each(['cold', 'stale'])(
    'ask once where one is stored between the look of another and its question: %s',
    async (what) => {
      const store = memoryStore()
      const { promise: free, resolve: go } = Promise.withResolvers<void>()
      const { promise: asked, resolve: ask } = Promise.withResolvers<void>()
      const slow: typeof store = {
        ...store,
        async run(...args) {
          if (args[0].name === 'http.begin') {
            ask()
            await free
          }
          return store.run(...args)
        },
      }
      const origin = createOrigin()
      origin.answers((_, count) => new Response(`${count}`, { headers: fresh }))
      const first = cacheOf({ store })
      if (what === 'stale') {
        await get(first, origin)
        vi.useFakeTimers({ now: Date.now() + 61_000, toFake: ['Date'] })
      }
      const late = get(cacheOf({ store: slow }), origin)
      await asked
      const { body } = await get(first, origin)
      go()
      expect([(await late).body, (await late).story.includes('collapsed')]).toEqual([body, true])
      expect(origin.asked.length).toBe(what === 'stale' ? 2 : 1)
    },
  )
  it('ask once where a store answers reads apart, the versions of a response before it', async () => {
    const store = memoryStore()
    const { promise: free, resolve: go } = Promise.withResolvers<void>()
    const { promise: asked, resolve: ask } = Promise.withResolvers<void>()
    const apart: typeof store = {
      ...store,
      traits: { ...store.traits, readsApart: true },
      async getMany([own, ...versions], call) {
        const before = await store.getMany(versions, call)
        ask()
        await free
        return [...(await store.getMany([own as string], call)), ...before]
      },
    }
    const origin = createOrigin()
    const late = get(cacheOf({ store: apart }), origin)
    await asked
    const { body } = await get(cacheOf({ store }), origin)
    go()
    expect([(await late).body, (await late).story.includes('hit;')]).toEqual([body, true])
    expect(origin.asked.length).toBe(1)
  })
  it.each([
    ['private', { 'cache-control': 'private, max-age=60' }],
    ['not stored', { 'cache-control': 'no-store' }],
    ['too large', { ...fresh, 'content-length': '99999999' }],
  ])('each have their own answer where the first is %s', async (_, fields) => {
    const { origin, open } = held(fields)
    const cache = cacheOf()
    const all = Array.from({ length: 10 }, () => get(cache, origin))
    await tick()
    open()
    const bodies = (await Promise.all(all)).map(({ body }) => body)
    expect([origin.asked.length, new Set(bodies).size]).toEqual([10, 10])
  })
  it('have the answer of their own variant', async () => {
    const { origin, open } = held({ ...fresh, vary: 'x-a' })
    const cache = cacheOf()
    const all = ['a', 'b', 'a', 'b'].map((value) => get(cache, origin, { headers: { 'x-a': value } }))
    await tick()
    open()
    expect((await Promise.all(all)).map(({ body }) => body.split(' ')[1])).toEqual(['a', 'b', 'a', 'b'])
  })
  it('are not shared where they name somebody, or ask for something of their own', async () => {
    const own: Fields[] = [
      { authorization: 'a' },
      { range: 'bytes=0-1' },
      { 'if-none-match': '"x"' },
      { 'cache-control': 'no-cache' },
    ]
    for (const headers of own) {
      const { origin, open } = held(fresh)
      const cache = cacheOf()
      const all = [get(cache, origin, { headers }), get(cache, origin, { headers })]
      await tick()
      open()
      await Promise.all(all)
      expect([headers, origin.asked.length]).toEqual([headers, 2])
    }
  })
  it('do not hang when the first of them fails', async () => {
    const cache = cacheOf()
    const origin = createOrigin()
    origin.answers(async (_, count) => {
      await tick()
      if (count === 1) throw new TypeError('gone')
      return new Response(`${count}`, { headers: fresh })
    })
    const [first, second] = await Promise.allSettled([get(cache, origin), get(cache, origin)])
    expect([first.status, second.status]).toEqual(['rejected', 'fulfilled'])
  })
  const inPieces = (text: string, pieces: number, last: string, onEnd = (): void => {}): Response => {
    let left = pieces
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (left === 0) onEnd()
        if (left < 0) controller.close()
        else controller.enqueue(new TextEncoder().encode(left > 0 ? text : last))
        left--
      },
    })
    return new Response(body, { headers: fresh })
  }
  it('have a body that its first client reads no further, where work outlives a request', async () => {
    const cache = cacheOf()
    const origin = createOrigin()
    const piece = 'x'.repeat(40_000)
    const { promise: isReadOn, resolve: readOn } = Promise.withResolvers<void>()
    origin.answers((_, count) => inPieces(piece, 5, `${count}`, readOn))
    const first = await cache(new Request(URL_A), origin)
    const others = [get(cache, origin), get(cache, origin)]
    await (REQUEST_SCOPED ? tick() : isReadOn)
    const reader = (first.body as ReadableStream<Uint8Array>).getReader()
    await reader.read()
    await reader.cancel()
    const bodies = (await Promise.all(others)).map(({ body }) => body)
    // Where a request's work ends with the request, the body is lost with its client, and one of the others fetches it.
    const count = REQUEST_SCOPED ? '2' : '1'
    expect(bodies).toEqual([piece.repeat(5) + count, piece.repeat(5) + count])
    expect(origin.asked.length).toBe(Number(count))
  })
  it('do not hang when the first client does not read what is too large to be read ahead', async () => {
    const cache = cacheOf({ collapseTimeout: '50ms' })
    const origin = createOrigin()
    const piece = 'x'.repeat(400_000)
    origin.answers((_, count) => inPieces(piece, 4, `${count}`))
    const first = await cache(new Request(URL_A), origin)
    expect((await get(cache, origin)).body).toBe(`${piece.repeat(4)}2`)
    expect((await see(first)).body).toBe(`${piece.repeat(4)}1`)
  })
  it('have what came of a body before it was cut, also of one that is read ahead', async () => {
    const origin = createOrigin()
    origin.answers(() => {
      let left = 3
      const body = new ReadableStream<Uint8Array>({
        pull(controller) {
          if (left-- > 0) controller.enqueue(new TextEncoder().encode(`part ${left}`))
          else controller.error(new Error('cut'))
        },
      })
      return new Response(body, { headers: fresh })
    })
    const cache = cacheOf()
    const { body } = await cache(new Request(URL_A), origin)
    // Wait until the body has been read ahead, and was cut.
    await cache.flush()
    await tick()
    const reader = (body as ReadableStream<Uint8Array>).getReader()
    const parts: string[] = []
    const read = async (): Promise<void> => {
      for (let part = await reader.read(); !part.done; part = await reader.read())
        parts.push(new TextDecoder().decode(part.value))
    }
    await expect(read()).rejects.toThrow('cut')
    expect(parts).toEqual(['part 2', 'part 1', 'part 0'])
  })
})

describe('bodies', () => {
  const bytes = (length: number): Uint8Array<ArrayBuffer> =>
    Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8)) % 256)
  it.each([0, 1, 32_767, 32_768, 32_769, 262_143, 262_144, 262_145, 524_288, 1_000_000])(
    'of %i bytes come back as they were',
    async (length) => {
      const cache = cacheOf()
      const origin = createOrigin()
      origin.answers(() => new Response(bytes(length), { headers: fresh }))
      await (await cache(new Request(URL_A), origin)).arrayBuffer()
      const hit = await cache(new Request(URL_A), origin)
      expect(hit.headers.get('content-length')).toBe(`${length}`)
      expect(new Uint8Array(await hit.arrayBuffer())).toEqual(bytes(length))
      if (length > 300_000) {
        const part = await cache(new Request(URL_A, { headers: { range: 'bytes=262100-262200' } }), origin)
        expect([part.status, new Uint8Array(await part.arrayBuffer())]).toEqual([
          206,
          bytes(length).slice(262_100, 262_201),
        ])
      }
      expect(origin.asked.length).toBe(1)
    },
  )
  it('larger than may be stored pass through whole', async () => {
    const cache = cacheOf({ maxBodyBytes: 100_000 })
    const origin = createOrigin()
    const stream = (): ReadableStream<Uint8Array> => new Response(bytes(400_000)).body as ReadableStream<Uint8Array>
    origin.answers(() => new Response(stream(), { headers: fresh }))
    for (let i = 1; i < 3; i++) {
      const response = await cache(new Request(URL_A), origin)
      expect(new Uint8Array(await response.arrayBuffer())).toEqual(bytes(400_000))
      expect(origin.asked.length).toBe(i)
    }
  })
  it('that are longer or shorter than they say are not stored', async () => {
    for (const length of ['4', '6', '6, 6', '5, 6', '-5', '5.0', '0x5']) {
      const cache = cacheOf()
      const origin = createOrigin()
      origin.answers(
        () => new Response(new Response('12345').body, { headers: { ...fresh, 'content-length': length } }),
      )
      for (let i = 1; i < 3; i++) {
        expect((await get(cache, origin)).body).toBe('12345')
        expect(origin.asked.length).toBe(i)
      }
      origin.answers(() => new Response(null, { headers: { ...fresh, 'content-length': length } }))
      for (let i = 3; i < 5; i++) {
        expect((await get(cache, origin)).body).toBe('')
        expect(origin.asked.length).toBe(i)
      }
    }
  })
  it.each([
    ['clears', (part: Uint8Array<ArrayBuffer>) => part.fill(0)],
    ['transfers', (part: Uint8Array<ArrayBuffer>) => structuredClone(part, { transfer: [part.buffer] })],
  ])('are stored as they came if a reader %s the bytes that it gets', async (_, take) => {
    for (const length of [100, 300_000]) {
      const [cache, origin] = [cacheOf(), createOrigin()]
      origin.answers(() => {
        const parts = [0, 1, 2, 3].map((i) => bytes(length).slice((i * length) / 4, ((i + 1) * length) / 4))
        const body = new ReadableStream({
          pull(controller) {
            const part = parts.shift()
            if (part) controller.enqueue(part)
            else controller.close()
          },
        })
        return new Response(body, { headers: fresh })
      })
      const { body } = await cache(new Request(URL_A), origin)
      for await (const part of body as ReadableStream<Uint8Array<ArrayBuffer>>) take(part)
      const hit = await cache(new Request(URL_A), origin)
      expect([new Uint8Array(await hit.arrayBuffer()), origin.asked.length]).toEqual([bytes(length), 1])
    }
  })
  it('of which a part is gone from the store are fetched again', async () => {
    const store = memoryStore()
    const cache = cacheOf({ store: { ...store, getBytes: async () => undefined } as typeof store })
    const origin = createOrigin()
    origin.answers(() => new Response(bytes(100_000), { headers: fresh }))
    await (await cache(new Request(URL_A), origin)).arrayBuffer()
    const again = await cache(new Request(URL_A), origin)
    expect([(await again.arrayBuffer()).byteLength, origin.asked.length]).toEqual([100_000, 2])
  })
  it('cut at any byte are seen as cut, and are never stored: 1,000 rounds', { timeout: 60_000 }, async () => {
    const cache = cacheOf()
    const whole = bytes(70_000)
    let truncated = 0
    for (let round = 0; round < 1000; round++) {
      const url = `https://a.example/${round % 10}`
      const cut = (round * 7919) % whole.length
      const origin = createOrigin()
      origin.answers(() => {
        let sent = false
        const body = new ReadableStream<Uint8Array>({
          pull(controller) {
            if (sent) controller.error(new TypeError('terminated'))
            else controller.enqueue(whole.subarray(0, cut || 1))
            sent = true
          },
        })
        return new Response(body, { headers: round % 2 ? { ...fresh, 'content-length': '70000' } : fresh })
      })
      const response = await cache(new Request(url), origin)
      await expect(response.arrayBuffer()).rejects.toThrow()
      if (origin.asked.length !== 1) truncated++
    }
    expect(truncated).toBe(0)
  })
})
