import { type StartedGateway, startGateway } from 'hither/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { memcachedStore } from '../../adapters/memcached/index.ts'
import { natsStore } from '../../adapters/nats/index.ts'
import { tcpStore, tcpTransport } from '../../adapters/tcp/index.ts'
import { upstashStore } from '../../adapters/upstash/index.ts'
import { type Server, startServer } from '../../scripts/servers.ts'
import { createCache } from '../../src/index.ts'
import { dualStore, migrate } from '../../src/migrate/index.ts'
import { readEntry } from '../../src/migrate/operations.ts'
import type { AtomicStore } from '../../src/store/store.ts'

// Moves the data of one system to the next and on, until it is on a system of the first kind again. Nothing must be lost.

const TOKEN = 'migrate-token'
const servers: Server[] = []
const stores: AtomicStore[] = []
let gateway: StartedGateway
const start = async (name: Parameters<typeof startServer>[0], args: string[] = []): Promise<Server> => {
  const server = await startServer(name, { args })
  servers.push(server)
  return server
}
const kept = <S extends AtomicStore>(store: S): S => {
  stores.push(store)
  return store
}
beforeAll(async () => {
  const [behind] = await Promise.all([start('valkey')])
  gateway = await startGateway({ redis: behind?.url ?? '', token: TOKEN, port: 0 })
})
afterAll(async () => {
  await Promise.all(stores.map((store) => store.close()))
  await gateway.stop()
  await Promise.all(servers.map((server) => server.stop()))
})

const leftOf = async (store: AtomicStore, key: string): Promise<number | undefined> =>
  ((await store.run(readEntry, key, [0])) as [number] | null)?.[0]

/** Returns entries of every kind, by key. */
function entries(): Map<string, { value: string; lifeMs: number | undefined }> {
  const all = new Map<string, { value: string; lifeMs: number | undefined }>()
  for (let i = 0; i < 2000; i++) {
    const lifeMs = i % 4 === 0 ? undefined : 60_000 + i * 1000
    all.set(`n:${i}`, { value: `value ${i} ü😀`.repeat((i % 7) + 1), lifeMs })
  }
  all.set('with space', { value: '', lifeMs: 90_000 })
  all.set('ümläut 😀', { value: 'a\u0000b\r\n', lifeMs: 90_000 })
  all.set(`long:${'k'.repeat(500)}`, { value: 'long', lifeMs: 90_000 })
  all.set('large', { value: 'x'.repeat(1_000_000), lifeMs: 90_000 })
  all.set(':lock:l:a', { value: '1 2 3', lifeMs: 90_500 })
  all.set('far', { value: 'in 60 days', lifeMs: 60 * 86_400_000 })
  all.set('\uFFFD', { value: '\uFFFD', lifeMs: undefined })
  return all
}

