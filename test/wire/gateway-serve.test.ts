import { once } from 'node:events'
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http'
import { connect, createServer } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { type StartedGateway, serve, startGateway } from '../../adapters/node/index.ts'
import { startTestGateway } from '../../adapters/node/testing.ts'
import { freePort, startServer } from '../../scripts/servers.ts'

// The behaviour of the `node:http` server around the gateway.

const redis = (): string => process.env.REDIS8_URL ?? ''
const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})
async function open(options: Partial<Parameters<typeof startGateway>[0]> = {}): Promise<StartedGateway> {
  const gateway = await startGateway({ redis: redis(), ...options })
  closing.push(() => gateway.stop())
  return gateway
}
/** Sends bytes and resolves to the whole response, once the server ends the connection. */
async function raw({ url }: StartedGateway, text: string): Promise<string> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1').on('error', () => {})
  socket.write(text)
  let answer = ''
  socket.on('data', (data) => {
    answer += data.toString('latin1')
  })
  await once(socket, 'close')
  return answer
}
const bodyOf = (answer: string): unknown => JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4))

describe('what node:http refuses', { timeout: 30_000 }, () => {
  it('is JSON: 431 for headers or a path that are too large, 400 for what is no HTTP', async () => {
    const gateway = await open()
    const large = 'x'.repeat(20_000)
    for (const text of [
      `GET / HTTP/1.1\r\nhost: h\r\nx: ${large}\r\n\r\n`,
      `GET /get/${large} HTTP/1.1\r\nhost: h\r\n\r\n`,
    ]) {
      const answer = await raw(gateway, text)
      expect(answer).toMatch(/^HTTP\/1.1 431 Request Header Fields Too Large\r\ncontent-type: application\/json\r\n/)
      expect(bodyOf(answer)).toEqual({
        error: expect.stringMatching(/^ERR the request line and headers are too large/),
      })
    }
    const bad = await raw(gateway, 'hello\r\n\r\n')
    expect(bad).toMatch(/^HTTP\/1.1 400 Bad Request\r\n/)
    expect(bodyOf(bad)).toEqual({ error: 'ERR the request is no HTTP/1.1' })
    expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200)
  })

  it('is written into no answer that is under way', async () => {
    const gateway = await open()
    const authorization = `authorization: Bearer ${gateway.token}`
    await fetch(`${gateway.url}/set/big/${'y'.repeat(10_000)}`, {
      headers: { authorization: `Bearer ${gateway.token}` },
    })
    const list = JSON.stringify(Array.from({ length: 800 }, () => ['GET', 'big']))
    const head = `POST /pipeline HTTP/1.1\r\nhost: h\r\n${authorization}\r\ncontent-length: ${list.length}\r\n\r\n${list}`
    const answer = await raw(gateway, `${head}garbage\r\n\r\n`)
    expect((answer.match(/HTTP\/1\.1 /g) ?? []).length).toBeLessThan(2)
  })
})

describe('a connection without a request', { timeout: 30_000 }, () => {
  it('stays open as long as the option says', async () => {
    for (const [keepAliveMs, hint] of [
      [5000, 'timeout=5'],
      [120_000, 'timeout=120'],
    ] as const) {
      const gateway = await open({ keepAliveMs })
      const agent = new Agent({ keepAlive: true })
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        httpRequest(`${gateway.url}/healthz`, { agent }, resolve).on('error', reject).end()
      })
      response.resume()
      expect(response.headers['keep-alive']).toBe(hint)
      agent.destroy()
    }
    for (const option of [{ keepAliveMs: 0 }, { idleMs: -1 }, { maxConnections: 1.5 }]) {
      await expect(startGateway({ redis: redis(), ...option })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
    }
  })
})

describe('a stop', { timeout: 10_000 }, () => {
  it('does not wait for a stream that was opened after it began', async () => {
    const asked = Promise.withResolvers<void>()
    const opened = Promise.withResolvers<void>()
    const headers = { 'content-type': 'text/event-stream' }
    const handle = async () => {
      asked.resolve()
      await opened.promise
      return { status: 200, headers, body: new ReadableStream<Uint8Array>() }
    }
    const served = await serve(Object.assign(async () => new Response(), { handle }))
    const response = fetch(served.url).then((it) => it.text())
    await asked.promise
    const stopped = served.stop(60_000)
    opened.resolve()
    expect([await response, await stopped]).toEqual(['', undefined])
  })
})

