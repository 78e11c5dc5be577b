import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Server, startServer } from '../../scripts/servers.ts'
import { rounds } from '../support/rounds.ts'

// Memory held by responses: a gateway with a heap of 1 GB serves values that are many times larger in all. In a short run the
// heap, the bounds and the values are a quarter of that size.

const PART = rounds({ quick: 4, soak: 1 })
const HEAP_MB = 1024 / PART
/** The default bounds of a gateway, divided by `PART`. */
const bounds = { maxAnswerBytes: 134_217_728 / PART, maxBufferedAnswerBytes: 268_435_456 / PART }
/** Number of 1 MB values that one request asks for. */
const MANY = 1600 / PART
/** Size of a large value in megabytes; the bounds have room for three. */
const LARGE_MB = 80 / PART

const CHILD = fileURLToPath(new URL('../faults/support/gateway-child.ts', import.meta.url))
const HOOKS = new URL('../../scripts/from-source.ts', import.meta.url).href

let server: Server
let child: ChildProcess
let url: string
let token: string
beforeAll(async () => {
  server = await startServer('redis7')
})
afterAll(() => server.stop())
afterEach(async () => {
  if (child.exitCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
})

async function start(given: object = bounds, heapMb = HEAP_MB, client: 'tcp' | 'ioredis' = 'tcp'): Promise<void> {
  // These tests measure no time, and gigabytes take long.
  const options = JSON.stringify({ timeoutMs: 90_000, answerTimeoutMs: 90_000, idleMs: 90_000, ...given })
  child = fork(CHILD, [server.url, options, client], {
    execArgv: [`--max-old-space-size=${heapMb}`, '--no-warnings', '--import', HOOKS],
  })
  ;[{ url, token }] = (await once(child, 'message')) as [{ url: string; token: string }]
}
const post = (path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, ...headers },
    body: JSON.stringify(body),
  })
const command = async (...args: unknown[]): Promise<unknown> => (await post('/', args)).json()
const residentBytes = (): number =>
  1024 * Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1])
/** Resolves to the bytes of responses that the gateway holds, from its metrics. */
const held = async (): Promise<number> => {
  const text = await (await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${token}` } })).text()
  return Number(/^hither_gateway_answer_bytes_held (\d+)$/m.exec(text)?.[1])
}
/** Stores a value of so many megabytes of one character in Redis. */
const fill = (name: string, megabytes: number, character = 'x'): Promise<unknown> =>
  command('EVAL', "redis.call('SET', KEYS[1], string.rep(ARGV[1], ARGV[2]))", 1, name, character, megabytes * 1e6)

describe('the answers of one request', { timeout: 180_000 }, () => {
  for (const client of ['tcp', 'ioredis'] as const) {
    it(`are bounded: ${MANY} values of 1 MB do not end a gateway with a heap of ${HEAP_MB} MB, over ${client}`, async () => {
      await start(bounds, HEAP_MB, client)
      await fill('mb', 1)
      const list = Array.from({ length: MANY }, () => ['GET', 'mb'])
      expect(JSON.stringify(list).length).toBeLessThan(15 * MANY)
      const response = await post('/pipeline', list)
      expect(response.status).toBe(200)
      const items = (await response.json()) as { result?: string; error?: string }[]
      expect(items).toHaveLength(MANY)
      const kept = items.filter(({ result }) => result?.length === 1e6).length
      expect(kept).toBe(Math.floor(bounds.maxAnswerBytes / 1e6))
      expect(items.filter(({ error }) => error?.startsWith('TOOLARGE the command ran'))).toHaveLength(MANY - kept)
      expect(await command('ECHO', 'alive')).toEqual({ result: 'alive' })
      expect(await held()).toBe(0)
    })
  }

  it('run to their end: what comes behind the bound has run', async () => {
    await start()
    await fill('mb', 1)
    const list = [...Array.from({ length: 200 / PART }, () => ['GET', 'mb']), ['INCR', 'behind'], ['GET', 'mb']]
    const items = (await (await post('/pipeline', list)).json()) as { result?: unknown; error?: string }[]
    expect(items[200 / PART]).toEqual({ result: 1 })
    expect(items[200 / PART + 1]?.error).toMatch(/^TOOLARGE /)
  })

  it('are bounded in one reply: MGET, EVAL, a transaction', async () => {
    await start()
    await fill('mb', 1)
    const keys = Array.from({ length: MANY }, () => 'mb')
    expect(await command('MGET', ...keys)).toEqual({ error: expect.stringMatching(/^TOOLARGE /) })
    expect(
      await command(
        'EVAL',
        `local t={} local v=redis.call('GET',KEYS[1]) for i=1,${900 / PART} do t[i]=v end return t`,
        1,
        'mb',
      ),
    ).toEqual({ error: expect.stringMatching(/^TOOLARGE /) })
    const transaction = await post(
      '/multi-exec',
      keys.map((key) => ['GET', key]),
    )
    expect([transaction.status, await transaction.json()]).toEqual([
      400,
      { error: expect.stringMatching(/^TOOLARGE /) },
    ])
    expect(await command('ECHO', 'alive')).toEqual({ result: 'alive' })
  })

  it('are whole where they fit, in every format and as text that grows', async () => {
    await start({}, 1024)
    await fill('big', 80)
    const whole = (await command('GET', 'big')) as { result: string }
    expect(whole.result).toBe('x'.repeat(80e6))
    const text = `${'é'.repeat(50_000)}😀"\\\n${'\u0001'.repeat(100_000)}${'😀'.repeat(40_000)}`
    await post('/', ['SET', 'mixed', text])
    expect(await command('GET', 'mixed')).toEqual({ result: text })
    const list = await post('/pipeline', [['GET', 'mixed'], ['ECHO', 'OK'], ['GET'], ['MGET', 'mixed', 'none']])
    expect(list.headers.get('content-length')).toMatch(/^\d+$/)
    expect(await list.json()).toEqual([
      { result: text },
      { result: 'OK' },
      { error: expect.stringMatching(/^ERR wrong number/) },
      { result: [text, null] },
    ])
    const base64 = await post('/', ['GET', 'mixed'], { 'upstash-encoding': 'base64' })
    expect(Buffer.from(((await base64.json()) as { result: string }).result, 'base64').toString()).toBe(text)
    const resp2 = await post('/pipeline', [['GET', 'mixed'], ['PING']], { 'upstash-response-format': 'resp2' })
    const length = Buffer.byteLength(text)
    expect(Buffer.from(await resp2.arrayBuffer()).toString()).toBe(`*2\r\n$${length}\r\n${text}\r\n$4\r\nPONG\r\n`)
    // Escaped as JSON, the value would be longer than the longest string of the runtime.
    await fill('control', 99, '\u0001')
    expect(await command('GET', 'control')).toEqual({ error: expect.stringMatching(/^TOOLARGE /) })
    expect(await held()).toBe(0)
  })
})

