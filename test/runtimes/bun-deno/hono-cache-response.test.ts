import { type IncomingHttpHeaders, request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Served, serveIn } from './serve.ts'

/** An application that caches the responses of its handlers, and has a route that purges. */
const token = 'a-token-of-the-test'
const app = `
import { cacheResponse, idempotency, rateLimit, session } from 'hither/hono'
import { createHttpCache, purgeHandler } from 'hither/http'
import { createIdempotency } from 'hither/idempotency'
import { memoryStore } from 'hither/memory'
import { createSessions } from 'hither/session'
import { createRateLimiter, fixedWindow } from 'hither/rate-limit'
import { Hono } from 'hono'

const cache = createHttpCache({ store: memoryStore() })
const purge = purgeHandler(cache, { tokens: ['${token}'] })
let calls = 0
const app = new Hono()
app.post('/purge', (c) => purge(c.req.raw))
app.use('/c/*', cacheResponse({ cache, cacheControl: 'max-age=600', tags: ['pages'] }))
app.get('/c/text', (c) => c.text('text ' + ++calls, 200, { ETag: '"' + calls + '"' }))
app.get('/c/large', () => new Response(new ReadableStream({
  start(controller) {
    calls++
    for (let i = 0; i < 32; i++) controller.enqueue(new Uint8Array(65_536).fill(i))
    controller.close()
  },
})))
app.get('/c/private', (c) => c.text('private ' + ++calls, 200, { 'Cache-Control': 'private' }))
app.post('/c/text', (c) => c.text('done'))
app.get('/c/plain', (c) => c.text('plain'))
app.get('/c/response', () => new Response('text', { headers: { 'cache-control': 'max-age=60' } }))
const algorithm = fixedWindow({ limit: 100, window: '1m' })
const limiter = createRateLimiter({ store: memoryStore(), algorithm, outage: 'open' })
const store = memoryStore()
const sessions = createSessions({ store, secrets: [new Uint8Array(32).fill(7)] })
app.use('/l/text', rateLimit({ limiter }))
app.use('/s/text', session({ sessions }))
app.use('/i/text', idempotency({ idempotency: createIdempotency({ store }), scope: () => 'ann' }))
app.all('/:mount/text', (c) => {
  c.var.session?.set('a', 1)
  return c.text('text')
})
app.use('/limited', cacheResponse({ cache, cacheControl: 'max-age=0' }), rateLimit({ limiter }))
app.get('/limited', (c) => c.text('limited', 200, { ETag: '"l"' }))
`

describe.each(['bun', 'deno'] as const)('cacheResponse on %s', (runtime) => {
  let served: Served
  beforeAll(async () => {
    served = await serveIn(runtime, app)
  }, 60_000)
  afterAll(() => served?.stop())

  interface Asking {
    readonly method?: string
    readonly headers?: Record<string, string>
    readonly body?: string
  }
  /** Asks by `node:http`, since `fetch` sends Cache-Control: no-cache with every condition. */
  const ask = (path: string, { method = 'GET', headers = {}, body = '' }: Asking = {}) =>
    new Promise<{ status?: number | undefined; headers: IncomingHttpHeaders; story: string; body: string }>(
      (resolve, reject) => {
        request({ port: served.port, host: '127.0.0.1', path, method, headers, agent: false }, (response) => {
          let text = ''
          response.setEncoding('latin1').on('data', (data) => {
            text += data
          })
          const story = String(response.headers['cache-status']).replace(/ttl=\d+/, 'ttl')
          response.on('error', reject)
          response.on('end', () => {
            resolve({ status: response.statusCode, headers: response.headers, story, body: text })
          })
        })
          .once('error', reject)
          .end(body)
      },
    )

  it('stores, answers from the store, with 304 and with a part, and purges by a tag', async () => {
    const miss = await ask('/c/text')
    expect([miss.status, miss.story, miss.headers['cache-tag']]).toEqual([
      200,
      'hither; fwd=uri-miss; fwd-status=200; stored',
      'pages',
    ])
    const hit = await ask('/c/text')
    expect([hit.status, hit.body, hit.story]).toEqual([200, miss.body, 'hither; hit; ttl'])
    expect(hit.headers.age).toMatch(/^\d+$/)
    const same = await ask('/c/text', { headers: { 'if-none-match': miss.headers.etag as string } })
    expect([same.status, same.body, same.story]).toEqual([304, '', 'hither; hit; ttl'])
    const part = await ask('/c/text', { headers: { range: 'bytes=0-3' } })
    expect([part.status, part.body, part.headers['content-range']]).toEqual([206, 'text', 'bytes 0-3/6'])
    const head = await ask('/c/text', { method: 'HEAD' })
    expect([head.status, head.body, head.story]).toEqual([200, '', 'hither; hit; ttl'])
    const body = JSON.stringify({ tags: ['pages'] })
    expect((await ask('/purge', { method: 'POST', body })).status).toBe(401)
    expect((await ask('/c/text')).body).toBe(miss.body)
    const purged = await ask('/purge', { method: 'POST', body, headers: { authorization: `Bearer ${token}` } })
    expect(purged.status).toBe(204)
    const after = await ask('/c/text')
    expect([after.body === miss.body, after.story]).toEqual([false, 'hither; fwd=uri-miss; fwd-status=200; stored'])
    await ask('/c/text', { method: 'POST' })
    expect((await ask('/c/text')).body).not.toBe(after.body)
  })
  it('stores a large body as it streams, and sends it again whole', async () => {
    const first = await ask('/c/large')
    const again = await ask('/c/large')
    expect([first.body.length, again.body === first.body]).toEqual([32 * 65_536, true])
    expect(again.story).toBe('hither; hit; ttl')
  })
  it('sends no text as application/octet-stream, which browsers save to a file', async () => {
    for (const [path, method, expected] of [
      ['/c/plain', 'GET', 'text/plain; charset=UTF-8'],
      ['/c/plain?', 'GET', 'text/plain; charset=UTF-8'],
      ['/c/text', 'POST', 'text/plain; charset=UTF-8'],
      ['/l/text', 'GET', 'text/plain; charset=UTF-8'],
      ['/s/text', 'GET', 'text/plain; charset=UTF-8'],
      ['/i/text', 'POST', 'text/plain; charset=UTF-8'],
      ['/c/response', 'GET', runtime === 'bun' ? undefined : 'text/plain;charset=UTF-8'],
    ] as const)
      for (let i = 0; i < 2; i++) {
        const { headers } = await ask(path, { method, headers: { 'idempotency-key': 'k' } })
        expect([path, method, i, headers['content-type']]).toEqual([path, method, i, expected])
      }
  })
  it('stores nothing that is private', async () => {
    expect((await ask('/c/private')).body).not.toBe((await ask('/c/private')).body)
  })
  it('counts clients behind the cache by their address, also when a response is validated', async () => {
    const asked = [await ask('/limited'), await ask('/limited')]
    expect(asked.map(({ status, body, story }) => [status, body, story.slice(0, 20)])).toEqual([
      [200, 'limited', 'hither; fwd=uri-miss'],
      [200, 'limited', 'hither; fwd=stale; f'],
    ])
  })
})
