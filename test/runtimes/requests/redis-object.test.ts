import { readFileSync } from 'node:fs'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Server, startServer } from '../../../scripts/servers.ts'
import { startWorkerd } from './start.ts'

const nodes = (): string =>
  (process.env.CLUSTER_NODES as string)
    .split(',')
    .map((node) => `redis://${node}`)
    .join()

const start = (url: string, entry = 'test/runtimes/requests/redis-object-worker.ts') =>
  startWorkerd({ entry, by: 'workerd', bindings: { REDIS_URL: url }, objects: { REDIS_OBJECT: 'RedisObject' } })
type Started = Awaited<ReturnType<typeof start>>
type Answer = { readonly result?: unknown; readonly code?: string; readonly maybeExecuted?: boolean }
const asking =
  (worker: () => Started) =>
  async (job: string, key = `object:${job}:${Math.random()}`): Promise<Answer> =>
    (await (await fetch(`${worker().url}?job=${job}&key=${encodeURIComponent(key)}`)).json()) as Answer

describe.each([
  ['Redis', () => process.env.REDIS8_URL as string],
  ['a Cluster', nodes],
] as const)('a connection that a Durable Object keeps, to %s', (_name, url) => {
  let worker: Started
  beforeAll(async () => {
    worker = await start(url())
  })
  afterAll(() => worker.stop())
  const ask = asking(() => worker)

  it('gives back text and bytes, and counts what it deleted', async () => {
    expect(await ask('text')).toEqual({ result: [['é\0\r\n', null], [0, 255, 13, 10], 1] })
    expect(await ask('large')).toEqual({ result: true })
  })
  it('keeps the order of calls on a key', async () => {
    expect(await ask('order')).toEqual({ result: [null, '1', null, '2', 1, null] })
  })
  it('loses no operation of 50 callers in each of 8 requests', async () => {
    const key = `object:sums:${Math.random()}`
    const all = await Promise.all(Array.from({ length: 8 }, () => ask('sums', key)))
    expect(new Set(all.flatMap(({ result }) => result)).size).toBe(400)
  })
  it('keeps a cache', async () => {
    expect(await ask('cache')).toEqual({ result: [1, 1, 2] })
  })
  it('carries errors of the server and its own as what they are', async () => {
    expect(await ask('wrong')).toMatchObject({ code: 'STORE_REJECTED', maybeExecuted: false })
    expect(await ask('refused')).toMatchObject({ code: 'STORE_REJECTED', maybeExecuted: false })
    const { result } = await ask('transaction')
    expect(result).toEqual(['OK', { message: expect.stringMatching(/^WRONGTYPE/) }, 2])
    expect(await ask('late')).toMatchObject({ code: 'TIMEOUT', maybeExecuted: false })
    expect(await ask('aborted')).toMatchObject({ message: 'no longer needed' })
    expect(await ask('block')).toMatchObject({ code: 'TIMEOUT', maybeExecuted: true })
  })
})

describe('a connection that a Durable Object keeps', () => {
  it('is one for all requests, and is opened again after its server was started anew', async () => {
    const server: Server = await startServer('redis8')
    const worker = await start(server.url)
    try {
      const ask = asking(() => worker)
      const admin = new Redis(server.url)
      const opened = async (): Promise<number> =>
        Number(/total_connections_received:(\d+)/.exec(await admin.info('stats'))?.[1])
      const before = await opened()
      const all = await Promise.all(Array.from({ length: 20 }, () => ask('connections')))
      expect(new Set(all.map(({ result }) => result)).size).toBe(1)
      await ask('sums')
      expect((await ask('connections')).result).toBe(all[0]?.result)
      expect((await opened()) - before).toBe(1)
      admin.disconnect()
      await server.kill('SIGKILL')
      expect(await ask('sums')).toMatchObject({ code: 'STORE_UNAVAILABLE' })
      await server.restart()
      await expect.poll(() => ask('text'), { timeout: 20_000 }).toHaveProperty('result')
    } finally {
      await worker.stop()
      await server.stop()
    }
  })
  it('says that its url is missing, or that nothing is there', async () => {
    for (const [url, code] of [
      ['', 'INVALID_URL'],
      ['nonsense', 'INVALID_URL'],
      ['redis://127.0.0.1:1', 'STORE_UNAVAILABLE'],
    ] as const) {
      const worker = await start(url)
      expect(await asking(() => worker)('order')).toMatchObject({ code })
      await worker.stop()
    }
  })
  it('serves the example, whose wrangler.toml names the class', async () => {
    const toml = readFileSync(new URL('../../../examples/worker-redis/wrangler.toml', import.meta.url), 'utf8')
    expect(toml).toMatch(/class_name = "RedisObject"[^]*new_sqlite_classes = \["RedisObject"\]/)
    const worker = await start(process.env.REDIS8_URL as string, 'examples/worker-redis/index.ts')
    const first = await (await fetch(worker.url)).json()
    expect(await (await fetch(worker.url)).json()).toEqual(first)
    const statuses: number[] = []
    for (let i = 0; i < 4; i++) statuses.push((await fetch(worker.url)).status)
    expect(statuses).toEqual([200, 200, 200, 429])
    await worker.stop()
  })
})
