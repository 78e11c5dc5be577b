import { Cluster, Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect, ioredisStore } from '../../adapters/ioredis/index.ts'
import { memoryStore } from '../../adapters/memory/index.ts'
import { type StartedGateway, startGateway } from '../../adapters/node/index.ts'
import { tcpStore } from '../../adapters/tcp/index.ts'
import { upstashStore } from '../../adapters/upstash/index.ts'
import { embeddedStore } from '../../src/embedded/index.ts'
import { createLocks, type Lock, type Locks } from '../../src/lock/index.ts'
import type { AtomicStore } from '../../src/store/store.ts'
import { rounds } from '../support/rounds.ts'
import { systems } from '../support/systems.ts'

const LATE = rounds({ quick: 100, soak: 10_000 })
const AT_ONCE = 100
/** A short lease, but longer than a busy machine keeps a process from running, in milliseconds. */
const SHORT = 400

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const code = (code: string) => expect.objectContaining({ code })
let tests = 0

async function held(pending: Promise<Lock | undefined>): Promise<Lock> {
  const lock = await pending
  if (!lock) throw new Error('it is taken')
  return lock
}

function describeLocks(name: string, open: () => Promise<AtomicStore>, close?: () => Promise<unknown>): void {
  // The title is that of the store contract, so that these rows join the store's in the table of results.
  describe(`store contract: ${name}`, () => {
    const stores: AtomicStore[] = []
    beforeAll(async () => {
      stores.push(await open(), await open())
    }, 60_000)
    afterAll(async () => {
      await Promise.all(stores.map((store) => store.close()))
      await close?.()
    })
    /** Locks over two separate connections, in one namespace that no other test uses. `key` is the stored key of lock `k`. */
    interface Pair {
      readonly here: Locks
      readonly there: Locks
      readonly key: string
    }
    const pair = (): Pair => {
      const namespace = `t${++tests}-${Math.random().toString(36).slice(2)}`
      const [here, there] = stores.map((store) => createLocks({ store, namespace, ttl: '1m' })) as [Locks, Locks]
      return { here, there, key: `:${namespace}:lock:k` }
    }
    const test = (title: string, body: (pair: Pair) => Promise<void>): void =>
      it(`locks ${title}`, () => body(pair()), 120_000)

    test('hold for one at a time, and their tokens rise', async ({ here, there }) => {
      let last = 0
      for (let round = 0; round < 50; round++) {
        const lock = await held((round % 2 ? here : there).acquire('k'))
        expect(Number.isSafeInteger(lock.token) && lock.token > last).toBe(true)
        last = lock.token
        expect(await here.acquire('k')).toBeUndefined()
        expect(await there.acquire('k')).toBeUndefined()
        expect([await lock.release(), await lock.release()]).toEqual([true, false])
      }
      // A token is the time in microseconds by the clock of the store.
      expect(Math.abs(last / 1000 - Date.now())).toBeLessThan(3_600_000)
    })
    test('are waited for', async ({ here, there }) => {
      const first = await held(here.acquire('k'))
      const second = there.acquire('k', { wait: '30s' })
      await pause(50)
      await first.release()
      const { token } = await held(second)
      expect(token).toBeGreaterThan(first.token)
      expect(await here.run('k', () => 1, { wait: 100 })).toEqual({ acquired: false })
    })
    test('run, and release also when the work throws', async ({ here, there }) => {
      expect(await here.run('k', async ({ token }) => typeof token)).toEqual({ acquired: true, value: 'number' })
      const error = new Error('mine')
      const fails = async (): Promise<never> => {
        throw error
      }
      await expect(there.run('k', fails)).rejects.toBe(error)
      expect(await here.run('k', () => 5)).toEqual({ acquired: true, value: 5 })
    })
    test('are renewed for as long as they are held', async ({ here, there }) => {
      const lock = await held(here.acquire('k', { ttl: SHORT * 5 }))
      await pause(SHORT * 6)
      lock.assertHeld()
      expect(await there.acquire('k')).toBeUndefined()
      expect(await lock.release()).toBe(true)
    })
    test('are lost when the store has lost them', async ({ here, there, key }) => {
      const lock = await held(here.acquire('k', { ttl: SHORT }))
      const aborted = new Promise((resolve) => lock.signal.addEventListener('abort', resolve))
      await lock.extend('1m')
      expect(await stores[1]?.delete([key])).toBe(1)
      await aborted
      expect(() => lock.assertHeld()).toThrow(code('LOCK_LOST'))
      const next = await held(there.acquire('k'))
      expect(next.token).toBeGreaterThan(lock.token)
      expect([await lock.extend(), await lock.release(), await next.extend()]).toEqual([false, false, true])
    })
    test(`that are released late leave the next holder alone, ${LATE} times`, async ({ here, there }) => {
      for (let done = 0; done < LATE; done += AT_ONCE) {
        const names = Array.from({ length: Math.min(AT_ONCE, LATE - done) }, (_, i) => `late:${done + i}`)
        const options = { ttl: SHORT, wait: '1m', renew: false } as const
        const first = await Promise.all(names.map((name) => held(here.acquire(name, options))))
        const next = await Promise.all(names.map((name) => held(there.acquire(name, { wait: '1m' }))))
        expect((await Promise.all(first.map((lock) => lock.extend()))).filter(Boolean)).toEqual([])
        expect((await Promise.all(first.map((lock) => lock.release()))).filter(Boolean)).toEqual([])
        const taken = await Promise.all(names.map((name) => here.acquire(name)))
        expect(taken.filter(Boolean)).toEqual([])
        expect((await Promise.all(next.map((lock) => lock.release()))).every(Boolean)).toBe(true)
      }
    })
    test('of 32 contenders are each had, one at a time', async ({ here, there }) => {
      let inside = 0
      const tokens: number[] = []
      const contender = async (_: unknown, i: number): Promise<void> => {
        for (let round = 0; round < 3; round++) {
          const lock = await held((i % 2 ? here : there).acquire('k', { wait: '100s' }))
          expect(++inside).toBe(1)
          tokens.push(lock.token)
          await pause(1)
          lock.assertHeld()
          inside--
          expect(await lock.release()).toBe(true)
        }
      }
      await Promise.all(Array.from({ length: 32 }, contender))
      expect(tokens).toEqual(tokens.toSorted((a, b) => a - b))
      expect(new Set(tokens).size).toBe(96)
    })
    test('of a semaphore are as many as it has permits', async ({ here, there }) => {
      const [one, other] = [here.semaphore('s', { permits: 3 }), there.semaphore('s', { permits: 3 })]
      let inside = 0
      let most = 0
      // No caller releases its permit before all permits were taken at once.
      const { promise: full, resolve: fill } = Promise.withResolvers<void>()
      const caller = async (_: unknown, i: number): Promise<void> => {
        const done = await (i % 2 ? one : other).run(
          async () => {
            most = Math.max(most, ++inside)
            if (most >= 3) fill()
            await full
            await pause(20)
            inside--
          },
          { wait: '100s' },
        )
        expect(done.acquired).toBe(true)
      }
      await Promise.all(Array.from({ length: 16 }, caller))
      expect(most).toBe(3)
    })
    test('of readers exclude a writer, and not one another', async ({ here, there }) => {
      const [one, other] = [here.readWrite('r'), there.readWrite('r')]
      const readers = [await held(one.read.acquire()), await held(other.read.acquire())]
      expect(await other.write.acquire()).toBeUndefined()
      const writer = one.write.acquire({ wait: '100s' })
      await pause(200)
      for (const reader of readers) expect(await reader.release()).toBe(true)
      const { release } = await held(writer)
      expect(await other.read.acquire()).toBeUndefined()
      expect(await other.write.acquire()).toBeUndefined()
      expect(await release()).toBe(true)
      expect(await other.read.run(() => 1)).toEqual({ acquired: true, value: 1 })
    })
    test('are of a name of any kind', async ({ here, there }) => {
      for (const name of ['a:b', '{a}', 'žluť 馬', ' ', "'; DROP", 'a\nb', 'x'.repeat(900)]) {
        const lock = await held(here.acquire(name))
        expect(await there.acquire(name)).toBeUndefined()
        expect(await lock.release()).toBe(true)
      }
      await expect(here.acquire('x'.repeat(1100))).rejects.toEqual(code('INVALID_KEY'))
      await expect(here.acquire('a\ud800')).rejects.toEqual(code('INVALID_KEY'))
    })
  })
}

