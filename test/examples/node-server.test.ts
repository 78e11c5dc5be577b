import { request } from 'node:http'
import { createServer } from 'node:net'
import { type StartedGateway, startGateway } from 'hither/node'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { freePort, type Server, startServer } from '../../scripts/servers.ts'
import { expectNames, expectOneRecomputes, expectSearches, expectSignIn } from './features.ts'
import { killAll, openBuiltWorkspace, type Running, start, type Workspace } from './workspace.ts'

vi.setConfig({ testTimeout: 180_000, hookTimeout: 300_000 }) // programs start slowly on a busy machine

const HIT = /^hither; hit; ttl=(59\d|600)$/
const MISS = 'hither; fwd=miss; stored'

let work: Workspace
let redis: Server
let gateway: StartedGateway
const running: Running[] = []

beforeAll(async () => {
  work = await openBuiltWorkspace()
  redis = await startServer('redis7')
  gateway = await startGateway({ redis: redis.url })
})
afterEach(async () => {
  await Promise.all(running.splice(0).map((each) => each.stop()))
})
afterAll(async () => {
  killAll()
  await gateway?.stop()
  await redis?.stop()
  await work?.remove()
})

interface Example extends Running {
  readonly url: string
}

async function serve(env: Record<string, string> = {}, command = ['node', 'examples/node-server/index.ts']) {
  const process = start(work.folder, command, { PORT: '0', ...env })
  running.push(process)
  const [, url = ''] = await process.printed(/: (http:\/\/127\.0\.0\.1:\d+)\n[^]*DELETE.*\n/)
  return { ...process, url } satisfies Example
}

const cacheStatus = async (url: string): Promise<string | null> => (await fetch(url)).headers.get('cache-status')

describe('npm start', () => {
  it('prints an address and three curl lines: a miss, a hit, and the answer dropped', async () => {
    const { output, url } = await serve({}, ['npm', 'start'])
    expect(output()).toContain('Store: memory')
    const lines = [...output().matchAll(/^ {2}curl -i (-X DELETE )?'(\S+)'$/gm)]
    expect(lines.map(([, drop]) => drop)).toEqual([undefined, undefined, '-X DELETE '])
    for (const [, , address] of lines) expect(address?.startsWith(url)).toBe(true)
    const [question = ''] = lines.map(([, , address]) => address)

    const first = await fetch(question)
    expect(first.headers.get('cache-status')).toBe(MISS)
    expect(first.headers.get('age')).toBeNull()
    const computed = (await first.json()) as { cache: object }
    expect(computed).toMatchObject({
      point: { lat: 48.86, lon: 2.35 },
      places: [{ name: 'Paris', country: 'FR' }, {}, {}],
      people: { within10km: expect.any(Number) },
      cache: { status: 'miss', ageMs: 0 },
    })

    const second = await fetch(question)
    expect(second.headers.get('cache-status')).toMatch(HIT)
    expect(second.headers.get('age')).toMatch(/^\d+$/)
    expect(second.headers.get('server-timing')).toMatch(/^cache;desc=hit;dur=\d+(\.\d+)?$/)
    const { cache, ...kept } = (await second.json()) as { cache: object }
    expect(kept).toEqual({ ...computed, cache: undefined })
    expect(cache).toMatchObject({ status: 'hit', ageMs: expect.any(Number), tookMs: expect.any(Number) })

    expect(await (await fetch(question, { method: 'DELETE' })).json()).toMatchObject({ deleted: 1 })
    expect(await (await fetch(question, { method: 'DELETE' })).json()).toMatchObject({ deleted: 0 })
    expect(await cacheStatus(question)).toBe(MISS)
  })
  it('ends with its server on SIGTERM', async () => {
    // The example is built already: `--ignore-scripts` leaves out `prestart`.
    const { stop, output, url } = await serve({}, ['npm', 'start', '--ignore-scripts'])
    await expectSearches(url, false)
    const listening = await fetch(`${url}/api/feed`)
    await stop('SIGTERM')
    expect(await listening.text()).toBe('retry: 2000\n\n') // ended by the server, not cut
    expect(output()).toContain('SIGTERM: answering what is under way')
    await expect(fetch(url)).rejects.toThrow()
  })
})