describe('a name of the server', { timeout: 30_000 }, () => {
  it('that is not listed is 421, with any port and in any case; by default every name will do', async () => {
    const listed = await open({ hosts: ['localhost', '127.0.0.1', '[::1]'] })
    const any = await open()
    const ask = async (gateway: StartedGateway, host: string): Promise<string> =>
      (await raw(gateway, `GET /healthz HTTP/1.1\r\nhost: ${host}\r\nconnection: close\r\n\r\n`)).slice(9, 12)
    for (const [host, status] of [
      ['localhost', '200'],
      ['LocalHost:8079', '200'],
      ['127.0.0.1:1', '200'],
      ['[::1]:8079', '200'],
      ['evil.example', '421'],
      ['localhost.evil.example', '421'],
      ['127.0.0.1.evil.example:8079', '421'],
    ] as const) {
      expect([host, await ask(listed, host), await ask(any, host)]).toEqual([host, status, '200'])
    }
  })
})

describe('a start', { timeout: 60_000 }, () => {
  it('waits for a Redis that comes later, and says so once', async () => {
    const port = await freePort()
    const waits: unknown[] = []
    const started = startGateway({
      redis: `redis://127.0.0.1:${port}`,
      waitMs: Number.POSITIVE_INFINITY,
      onWait: ({ code }) => waits.push(code),
    })
    await expect.poll(() => waits, { timeout: 10_000 }).toEqual(['STORE_UNAVAILABLE'])
    const server = await startServer('redis8', { port })
    closing.push(() => server.stop())
    const gateway = await started
    closing.push(() => gateway.stop())
    expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200)
    expect(waits).toHaveLength(1)
  })

  it('waits no longer than it may, and never for what waiting does not mend', async () => {
    await expect(startGateway({ redis: `redis://127.0.0.1:${await freePort()}`, waitMs: 300 })).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
    })
    const secured = await startServer('redis8', { args: ['--requirepass', 'right-one'] })
    closing.push(() => secured.stop())
    const wait = { waitMs: Number.POSITIVE_INFINITY }
    await expect(startGateway({ redis: secured.url, ...wait })).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
    await expect(startGateway({ redis: 'http://x', ...wait })).rejects.toMatchObject({ code: 'INVALID_URL' })
    await expect(startGateway({ redis: redis(), ...wait, tokens: ['a', 'a'] })).rejects.toMatchObject({
      code: 'INVALID_ARGUMENT',
    })
  })

  it('takes user and password beside the url, whatever they hold', async () => {
    const password = 'p@ss/w:rd#?,% é'
    const server = await startServer('redis8', { args: ['--user', 'app', 'on', '>plain', '~*', '&*', '+@all'] })
    closing.push(() => server.stop())
    const admin = await open({ redis: server.url, role: 'admin' })
    const headers = { authorization: `Bearer ${admin.token}` }
    expect((await fetch(`${admin.url}/ping`, { headers })).status).toBe(200)
    const first = await startGateway({ redis: server.url, redisUser: 'app', redisPassword: 'plain' })
    await first.stop()
    const second = await startServer('redis8', { args: ['--requirepass', password] })
    closing.push(() => second.stop())
    const gateway = await open({ redis: second.url, redisPassword: password })
    expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200)
    await expect(startGateway({ redis: second.url, redisPassword: 'other' })).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
    })
  })

  it('asks whether it is TLS where a server speaks without it', async () => {
    const plain = createServer((socket) => {
      let heard = ''
      socket.on('error', () => {})
      socket.on('data', (data) => {
        heard += data.toString('latin1')
        if (heard.includes('PING\r\n')) socket.write('+PONG\r\n')
      })
    }).listen(0, '127.0.0.1')
    closing.push(() => plain.close())
    await once(plain, 'listening')
    const { port } = plain.address() as { port: number }
    await expect(startGateway({ redis: `rediss://127.0.0.1:${port}` })).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringContaining('is it TLS?'),
    })
    // A real Redis, which takes the first bytes of TLS for a command.
    const real = redis().replace('redis:', 'rediss:')
    await expect(startGateway({ redis: real })).rejects.toMatchObject({
      message: expect.stringContaining('is it TLS?'),
    })
  })

  it('for a test has a token of its own, and ends with its block', async () => {
    let url = ''
    {
      await using gateway = await startTestGateway({ redis: redis() })
      url = gateway.url
      const headers = { authorization: `Bearer ${gateway.token}` }
      expect((await fetch(`${url}/dbsize`, { headers })).status).toBe(200)
    }
    await expect(fetch(url)).rejects.toThrow()
  })
})