const env = (name: string): string => {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set: the test setup starts the servers`)
  return value
}
const over = (make: () => Redis | Cluster) => {
  const clients: (Redis | Cluster)[] = []
  return [
    async () => {
      const client = make()
      clients.push(client)
      return ioredisStore(client)
    },
    async () => {
      for (const client of clients) client.disconnect()
    },
  ] as const
}
const single = { enableOfflineQueue: false, maxRetriesPerRequest: 0 }
const nodes = (): { host: string; port: number }[] =>
  env('CLUSTER_NODES')
    .split(',')
    .map((node) => ({ host: node.split(':')[0] as string, port: Number(node.split(':')[1]) }))
const many = { enableOfflineQueue: false, retryDelayOnFailover: 0, redisOptions: { maxRetriesPerRequest: 0 } }

const memory = memoryStore()
describeLocks('memory', async () => ({ ...memory, close: async () => {} }))
const embedded = embeddedStore()
describeLocks('embedded', async () => ({ ...embedded, close: async () => {} }))
describeLocks('ioredis 6, redis 7', ...over(() => new Redis(env('REDIS7_URL'), single)))
describeLocks('ioredis 6, redis 8', ...over(() => new Redis(env('REDIS8_URL'), single)))
describeLocks('ioredis 6, valkey', ...over(() => new Redis(env('VALKEY_URL'), single)))
describeLocks('ioredis 6, cluster', ...over(() => new Cluster(nodes(), many)))
for (const [name, variable] of [
  ['Redis 7', 'REDIS7_URL'],
  ['Redis 8', 'REDIS8_URL'],
  ['Valkey', 'VALKEY_URL'],
] as const) {
  describeLocks(`tcp, RESP2, ${name}`, async () => tcpStore({ url: env(variable) }))
}
let gateway: Promise<StartedGateway> | undefined
describeLocks(
  'REST → gateway → Redis 8',
  async () => {
    gateway ??= startGateway({ redis: env('REDIS8_URL') })
    return upstashStore(await gateway)
  },
  async () => (await gateway)?.stop(),
)
const admin = new Redis(env('REDIS7_URL'), { lazyConnect: true })
describeLocks(
  'ioredis, scripts refused',
  async () => {
    await admin.call('ACL', 'SETUSER', 'lock-noscripts', 'on', '>secret', '~*', '&*', '+@all', '-@scripting')
    const url = new URL(env('REDIS7_URL'))
    url.username = 'lock-noscripts'
    url.password = 'secret'
    return ioredisStore(await connect(url.href))
  },
  async () => admin.disconnect(),
)
for (const { name, open, close } of systems()) describeLocks(name, open, close)

it('a Cluster confirms a lock at the node of its name, over hither/tcp', async () => {
  const store = tcpStore({
    url: env('CLUSTER_NODES')
      .split(',')
      .map((node) => `redis://${node}`),
  })
  const locks = createLocks({ store, namespace: `r${Math.random().toString(36).slice(2)}`, minReplicas: 1, ttl: '1m' })
  const names = Array.from({ length: 12 }, (_, i) => `k${i}`)
  // These nodes have no replicas: no lock is confirmed, and none is refused.
  for (const name of names) expect(await locks.acquire(name)).toBe(undefined)
  await store.close()
}, 60_000)
