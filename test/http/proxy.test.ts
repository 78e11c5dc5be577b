import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Server, startServer } from '../../scripts/servers.ts'
import { type Running, startProxy } from './suite/suite.ts'

const asked: { readonly method: string; readonly url: string; readonly host: string; readonly body: string }[] = []
/** The Transfer-Encoding of each request, or its Content-Length. */
const framing: (string | undefined)[] = []
/** A field whose bytes are UTF-8, as Node reads and writes it. */
const NAMED = Buffer.from('attachment; filename="café.txt"').toString('latin1')
const origin = createServer((request, response) => {
  let body = ''
  request.on('data', (data) => {
    body += data
  })
  request.on('end', () => {
    const { method = '', url = '', headers } = request
    asked.push({ method, url, host: headers.host ?? '', body })
    framing.push(headers['transfer-encoding'] ?? headers['content-length'])
    if (url === '/switch') {
      request.socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n')
      return undefined
    }
    response.setHeader('cache-control', 'max-age=60')
    if (url === '/named') {
      response.writeHead(
        200,
        [
          ['content-disposition', NAMED],
          ['set-cookie', 'a=1'],
          ['set-cookie', 'b=2'],
        ].flat(),
      )
      return response.end(Buffer.from('café'))
    }
    if (!url.startsWith('/cut')) return response.end(`${method} ${url} ${headers.host} ${body}`)
    response.writeHead(200, { 'content-length': '100000' })
    response.write('x'.repeat(5000), () => response.destroy())
  })
})
let redis: Server
let proxy: Running
beforeAll(async () => {
  redis = await startServer('redis8')
  origin.listen(0, '127.0.0.1')
  await once(origin, 'listening')
  const { port } = origin.address() as AddressInfo
  proxy = await startProxy(`http://127.0.0.1:${port}`, { STORE: redis.url, PROFILE: 'full' })
})
afterAll(async () => {
  await proxy?.stop()
  origin.closeAllConnections()
  origin.close()
  await redis?.stop()
})

it.each([
  [{ ORIGIN: 'https://127.0.0.1' }, /^ORIGIN is/],
  [
    { ORIGIN: 'http://127.0.0.1:1', UPSTASH_REDIS_REST_URL: 'http://127.0.0.1:1', UPSTASH_REDIS_REST_TOKEN: 't' },
    /^STORE_UNAVAILABLE/,
  ],
  [{ ORIGIN: 'http://127.0.0.1:1', STORE: 'rest' }, /^MISSING_CREDENTIALS: set UPSTASH_REDIS_REST_URL/],
  [{ ORIGIN: 'http://127.0.0.1:1', STORE: 'redis://:bad:url:x' }, /^INVALID_URL/],
  [{ ORIGIN: 'http://127.0.0.1:1', PROFILE: 'FULL' }, /^PROFILE is/],
  [{ ORIGIN: 'http://127.0.0.1:1', PORT: 'http' }, /^PORT is/],
] as const)('the reverse proxy says what is wrong with its environment, and ends: %j', (env, message) => {
  const program = ['--no-warnings', '--import', './scripts/from-source.ts', 'examples/reverse-proxy/index.ts']
  const { PATH = '' } = process.env
  const { status, stderr } = spawnSync(process.execPath, program, {
    env: { PATH, PORT: '0', ...env },
    encoding: 'utf8',
    timeout: 30_000,
  })
  expect([status, stderr]).toEqual([1, expect.stringMatching(message)])
})

/** Sends `text` on a separate connection. Resolves to what the proxy sends until it closes the connection. */
function raw(text: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = ''
    const socket = connect(Number(new URL(proxy.url).port), '127.0.0.1')
    socket.on('data', (data) => {
      answer += data
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(answer))
    socket.write(text)
  })
}
/** Sends a request. `request` is its request line and its fields, with `\n` between them. */
const ask = async (request: string, body = ''): Promise<{ readonly status: string; readonly body: string }> => {
  const answer = await raw(`${request.replaceAll('\n', '\r\n')}\r\nConnection: close\r\n\r\n${body}`)
  return { status: answer.slice(9, 12), body: answer.slice(answer.indexOf('\r\n\r\n') + 4) }
}