describe('a move from system to system', { timeout: 180_000 }, () => {
  it('Redis → Memcached → NATS → REST → Redis loses nothing, and keeps lifetimes to a step', async () => {
    const redis = kept(tcpStore((await start('redis8')).url))
    const memcached = kept(
      memcachedStore({ servers: [(await start('memcached')).url, (await start('memcached')).url] }),
    )
    const nats = kept(natsStore({ servers: (await start('nats')).url, bucket: 'moved', storage: 'memory' }))
    const rest = kept(upstashStore({ url: gateway.url, token: TOKEN }))
    const last = kept(tcpStore((await start('redis7')).url))
    const all = entries()
    await Promise.all([...all].map(([key, { value, lifeMs }]) => redis.set(key, value, lifeMs)))
    const bytes = new Uint8Array([0, 255, 128, 13, 10])
    await redis.setBytes?.('bytes', bytes, 90_000)
    const setAt = performance.now()
    const way: readonly [string, AtomicStore, number][] = [
      ['redis', redis, 0],
      ['memcached', memcached, 1000],
      ['nats', nats, 1000],
      ['rest', rest, 1000],
      ['last', last, 1000],
    ]
    for (let i = 1; i < way.length; i++) {
      const [[, from], [name, to, step]] = [way[i - 1], way[i]] as [
        [string, AtomicStore, number],
        [string, AtomicStore, number],
      ]
      const result = await migrate(from, to)
      expect([name, result.notMoved, result.gone]).toEqual([name, [], 0])
      expect([name, result.copied]).toEqual([name, all.size + 1])
      expect([name, await to.getBytes?.('bytes')]).toEqual([name, bytes])
      const values = await to.getMany([...all.keys()])
      expect(values).toEqual([...all.values()].map(({ value }) => value))
      const lefts = await Promise.all([...all.keys()].map((key) => leftOf(to, key)))
      const spent = performance.now() - setAt
      for (const [at, [key, { lifeMs }]] of [...all].entries()) {
        const left = lefts[at]
        if (lifeMs === undefined) expect([name, key, left]).toEqual([name, key, -1])
        else {
          // Each move may change a lifetime by at most the step of the coarser store, plus the time of a round trip.
          const due = lifeMs - spent
          // For lifetimes over 30 days memcached counts whole seconds since the epoch, which costs one more step a move.
          const steps = key === 'far' ? 2 * step * i : key.startsWith(':') ? 0 : step * i
          expect([name, key, Math.abs((left as number) - due) <= steps + 1500], `${left} ${due}`).toEqual([
            name,
            key,
            true,
          ])
        }
      }
    }
  })

  it('names foreign types, and copies a Cluster by all its nodes', async () => {
    const cluster = kept(tcpStore((process.env.CLUSTER_NODES ?? '').split(',').map((node) => `redis://${node}`)))
    const target = kept(tcpStore((await start('redis8')).url))
    await Promise.all(Array.from({ length: 1500 }, (_, i) => cluster.set(`moved.c:${i}`, `${i}`)))
    await cluster.transport?.send({ args: ['HSET', 'moved.c:hash', 'f', '1'], effect: 'once' })
    await cluster.transport?.send({ args: ['LPUSH', 'moved.c:list', '1'], effect: 'once' })
    const result = await migrate(cluster, target, { namespace: 'moved' })
    expect(result.copied).toBe(1500)
    expect(result.notMoved).toMatchObject([{ reason: 'foreign-type', count: 2 }])
    expect([...(result.notMoved[0]?.keys ?? [])].sort()).toEqual(['moved.c:hash', 'moved.c:list'])
    const back = await migrate(target, cluster, { namespace: 'moved.c' })
    expect([back.copied, back.notMoved]).toEqual([1500, []])
  })

  it('says which keys are too long or too large for the next system, and moves 8 MB where it fits', async () => {
    const from = kept(tcpStore((await start('redis7')).url))
    const big = 'y'.repeat(8_000_000)
    await Promise.all([from.set('big', big, 600_000), from.set('small', 's')])
    const raw = tcpTransport({ url: servers.at(-1)?.url as string })
    await raw.send({ args: ['SET', 'k'.repeat(2000), '1'], effect: 'once' })
    await raw.send({ args: ['SET', new Uint8Array([0xff, 0xfe]), '1'], effect: 'once' })
    await raw.send({ args: ['SET', 'huge', 'z'.repeat(12_000_000)], effect: 'once' })
    await raw.close()
    const memcached = kept(memcachedStore({ servers: [(await start('memcached16')).url] }))
    const reasons = (result: Awaited<ReturnType<typeof migrate>>) =>
      Object.fromEntries(result.notMoved.map(({ reason, keys }) => [reason, [...keys].sort()]))
    const rest = { 'key-too-long': ['k'.repeat(2000)], 'binary-key': ['\uFFFD\uFFFD'] }
    expect(reasons(await migrate(from, memcached))).toEqual({ ...rest, 'value-too-large': ['big', 'huge'] })
    const other = kept(tcpStore((await start('redis8')).url))
    expect(reasons(await migrate(from, other))).toEqual({ ...rest, 'value-too-large': ['huge'] })
    expect(await other.get('big')).toBe(big)
    const restStore = kept(upstashStore({ url: gateway.url, token: TOKEN, timeoutMs: 30_000 }))
    expect(reasons(await migrate(from, restStore))).toEqual({ ...rest, 'value-too-large': ['huge'] })
    expect(await restStore.get('big')).toBe(big)
  })

  it('moves keys that expire meanwhile, and what is written to both, without losing or raising any', async () => {
    const from = kept(tcpStore((await start('redis8')).url))
    const to = kept(tcpStore((await start('redis7')).url))
    const dual = dualStore(from, to)
    await Promise.all(Array.from({ length: 3000 }, (_, i) => from.set(`e:${i}`, 'x', (i % 300) + 1)))
    await Promise.all(Array.from({ length: 3000 }, (_, i) => from.set(`w:${i}`, 'old')))
    let over = false
    const moving = migrate(from, to, { keysPerSecond: 3000 }).finally(() => {
      over = true
    })
    const cache = createCache({ store: dual, namespace: 'both', ttl: '10m' })
    let n = 0
    for (; !over && n < 3000; n++) {
      if (n % 3 === 0) await dual.delete([`w:${n}`])
      else await dual.set(`w:${n}`, 'new', 600_000)
      if (n % 10 === 0) await cache.set(`${n}`, n)
    }
    const result = await moving
    // Some of the keys that expire or are deleted were gone before the scan reached them.
    expect(result.copied).toBeGreaterThan(1000)
    const keys = Array.from({ length: 3000 }, (_, i) => `w:${i}`)
    const expected = keys.map((_, i) => (i >= n ? 'old' : i % 3 === 0 ? undefined : 'new'))
    expect(await from.getMany(keys)).toEqual(expected)
    expect(await to.getMany(keys)).toEqual(expected)
    const moved = createCache({ store: to, namespace: 'both', ttl: '10m' })
    for (let i = 0; i < n; i += 10) expect(await moved.get(`${i}`)).toBe(i)
    await expect
      .poll(async () => (await to.getMany(Array.from({ length: 3000 }, (_, i) => `e:${i}`))).filter(Boolean).length)
      .toBe(0)
  })

  it('ends with what the target says when it dies, and goes on from there', async () => {
    const from = kept(tcpStore((await start('redis8')).url))
    const server = await start('redis7')
    const to = kept(tcpStore(server.url))
    await Promise.all(Array.from({ length: 5000 }, (_, i) => from.set(`k:${i}`, `${i}`)))
    let text: string | undefined
    const state = {
      load: async () => text,
      save: async (next: string | undefined) => {
        text = next
      },
    }
    let killed: Promise<void> | undefined
    const run = migrate(from, to, {
      state,
      patienceMs: 500,
      onProgress: ({ copied }) => {
        if (copied >= 1500) killed ??= server.kill('SIGKILL')
      },
    })
    await expect(run).rejects.toMatchObject({ code: expect.stringMatching(/^(STORE_UNAVAILABLE|TIMEOUT)$/) })
    await killed
    expect(text).toBeDefined()
    expect((JSON.parse(text as unknown as string) as { cursor: string }).cursor).not.toBe('')
    // The server restarts empty. The keys copied before are lost, so the saved state no longer fits the target.
    await server.restart()
    const isUp = (): Promise<boolean> =>
      to.ready().then(
        () => true,
        () => false,
      )
    await expect.poll(isUp, { timeout: 20_000 }).toBe(true)
    const again = await migrate(from, to, { state })
    const before = (await to.getMany(Array.from({ length: 5000 }, (_, i) => `k:${i}`))).filter(Boolean).length
    expect([again.copied >= 5000, before < 5000]).toEqual([true, true])
    text = undefined
    await migrate(from, to, { state })
    const values = await to.getMany(Array.from({ length: 5000 }, (_, i) => `k:${i}`))
    expect(values).toEqual(values.map((_, i) => `${i}`))
  })

  it('refuses a target that is full or may not be written, with its reason', async () => {
    const from = kept(tcpStore((await start('redis8')).url))
    await from.set('a', 'x'.repeat(1000))
    const full = kept(tcpStore((await start('redis7', ['--maxmemory', '1', '--maxmemory-policy', 'noeviction'])).url))
    await expect(migrate(from, full)).rejects.toMatchObject({ code: 'STORE_REJECTED', reply: 'OOM' })
    const replica = kept(tcpStore((await start('redis7', ['--replicaof', '127.0.0.1', '1'])).url))
    await expect(migrate(from, replica, { patienceMs: 300 })).rejects.toMatchObject({ name: 'StoreRejectedError' })
  })
})
