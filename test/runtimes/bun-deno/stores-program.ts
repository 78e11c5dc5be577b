/**
 * Uses the stores that open sockets or fetch, as a program does, and prints the outcome of each call as one JSON text. It is
 * bundled, and run by Node, Bun and Deno.
 */
import { createServer } from 'node:net'
import { createCache } from 'hither'
import { connect, ioredisStore } from 'hither/ioredis'
import { createLocks } from 'hither/lock'
import { nodeRedisStore } from 'hither/node-redis'
import { createRateLimiter, slidingWindow } from 'hither/rate-limit'
import { tcpStore } from 'hither/tcp'
import { upstashStore } from 'hither/upstash'
import { createClient } from 'redis'
import type { CommandStore } from '../../../src/index.ts'

interface Opened {
  readonly store: CommandStore
  close(): Promise<unknown>
}

const [redis = '', rest = '', namespace = ''] = process.argv.slice(2)
const WAYS: Readonly<Record<string, (redisUrl: string, restUrl: string) => Promise<Opened>>> = {
  async tcp(url) {
    const store = tcpStore({ url })
    return { store, close: () => store.close() }
  },
  async ioredis(url) {
    const store = ioredisStore(await connect(url), { owned: true })
    return { store, close: () => store.close() }
  },
  async 'node-redis'(url) {
    const client = createClient({ url, disableOfflineQueue: true })
    client.on('error', () => {})
    await client.connect()
    return { store: nodeRedisStore(client), close: async () => client.destroy() }
  },
  async upstash(_, url) {
    const store = upstashStore({ url, token: 'token' })
    return { store, close: () => store.close() }
  },
}

/** The first word of an error reply. */
const wordOf = (reply: unknown): string => (reply as { word?: string }).word ?? 'no error reply'

/** Resolves to the value of a call, or to the code of its error and its `maybeExecuted`. */
const codeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.catch((error: { code?: string; maybeExecuted?: boolean; name?: string }) =>
    error.code ? `${error.code} ${error.maybeExecuted}` : `an error without a code: ${error.name}`,
  )

async function use({ store }: Opened, name: string): Promise<Record<string, unknown>> {
  const key = (part: string): string => `${namespace}:${name}:${part}`
  const bytes = Uint8Array.from({ length: 300 }, (_, at) => at % 256)
  await store.set(key('text'), 'a\r\n\0ü😀', 60_000)
  await store.setBytes?.(key('bytes'), bytes, 60_000)
  const large = 'x'.repeat(1_000_000)
  await store.set(key('large'), large, 60_000)
  await store.transport.send({ args: ['RPUSH', key('list'), 'a'], effect: 'once' })
  const found = await store.getBytes?.(key('bytes'))
  const many = Array.from({ length: 500 }, (_, i) => key(`many:${i}`))
  await Promise.all(many.map((each, i) => store.set(each, `${i}`, 60_000)))
  const cache = createCache({ store, namespace: `${namespace}-${name}`, ttl: '1m' })
  let loads = 0
  const load = (): Promise<number> => cache.getOrSet('a', () => ++loads, { tags: ['t'] })
  const loaded = await Promise.all([load(), load(), load()])
  await cache.invalidateTags(['t'])
  const limiter = createRateLimiter({
    store,
    namespace: `${namespace}-${name}`,
    algorithm: slidingWindow({ limit: 2, window: '1m' }),
    outage: 'closed',
  })
  const locks = createLocks({ store, namespace: `${namespace}-${name}`, ttl: '30s' })
  const lock = await locks.acquire('a')
  const gone = new AbortController()
  gone.abort(new Error('left'))
  return {
    text: await store.get(key('text')),
    bytes: found && [found.constructor.name, found.length, found.every((byte, at) => byte === at % 256)],
    large: (await store.get(key('large')))?.length,
    foreign: await store.get(key('list')),
    many: (await Promise.all(many.map((each) => store.get(each)))).every((value, i) => value === `${i}`),
    together: (await store.getMany(many)).filter((value) => value !== undefined).length,
    raw: await codeOf(store.transport.send({ args: ['INCR', key('text')], effect: 'once' }).then(wordOf)),
    loads: [loaded, await load(), loads],
    limits: [
      (await limiter.limit('a')).success,
      (await limiter.limit('a')).success,
      (await limiter.limit('a')).success,
    ],
    lock: [!!lock, !!(await locks.acquire('a')), await lock?.release()],
    aborted: await store.get(key('text'), { signal: gone.signal }).catch((error: Error) => error.message),
    late: await codeOf(store.get(key('text'), { deadline: Date.now() - 1 })),
    oversized: await codeOf(store.set(key('big'), 'x'.repeat(9 * 1024 * 1024), 1000)),
    deleted: await store.delete([...many, key('text'), key('bytes'), key('large'), key('list')]),
    closed: await store.close().then(() => codeOf(store.get(key('text')))),
  }
}

/** The outcome of calls over a server that never replies, and over one that is not there. */
async function fail(): Promise<Record<string, unknown>> {
  const silent = createServer((socket) => void socket.on('error', () => {}))
  await new Promise<void>((done) => void silent.listen(0, '127.0.0.1', done))
  const left = createServer()
  await new Promise<void>((done) => void left.listen(0, '127.0.0.1', done))
  const [port, freed] = [silent, left].map((server) => (server.address() as { port: number }).port)
  await new Promise((done) => left.close(done))
  const results: Record<string, unknown> = {}
  for (const [name, at] of [
    ['silent', port],
    ['refused', freed],
  ] as const) {
    const tcp = tcpStore({ url: `redis://127.0.0.1:${at}` })
    const http = upstashStore({ url: `http://127.0.0.1:${at}`, token: 'token' })
    for (const store of [tcp, http]) {
      const found = String(
        await codeOf(store.set('a', 'b', 1000, { deadline: Date.now() + (name === 'silent' ? 300 : 10_000) })),
      )
      // Chance decides whether the call was sent before its deadline, so `maybeExecuted` is left out.
      results[`${name} ${store.name}`] = name === 'silent' ? found.split(' ')[0] : found
      await store.close()
    }
  }
  silent.close()
  return results
}

const results: Record<string, unknown> = {}
for (const [name, open] of Object.entries(WAYS)) {
  try {
    const opened = await open(redis, rest)
    results[name] = await use(opened, name)
    await opened.close()
  } catch (error) {
    results[name] = `failed: ${(error as Error).message}`
  }
}
results.failures = await fail()
console.log(JSON.stringify(results))
process.exit(0)