describe('answers that nobody reads', { timeout: 180_000 }, () => {
  const open = async (path: string): Promise<Socket> => {
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname).on('error', () => {})
    await once(socket, 'connect')
    socket.pause()
    socket.write(`GET ${path} HTTP/1.1\r\nhost: h\r\nauthorization: Bearer ${token}\r\n\r\n`)
    return socket
  }

  it(`are bounded together: 25 clients that do not read ${LARGE_MB} MB each`, async () => {
    await start()
    await fill('big', LARGE_MB)
    const sockets = await Promise.all(Array.from({ length: 25 }, () => open('/get/big')))
    // Three values have room in `maxBufferedAnswerBytes`, which is twice the bound of one request.
    await expect.poll(held, { timeout: 60_000 }).toBeGreaterThan(230e6 / PART)
    await expect
      .poll(async () => Number(/route="command",status="503"} (\d+)/.exec(await metrics())?.[1] ?? 0), {
        timeout: 90_000,
      })
      .toBe(22)
    expect(await command('ECHO', 'alive')).toEqual({ result: 'alive' })
    expect(residentBytes()).toBeLessThan(HEAP_MB * 1e6 + 276e6)
    const refused = await post('/', ['GET', 'big'])
    expect([refused.status, refused.headers.get('retry-after'), await refused.json()]).toEqual([
      503,
      '1',
      { error: 'ERR the gateway is full of answers, nothing was changed' },
    ])
    const written = await post('/', ['GETSET', 'big', 'x'])
    expect([written.status, written.headers.get('retry-after'), await written.json()]).toEqual([
      503,
      null,
      { error: 'ERR upstream OVERLOADED: no answer from Redis, the command may have run' },
    ])
    for (const socket of sockets) socket.destroy()
    await expect.poll(held, { timeout: 20_000 }).toBe(0)
    expect(await command('GET', 'big')).toEqual({ result: 'x' })
  })

  it('end where a client goes away half-way, and where it reads slowly they do not', async () => {
    await start()
    await fill('big', 20)
    const leaving = await open('/get/big')
    await expect.poll(held, { timeout: 20_000 }).toBe(20e6 + 13)
    leaving.destroy()
    await expect.poll(held, { timeout: 20_000 }).toBe(0)
    const slow = await open('/get/big')
    let read = 0
    slow.on('data', (data) => {
      read += data.length
      slow.pause()
      setImmediate(() => slow.resume())
    })
    slow.resume()
    await expect.poll(() => read, { timeout: 30_000 }).toBeGreaterThan(20e6)
    expect(await held()).toBe(0)
    slow.destroy()
  })
})

async function metrics(): Promise<string> {
  return (await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${token}` } })).text()
}