describe('the reverse proxy', () => {
  it.each(['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'M-SEARCH', 'PROPFIND', 'QUERY'])(
    'passes method, path, query and body on as they are: %s',
    async (method) => {
      const target = `/p%2f//a;b?${method}&x=%zz`
      const answer = await ask(`${method} ${target} HTTP/1.1\nHost: A.example\nContent-Length: 3`, 'abc')
      expect(answer.status).toBe('200')
      expect(asked.at(-1)).toEqual({ method, url: target, host: 'a.example', body: 'abc' })
    },
  )
  it('keeps a question mark that no query follows, and drops a fragment', async () => {
    for (const [target, url] of [
      ['/mark?', '/mark?'],
      ['/mark', '/mark'],
      ['/hash?#x', '/hash?'],
      ['http://a.example?', '/?'],
    ]) {
      await ask(`GET ${target} HTTP/1.1\nHost: a.example`)
      expect([target, asked.at(-1)?.url]).toEqual([target, url])
    }
  })
  it.each(['OPTIONS', 'DELETE', 'PROPFIND', 'POST', 'PUT', 'TRACE'])(
    'gives a request no body that has none: %s',
    async (method) => {
      expect((await ask(`${method} /none HTTP/1.1\nHost: a.example`)).status).toBe('200')
      expect([undefined, '0']).toContain(framing.at(-1))
      const more = method === 'TRACE' ? [] : ['Transfer-Encoding: chunked', 'Content-Length: 0']
      for (const field of more) {
        const body = field.startsWith('T') ? '3\r\nabc\r\n0\r\n\r\n' : ''
        expect((await ask(`${method} /none HTTP/1.1\nHost: a.example\n${field}`, body)).status).toBe('200')
        expect([field, asked.at(-1)?.body, framing.at(-1)]).toEqual([field, body && 'abc', body ? 'chunked' : '0'])
      }
    },
  )
  it('answers 502 where its origin changes the protocol, and nobody has asked for it', async () => {
    expect((await ask('GET /switch HTTP/1.1\nHost: a.example')).status).toBe('502')
  })
  it('sends fields as they came, from the origin and from the store: UTF-8 too, and no Content-Type where there is none', async () => {
    for (const how of ['stored', 'hit', 'hit']) {
      const answer = await raw('GET /named HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n')
      expect(answer).toContain(`; ${how}`)
      expect(answer).toContain('\r\ncontent-disposition: attachment; filename="café.txt"\r\n')
      expect(answer).toContain('\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n')
      expect(answer).not.toMatch(/content-type/i)
      expect(answer).toMatch(/\r\n\r\n(?:\w\r\n)?café/)
    }
  })
  it('gives no answer for one host to another, whatever a request names beside its target', async () => {
    await ask('GET http://victim.example/ HTTP/1.1\nHost: evil.example')
    expect(asked.at(-1)?.host).toBe('victim.example')
    expect((await ask('GET / HTTP/1.1\nHost: a.example\nHost: evil.example')).status).toBe('400')
    expect((await ask('GET / HTTP/1.1\nHost: victim.example')).body).toContain('victim.example')
  })
  it('answers a request of HTTP/1.0 without a host, as health checks send it, for the host of its origin', async () => {
    const { port } = origin.address() as AddressInfo
    const answer = await raw('GET /health HTTP/1.0\r\n\r\n')
    expect(answer).toMatch(/^HTTP\/1\.1 200 /)
    expect(answer).toContain(`GET /health 127.0.0.1:${port} `)
    expect((await ask('GET / HTTP/1.1')).status).toBe('400')
  })
  it('refuses what requests are smuggled by', async () => {
    const before = asked.length
    const hidden = '0\r\n\r\nGET /evil HTTP/1.1\r\nHost: a\r\n\r\n'
    for (const fields of [
      'Content-Length: 5\nTransfer-Encoding: chunked',
      'Content-Length: 3\nContent-Length: 4',
      'Transfer-Encoding: xchunked',
      'Transfer-Encoding: chunked, identity',
      'Content-Length: +5',
      ' Content-Length: 5',
      'Content-Length : 5',
    ])
      expect([fields, (await ask(`POST / HTTP/1.1\nHost: a\n${fields}`, hidden)).status]).toEqual([fields, '400'])
    expect(asked.slice(before)).toEqual([])
    const body = 'GET /evil HTTP/1.1\r\nHost: a\r\n\r\n'
    await ask(`GET /outer HTTP/1.1\nHost: a\nContent-Length: ${body.length}`, body)
    expect(asked.slice(before).map(({ url }) => url)).toEqual(['/outer'])
  })
  it('refuses fields that are too many or too large, and ignores a wish to upgrade', async () => {
    expect((await ask(`GET / HTTP/1.1\nHost: a\nX: ${'x'.repeat(70_000)}`)).status).toBe('431')
    const upgrade = await raw(
      'GET /ws HTTP/1.1\r\nHost: a\r\nConnection: close, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n',
    )
    expect(upgrade.slice(9, 12)).toBe('200')
  })
  it('passes a body on that its origin has cut as one that is cut, and stores none of it', async () => {
    const before = asked.length
    for (let i = 1; i < 3; i++) {
      const response = await fetch(`${proxy.url}/cut`)
      await expect(response.text()).rejects.toThrow()
      expect(asked.length - before).toBe(i)
    }
  })
  it('answers from the store once its origin is gone, with 502 for the rest, and without Redis at all by its origin', async () => {
    const text = async (path: string): Promise<string> => (await fetch(proxy.url + path)).text()
    const first = await text('/kept')
    await redis.kill('SIGKILL')
    const before = asked.length
    expect(await text('/kept')).toBe(first)
    expect(asked.length - before).toBe(1)
    await redis.restart()
    await expect.poll(async () => (await text('/kept')) === first && asked.length).toBeGreaterThan(before)
    const isHit = async (): Promise<boolean> =>
      (await fetch(`${proxy.url}/kept`)).headers.get('cache-status')?.includes('; hit') ?? false
    await expect.poll(isHit, { timeout: 20_000, interval: 200 }).toBe(true)
    origin.closeAllConnections()
    origin.close()
    expect(await text('/kept')).toBe(first)
    expect((await fetch(`${proxy.url}/other`)).status).toBe(502)
    expect((await fetch(`${proxy.url}/kept`, { method: 'POST', body: 'x' })).status).toBe(502)
  })
})