describe('the store by environment', () => {
  it.each<[string, () => Record<string, string>]>([
    ['Redis over TCP, by REDIS_URL', () => ({ REDIS_URL: redis.url })],
    [
      'Redis over REST, by UPSTASH_REDIS_REST_URL',
      () => ({ UPSTASH_REDIS_REST_URL: gateway.url, UPSTASH_REDIS_REST_TOKEN: gateway.token }),
    ],
    ['Redis over REST, by KV_REST_API_URL', () => ({ KV_REST_API_URL: gateway.url, KV_REST_API_TOKEN: gateway.token })],
  ])('%s: what one process computed is a hit in another', async (label, env) => {
    const [one, other] = await Promise.all([serve(env()), serve(env())])
    expect(one.output()).toContain(`Store: ${label}\n`)
    const question = `/api/near?lat=-1.29&lon=${36 + label.length / 100}`
    expect(await cacheStatus(one.url + question)).toBe(MISS)
    expect(await cacheStatus(other.url + question)).toMatch(HIT)
    await fetch(other.url + question, { method: 'DELETE' })
    expect(await cacheStatus(one.url + question)).toBe(MISS)
    await expectOneRecomputes(one.url, other.url)
    await expectSignIn(one.url)
    await expectSearches(other.url, true)
  })
  it('computes every answer while the store is away, and says why', async () => {
    const { output, url } = await serve({ REDIS_URL: `redis://127.0.0.1:${await freePort()}` })
    expect(output()).toContain('the store does not answer yet (STORE_UNAVAILABLE)')
    for (let i = 0; i < 2; i++) {
      expect(await cacheStatus(`${url}/api/near?lat=1&lon=2`)).toBe('hither; fwd=miss; detail=STORE_UNAVAILABLE')
    }
    const dropped = await fetch(`${url}/api/near?lat=1&lon=2`, { method: 'DELETE' })
    expect(dropped.status).toBe(503)
    expect(await dropped.json()).toMatchObject({ detail: expect.stringContaining('STORE_UNAVAILABLE') })
  })
  it.each<[string, Record<string, string>, RegExp]>([
    ['an address that is none', { REDIS_URL: 'http://user:hunter2@host' }, /^INVALID_URL: .*redis:\/\//],
    ['a url without its token', { UPSTASH_REDIS_REST_URL: 'https://host' }, /^MISSING_CREDENTIALS: .*TOKEN/],
    ['a secret that is too short', { SESSION_SECRET: 'hunter2' }, /^SESSION_SECRET: .*32 random bytes/],
    ['a port that is none', { PORT: 'eighty' }, /^PORT is a number/],
  ])('ends at once for %s, without saying the secret', async (_, env, message) => {
    const process = start(work.folder, ['node', 'examples/node-server/index.ts'], { PORT: '0', ...env })
    expect(await process.ended).toBe(1)
    expect(process.output()).toMatch(message)
    expect(process.output()).not.toContain('hunter2')
  })
})

describe('the port', () => {
  it('is a free one when the usual one is taken, and it says so', async () => {
    const taken = createServer()
    // If another program has the port already, that will do as well.
    await new Promise<void>((resolve) => taken.once('error', () => resolve()).listen(3000, '127.0.0.1', resolve))
    try {
      const { output, url } = await serve({ PORT: '' })
      expect(output()).toContain('port 3000 is taken')
      expect((await fetch(`${url}/healthz`)).status).toBe(200)
    } finally {
      taken.close()
    }
  })
  it('given in PORT and taken, is an error', async () => {
    const { url } = await serve()
    const { port } = new URL(url)
    const second = start(work.folder, ['node', 'examples/node-server/index.ts'], { PORT: port })
    expect(await second.ended).toBe(1)
    expect(second.output()).toContain(`port ${port} is taken`)
  })
})

describe('bad input', () => {
  let url: string
  beforeAll(async () => {
    const process = start(work.folder, ['node', 'examples/node-server/index.ts'], { PORT: '0' })
    url = (await process.printed(/http:\/\/127\.0\.0\.1:\d+/))[0]
    return async () => void (await process.stop())
  })
  it.each<[string, number, string]>([
    ['/api/near', 400, 'lat is a number of degrees'],
    ['/api/near?lat=&lon=2', 400, 'lat is a number of degrees'],
    ['/api/near?lat=90.01&lon=2', 400, 'lat is a number of degrees from -90 to 90'],
    ['/api/near?lat=1&lon=-180.5', 400, 'lon is a number of degrees from -180 to 180'],
    ['/api/near?lat=0x10&lon=2', 400, 'lat is a number'],
    ['/api/near?lat=NaN&lon=2', 400, 'lat is a number'],
    ['/api/near?lat=1e1&lon=2', 400, 'lat is a number'],
    ['/api/near?lat=1&lon=2&limit=0', 400, 'limit is a whole number from 1 to 50'],
    ['/api/near?lat=1&lon=2&limit=51', 400, 'limit is a whole number'],
    ['/api/near?lat=1&lon=2&limit=2.5', 400, 'limit is a whole number'],
    ['/api/places', 400, 'q is the beginning of a name'],
    ['/api/places?q=%20', 400, 'q is the beginning of a name'],
    [`/api/places?q=${'x'.repeat(61)}`, 400, 'q is the beginning of a name'],
    ['/nothing', 404, 'no such page'],
  ])('%s gets %i and what to do', async (path, status, detail) => {
    const response = await fetch(url + path)
    expect([response.status, response.headers.get('content-type')]).toEqual([status, 'application/problem+json'])
    expect(await response.json()).toMatchObject({ status, detail: expect.stringContaining(detail) })
  })
  it('reads points alike that are alike: one entry for all within a hundredth of a degree', async () => {
    expect(await cacheStatus(`${url}/api/near?lat=0.001&lon=-180`)).toBe(MISS)
    expect(await cacheStatus(`${url}/api/near?lat=-0.004&lon=180&limit=10`)).toMatch(HIT)
  })
  it('finds names without their accents, largest first, and keeps whole responses', async () => {
    await expectNames(url)
  })
})

describe('requests under way', () => {
  /** Sends a request on a separate connection. Resolves to the status; undefined when the connection broke. */
  function ask(url: string): { readonly status: Promise<number | undefined>; leave(): void } {
    const asked = request(url, { agent: false })
    const status = new Promise<number | undefined>((resolve) => {
      asked
        .once('response', (response) => resolve(response.resume().statusCode))
        .once('error', () => resolve(undefined))
    })
    asked.end()
    return { status, leave: () => asked.destroy() }
  }

  it('are answered after SIGTERM, and the exit code is 0', async () => {
    const { url, stop, printed } = await serve({ REDIS_URL: redis.url })
    await redis.kill('SIGSTOP')
    let exit: Promise<number | null>
    let status: Promise<number | undefined>
    try {
      ;({ status } = ask(`${url}/api/near?lat=10&lon=10`))
      for (let i = 0; i < 2; i++) await fetch(`${url}/healthz`) // by then the first request waits for the store
      exit = stop('SIGTERM')
      await printed(/SIGTERM: answering/)
      expect(await ask(`${url}/healthz`).status).toBeUndefined()
    } finally {
      await redis.kill('SIGCONT')
    }
    expect(await status).toBe(200)
    expect(await exit).toBe(0)
  })
  it('whose client leaves do the server no harm', async () => {
    const { url, output } = await serve({ REDIS_URL: redis.url })
    await redis.kill('SIGSTOP')
    try {
      const { leave, status } = ask(`${url}/api/near?lat=11&lon=11`)
      for (let i = 0; i < 2; i++) await fetch(`${url}/healthz`)
      leave()
      expect(await status).toBeUndefined()
    } finally {
      await redis.kill('SIGCONT')
    }
    expect((await fetch(`${url}/api/near?lat=11&lon=11`)).status).toBe(200)
    expect(output()).not.toMatch(/Error|closed/)
  })
})
