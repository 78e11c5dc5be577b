import { type Cache, createCache, type PlainCache } from 'hither'
import { cacheContext } from 'hither/hono'
import { memoryStore } from 'hither/memory'
import { plain as plainFormat } from 'hither/plain'
import { type Context, type ExecutionContext, Hono } from 'hono'
import { describe, expect, expectTypeOf, it } from 'vitest'

const open = (options: { waitUntil?: (work: Promise<unknown>) => void } = {}): Cache =>
  createCache({ store: memoryStore(), ttl: '1m', ...options })

/** As in workerd: `waitUntil` is a method of the class and needs its `this`. */
class WorkerContext implements ExecutionContext {
  readonly works: Promise<unknown>[] = []
  readonly props: unknown = {}
  waitUntil(work: Promise<unknown>): void {
    this.works.push(work)
  }
  passThroughOnException(): void {}
}

function appOver(cache: Cache) {
  return new Hono()
    .use(cacheContext(cache))
    .get('/value', async (c) => c.json(await c.var.cache.getOrSet('k', () => ({ made: 1 }))))
}

describe('cacheContext', () => {
  it('refuses what is no cache', () => {
    for (const source of [undefined, memoryStore(), {}])
      expect(() => cacheContext(source as never)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })
  it('puts a view of the cache in c.var.cache: what one request stores another finds', async () => {
    const cache = open()
    const app = appOver(cache)
    for (let i = 0; i < 2; i++) expect(await (await app.request('/value')).json()).toEqual({ made: 1 })
    expect(cache.stats()).toMatchObject({ loads: 1, hits: 1 })
  })
  it('gives what continues after the answer to waitUntil, called on its context', async () => {
    const cache = open()
    const context = new WorkerContext()
    expect((await appOver(cache).request('/value', undefined, {}, context)).status).toBe(200)
    expect(context.works).not.toHaveLength(0)
    await Promise.all(context.works)
    expect(await cache.get('k')).toEqual({ made: 1 })
  })
  it('gives each request its own waitUntil', async () => {
    const app = new Hono().use(cacheContext(open())).get('/:key', async (c) => {
      return c.json(await c.var.cache.getOrSet(c.req.param('key'), () => 1))
    })
    const contexts = [new WorkerContext(), new WorkerContext()]
    await Promise.all(contexts.map((context, i) => app.request(`/k${i}`, undefined, {}, context)))
    for (const { works } of contexts) expect(works).not.toHaveLength(0)
  })
  it("keeps the cache's own waitUntil where the runtime has none", async () => {
    const works: Promise<unknown>[] = []
    const app = appOver(open({ waitUntil: (work) => void works.push(work) }))
    expect((await app.request('/value')).status).toBe(200)
    expect(works).not.toHaveLength(0)
  })
  it('passes over an execution context without waitUntil', async () => {
    const response = await appOver(open()).request('/value', undefined, {}, {} as ExecutionContext)
    expect(response.status).toBe(200)
  })
  it("ends the request's calls when its client goes away, with the signal's reason", async () => {
    const gone = new AbortController()
    const reason = new Error('the client has gone')
    const seen: unknown[] = []
    const app = new Hono().use(cacheContext(open())).get('/', async (c) => {
      const answer = c.var.cache.getOrSet('k', () => new Promise<string>(() => {}))
      gone.abort(reason)
      seen.push(await answer.catch((error: unknown) => error))
      return c.body(null)
    })
    await app.request(new Request('http://app/', { signal: gone.signal }))
    expect(seen).toEqual([reason])
  })
  it('takes a function that answers the cache, asked once per request with its bindings', async () => {
    const caches = { a: open(), b: open() }
    let asked = 0
    const app = new Hono<{ Bindings: { name: 'a' | 'b' } }>()
      .use(
        cacheContext(async (c: Context<{ Bindings: { name: 'a' | 'b' } }>) => {
          asked++
          return caches[c.env.name]
        }),
      )
      .get('/', async (c) => {
        await c.var.cache.set('k', c.env.name)
        return c.json(await c.var.cache.get('k'))
      })
    expect(await (await app.request('/', undefined, { name: 'b' })).json()).toBe('b')
    expect(asked).toBe(1)
    expect([await caches.a.get('k'), await caches.b.get('k')]).toEqual([undefined, 'b'])
  })
  it('leaves what the function throws to the error handler', async () => {
    const app = new Hono()
    app.use(
      cacheContext((): Cache => {
        throw new Error('no credentials')
      }),
    )
    app.onError((error, c) => c.text(error.message, 503))
    const response = await app.request('/')
    expect([response.status, await response.text()]).toEqual([503, 'no credentials'])
  })
  it('types c.var.cache as the cache that was given', () => {
    const plain = createCache({ store: memoryStore(), format: plainFormat() })
    new Hono().use(cacheContext(plain)).get('/', (c) => {
      expectTypeOf(c.var.cache).toEqualTypeOf<PlainCache>()
      return c.body(null)
    })
    new Hono().use(cacheContext(open())).get('/', (c) => {
      expectTypeOf(c.var.cache).toEqualTypeOf<Cache>()
      return c.body(null)
    })
    expect(plain.stats().hits).toBe(0)
  })
})
