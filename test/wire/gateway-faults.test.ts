import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { createServer } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { connect, ioredisTransport } from '../../adapters/ioredis/index.ts'
import { type Served, serve, startGateway } from '../../adapters/node/index.ts'
import { ask, freePort, type Server, startServer } from '../../scripts/servers.ts'
import { createGateway, type GatewayOptions } from '../../src/gateway/index.ts'
import type { Transport } from '../../src/store/transport.ts'
import { createTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'

// How a gateway responds when Redis or the client disconnects, or sends too much.

const TOKEN = 'gateway-token-4711'
const authorization = `Bearer ${TOKEN}`

let server: Server
let proxy: TcpProxy
let transport: Transport
let served: Served
beforeAll(async () => {
  server = await startServer('redis8')
})
afterAll(() => server.stop())

async function open(options: Partial<GatewayOptions> = {}): Promise<void> {
  proxy = await createTcpProxy(server.url)
  transport = ioredisTransport(await connect(proxy.url))
  served = await serve(createGateway({ transport, tokens: [TOKEN], ...options }))
  expect(await result('PING')).toBe('PONG')
}
afterEach(async () => {
  await served.stop()
  await transport.close()
  await proxy.stop()
})

const post = (path: string, body: unknown, signal?: AbortSignal): Promise<Response> =>
  fetch(served.url + path, {
    method: 'POST',
    headers: { authorization },
    body: JSON.stringify(body),
    ...(signal ? { signal } : {}),
  })
const result = async (...args: unknown[]): Promise<unknown> =>
  ((await (await post('/', args)).json()) as { result: unknown }).result
/** Resolves to the status, the error text and Retry-After. Expects no secret in the text, and a sync token. */
async function refusal(response: Response): Promise<[number, string, string | null]> {
  const { error } = (await response.json()) as { error: string }
  for (const secret of [TOKEN, String(proxy.port), '127.0.0.1']) expect(error).not.toContain(secret)
  expect(response.headers.get('upstash-sync-token')).toMatch(/./)
  return [response.status, error, response.headers.get('retry-after')]
}
const isUp = (): Promise<unknown> => post('/', ['PING']).then(({ status }) => status)

describe('without Redis', { timeout: 30_000 }, () => {
  it('answers 503 with Retry-After while nothing runs, and works again when it is back', async () => {
    await open()
    await proxy.refuse()
    await expect.poll(isUp, { timeout: 10_000 }).toBe(503)
    const nothing = [503, 'ERR upstream STORE_UNAVAILABLE: no answer from Redis, nothing ran', '1']
    for (const path of ['/pipeline', '/multi-exec']) {
      expect(
        await refusal(
          await post(path, [
            ['INCR', 'n'],
            ['INCR', 'n'],
          ]),
        ),
      ).toEqual(nothing)
    }
    expect(await refusal(await post('/', ['INCR', 'n']))).toEqual(nothing)
    expect(
      await refusal(
        await post('/pipeline', [
          ['SUBSCRIBE', 'x'],
          ['INCR', 'n'],
        ]),
      ),
    ).toEqual(nothing)
    await proxy.pass()
    await expect.poll(isUp, { timeout: 10_000 }).toBe(200)
    expect(await result('GET', 'n')).toBe(null)
  })

  it('runs a command whose reply was lost once, and invites nobody to send it again', async () => {
    await open()
    for (const [key, path, body] of [
      ['lost:1', '/', ['INCR', 'lost:1']],
      ['lost:2', '/pipeline', [['INCR', 'lost:2'], ['PING']]],
      ['lost:3', '/multi-exec', [['INCR', 'lost:3']]],
    ] as const) {
      proxy.dropReplies(1)
      expect(await refusal(await post(path, body))).toEqual([
        503,
        'ERR upstream STORE_UNAVAILABLE: no answer from Redis, the command may have run',
        null,
      ])
      expect(await ask(server.port, `GET ${key}`)).toBe('1')
      await expect.poll(isUp, { timeout: 10_000 }).toBe(200)
    }
  })

  it('answers 503 when Redis says nothing in time, and keeps the connection in step', async () => {
    await open({ timeoutMs: 1500 })
    proxy.stall()
    expect(await refusal(await post('/', ['INCR', 'late']))).toEqual([
      503,
      'ERR upstream TIMEOUT: no answer from Redis, the command may have run',
      null,
    ])
    await proxy.pass()
    expect(await result('ECHO', 'mine')).toBe('mine')
    expect(await result('GET', 'late')).toBe('1')
    expect(proxy.stats.accepted).toBe(1)
  })
})

describe('a client that goes away', { timeout: 30_000 }, () => {
  it('gets nobody else its answer, and what it sent runs to its end', async () => {
    await open()
    proxy.latency(10)
    const work: Promise<unknown>[] = []
    for (let i = 0; i < 45; i++) {
      const stop = new AbortController()
      const many = [
        ['INCR', 'gone'],
        ['ECHO', `gone ${i}`],
        ['INCR', 'gone'],
      ]
      const path = ['/', '/pipeline', '/multi-exec'][i % 3] as string
      const lost = post(path, i % 3 === 0 ? many[1] : many, stop.signal).then(
        (response) => response.text(),
        () => 'aborted',
      )
      setTimeout(() => stop.abort(), i % 30)
      work.push(lost)
      work.push(result('ECHO', `kept ${i}`).then((text) => expect(text).toBe(`kept ${i}`)))
    }
    expect(await Promise.all(work)).toContain('aborted')
    for (let i = 0; i < 20; i++) expect(await result('ECHO', `after ${i}`)).toBe(`after ${i}`)
    expect(Number(await result('GET', 'gone')) % 2).toBe(0)
    expect(proxy.stats.accepted).toBe(1)
  })

  it('half-way through its body runs nothing', async () => {
    await open()
    const request = begin({ authorization })
    request.write('["SET","half","x"')
    await new Promise((resolve) => setTimeout(resolve, 50))
    request.destroy()
    await expect(answerTo(request)).rejects.toThrow()
    expect(await result('GET', 'half')).toBe(null)
  })
})

describe('a body above its bound', { timeout: 30_000 }, () => {
  const error = 'ERR max request size exceeded'
  it('is refused by its announced length before it is sent', async () => {
    await open({ maxBodyBytes: 1000 })
    const request = begin({ authorization, 'content-length': '1001' })
    request.flushHeaders()
    const response = await answerTo(request)
    expect([response.statusCode, await textOf(response)]).toEqual([413, JSON.stringify({ error })])
    request.destroy()
  })

  it('is refused while it is read in chunks, however long it goes on', async () => {
    await open({ maxBodyBytes: 1000 })
    const request = begin({ authorization, 'transfer-encoding': 'chunked' })
    let written = 0
    const endless = setInterval(() => {
      written += 500
      request.write('x'.repeat(500))
    }, 1)
    const response = await answerTo(request)
    expect([response.statusCode, await textOf(response)]).toEqual([413, JSON.stringify({ error })])
    expect(written).toBeGreaterThan(1000)
    clearInterval(endless)
    request.destroy()
    expect(await result('PING')).toBe('PONG')
  })

  it('is told to a client that sends all of it first', async () => {
    await open({ maxBodyBytes: 1000 })
    for (const headers of [{ 'content-length': '3000000' }, { 'transfer-encoding': 'chunked' }]) {
      const request = begin({ authorization, ...headers })
      request.end('x'.repeat(3_000_000))
      const response = await answerTo(request)
      expect([response.statusCode, await textOf(response)]).toEqual([413, JSON.stringify({ error })])
    }
  })

  it('may have exactly as many bytes as the bound', async () => {
    await open({ maxBodyBytes: 1000 })
    const text = 'x'.repeat(1000 - JSON.stringify(['ECHO', '']).length)
    expect(await result('ECHO', text)).toBe(text)
    const { status } = await post('/', ['ECHO', `${text}x`])
    expect(status).toBe(413)
  })
})

describe('stop', { timeout: 30_000 }, () => {
  it('lets a request under way end, takes no new one, and closes what is idle', async () => {
    await open()
    proxy.latency(100)
    const before = proxy.stats.commands
    const under = post('/', ['ECHO', 'under way'])
    await expect.poll(() => proxy.stats.commands, { timeout: 10_000 }).toBeGreaterThan(before)
    let stopped = false
    const stopping = served.stop(60_000).then(() => {
      stopped = true
    })
    await expect(fetch(served.url)).rejects.toThrow()
    expect(stopped).toBe(false)
    const response = await under
    expect(response.headers.get('connection')).toBe('close')
    expect(await response.json()).toEqual({ result: 'under way' })
    await stopping
  })
})

describe('startGateway', { timeout: 30_000 }, () => {
  // `open` gives the hook above something to close, as in the other tests.
  it('rejects where there is no Redis, or none that lets it in', async () => {
    await open()
    const silent = createServer(() => {}).listen(0, '127.0.0.1')
    const http = createServer((socket) => socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    http.listen(0, '127.0.0.1')
    const secured = await startServer('redis7', { args: ['--requirepass', 'right-one'] })
    const portOf = (listener: typeof http): number => (listener.address() as { port: number }).port
    for (const [redis, code] of [
      [`redis://127.0.0.1:${await freePort()}`, 'STORE_UNAVAILABLE'],
      [`redis://127.0.0.1:${portOf(http)}`, 'BAD_REPLY'],
      [`redis://127.0.0.1:${portOf(silent)}`, expect.stringMatching(/TIMEOUT|STORE_UNAVAILABLE/)],
      [secured.url, 'UNAUTHORIZED'],
      [secured.url.replace('//', '//:s3cret@'), 'UNAUTHORIZED'],
      ['http://127.0.0.1', 'INVALID_URL'],
      [`${server.url},${server.url}`, 'UNSUPPORTED'],
    ] as const) {
      const failed = await startGateway({ redis }).catch((caught: unknown) => caught)
      expect([redis, failed]).toEqual([redis, expect.objectContaining({ code })])
      expect(String(failed)).not.toContain('s3cret')
    }
    const { stop } = await startGateway({ redis: secured.url.replace('//', '//:right-one@') })
    await stop()
    http.close()
    silent.close()
    await secured.stop()
  })

  it('rejects when the port is taken, and leaves no connection behind', async () => {
    await open()
    const before = proxy.stats.open
    await expect(startGateway({ redis: proxy.url, port: served.port })).rejects.toMatchObject({ code: 'EADDRINUSE' })
    await expect(startGateway({ redis: proxy.url, token: 'white space' })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
    await expect.poll(() => proxy.stats.open, { timeout: 10_000 }).toBe(before)
  })
})

function begin(headers: Record<string, string>): ClientRequest {
  return httpRequest(served.url, { method: 'POST', headers, agent: false }).on('error', () => {})
}
function answerTo(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.on('response', resolve).on('error', reject)
  })
}
async function textOf(response: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of response) {
    text += chunk
    if (text.length >= Number(response.headers['content-length'])) break
  }
  return text
}
