import { randomUUID } from 'node:crypto'
import { getEventListeners } from 'node:events'
import { createClient, createClientPool, createCluster } from 'redis'
import { createClient as createClient5, createCluster as createCluster5 } from 'redis5'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { nodeRedisStore } from '../../adapters/node-redis/index.ts'
import { stream } from '../../src/structures/index.ts'
import { describeStore, testCounter } from '../../src/testing/index.ts'

/** The part of a client that these tests use. */
type Client = Parameters<typeof nodeRedisStore>[0] & {
  on(event: string, listener: () => void): unknown
  connect(): Promise<unknown>
  sendCommand(args: string[]): Promise<unknown>
  destroy(): void
}

interface Cluster {
  readonly isOpen: boolean
  on(event: string, listener: () => void): unknown
  connect(): Promise<unknown>
  sendCommand(key: string, isReadonly: boolean, args: string[]): Promise<unknown>
  duplicate(): unknown
  destroy(): void
}

const url = process.env.REDIS8_URL ?? ''
const clusters: Cluster[] = []
const made: Client[] = []
const open = async (create: (options: object) => unknown, options: object = {}): Promise<Client> => {
  const client = create({ url, disableOfflineQueue: true, ...options }) as Client
  client.on('error', () => {})
  await client.connect()
  made.push(client)
  return client
}
afterAll(() => {
  for (const client of [...made, ...clusters]) if (client.isOpen) client.destroy()
})

for (const [name, create, options] of [
  ['node-redis 6, RESP3', createClient as (options: object) => unknown, { RESP: 3 }],
  ['node-redis 6, RESP2', createClient as (options: object) => unknown, { RESP: 2 }],
  ['node-redis 5', createClient5 as (options: object) => unknown, {}],
] as readonly [string, (options: object) => unknown, { readonly RESP?: number }][]) {
  let admin: Client
  beforeAll(async () => {
    admin = await open(create)
  })
  describeStore({ describe, it, afterAll }, name, {
    open: async () => nodeRedisStore(await open(create, options)),
    elapse: (ms) => new Promise((done) => setTimeout(done, ms)),
    foreign: async (key) => void (await admin.sendCommand(['RPUSH', key, 'x'])),
    forgetScripts: async () => void (await admin.sendCommand(['SCRIPT', 'FLUSH'])),
  })
  describe(name, () => {
    it('sends messages and hears them', async () => {
      const store = nodeRedisStore(await open(create, options))
      const heard: string[] = []
      const end = await store.subscribe?.(`c-${name}`, (message) => void heard.push(message))
      expect(await store.publish?.(`c-${name}`, 'one')).toBe(1)
      await expect.poll(() => heard).toEqual(['one'])
      await end?.()
      await store.close()
    })
    it('runs a transaction, and an operation where scripts are refused', async () => {
      const store = nodeRedisStore(await open(create, options))
      const replies = await store.transport.transaction([
        { args: ['SET', `t:${name}`, '1'], effect: 'once' },
        { args: ['INCR', `t:${name}`], effect: 'once' },
      ])
      expect(replies).toEqual(['OK', 2])
      await store.close()
    })
    it('leaves the client open, and refuses one that queues while it is away', async () => {
      const client = await open(create, options)
      await nodeRedisStore(client).close()
      expect(client.isOpen).toBe(true)
      const queueing = create({ url }) as Client
      expect(() => nodeRedisStore(queueing)).toThrow(expect.objectContaining({ code: 'UNSAFE_CLIENT' }))
      const pool = createClientPool({ url, disableOfflineQueue: true }) as never
      expect(() => nodeRedisStore(pool)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
      expect(() => nodeRedisStore({} as never)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
    })
    it('runs no transaction on a connection that was cut after WATCH', async () => {
      const client = await open(create, options)
      const { exclusive } = nodeRedisStore(client).transport
      const own = await exclusive?.({})
      const id = await own?.send({ args: ['CLIENT', 'ID'], effect: 'read' })
      await own?.send({ args: ['WATCH', `w:${name}`], effect: 'read' })
      await admin.sendCommand(['CLIENT', 'KILL', 'ID', String(id)])
      const ids = async (): Promise<string> => String(await admin.sendCommand(['CLIENT', 'LIST']))
      await expect.poll(ids, { timeout: 10_000 }).not.toContain(`id=${id} `)
      const run = (): Promise<unknown> =>
        own?.transaction([{ args: ['SET', `w:${name}`, 'unguarded'], effect: 'once' }]) ?? Promise.resolve()
      // The client could reconnect during these tries; the transaction must not run on a new connection.
      for (let tries = 0; tries < 20; tries++) {
        await expect(run()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
        await new Promise((done) => setTimeout(done, 10))
      }
      own?.release(true)
    })
    it('goes on to consume a stream when its connections are cut', async () => {
      const client = await open(create, { ...options, name: `consumer-${randomUUID()}` })
      const own = String(await client.sendCommand(['CLIENT', 'GETNAME']))
      const store = nodeRedisStore(client)
      const jobs = stream<number>({ store, namespace: own }, 'jobs')
      const leaving = new AbortController()
      const done = new Set<number>()
      const errors: unknown[] = []
      const loop = (async () => {
        const settings = { consumer: 'c', signal: leaving.signal, onError: (error: unknown) => void errors.push(error) }
        for await (const { value, ack } of jobs.group('g').consume(settings)) {
          done.add(value)
          await ack().catch(() => {})
        }
      })()
      const cut = async (): Promise<void> => {
        for (const line of String(await admin.sendCommand(['CLIENT', 'LIST'])).split('\n')) {
          if (line.includes(own)) await admin.sendCommand(['CLIENT', 'KILL', 'ID', line.match(/id=(\d+)/)?.[1] ?? ''])
        }
      }
      for (let n = 0; n < 5; n++) {
        await expect.poll(() => jobs.append(n).catch(() => undefined), { timeout: 10_000 }).toBeDefined()
        await expect.poll(() => done.has(n), { timeout: 10_000 }).toBe(true)
        await cut()
      }
      expect(errors.length).toBeGreaterThan(0)
      leaving.abort('done')
      await expect(loop).rejects.toBe('done')
      await store.close()
    })
    it('leaves no socket of a connection that was given up while it was opened', async () => {
      const store = nodeRedisStore(await open(create, options))
      const sockets = (): number => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
      const before = sockets()
      for (let round = 0; round < 20; round++) {
        const leaving = new AbortController()
        const own = store.transport.exclusive?.({ signal: leaving.signal })
        const read = own?.then((lent) => lent.send({ args: ['GET', 'k'], effect: 'read' }, { signal: leaving.signal }))
        await new Promise((done) => setImmediate(done))
        leaving.abort('left')
        await expect(read).rejects.toBe('left')
        ;(await own?.catch(() => undefined))?.release(true)
      }
      await expect.poll(sockets, { timeout: 10_000 }).toBe(before)
      await store.close()
    })
    it('leaves no socket of a subscription that was given up while it was opened', async () => {
      const client = await open(create, options)
      const sockets = (): number => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length
      const before = sockets()
      // node-redis 5 does not say that a connection was given up: they all end after five seconds, at once.
      const given = Array.from({ length: 20 }, async () => {
        const store = nodeRedisStore(client)
        const subscribed = store.subscribe?.(`given-up-${name}`, () => {})
        await new Promise((done) => setImmediate(done))
        await store.close()
        await Promise.allSettled([subscribed])
      })
      await Promise.all(given)
      await expect.poll(sockets, { timeout: 10_000 }).toBe(before)
    })
    it('leaves no listener of a subscription that reconnects', async () => {
      const signals: AbortSignal[] = []
      const Original = AbortController
      class Noted extends Original {
        constructor() {
          super()
          signals.push(this.signal)
        }
      }
      vi.stubGlobal('AbortController', Noted)
      const label = `reconnects-${options.RESP ?? 5}`
      const client = await open(create, { ...options, name: label, socket: { reconnectStrategy: 5 } })
      const store = nodeRedisStore(client)
      let gaps = 0
      const end = await store.subscribe?.(
        'c',
        () => {},
        () => gaps++,
      )
      vi.unstubAllGlobals()
      for (let cut = 1; cut <= 5; cut++) {
        const seen = gaps
        const killed = expect.poll(
          async () => {
            const list = String(await admin.sendCommand(['CLIENT', 'LIST', 'TYPE', 'pubsub']))
            const id = list
              .split('\n')
              .find((line) => line.includes(`name=${label}`))
              ?.match(/id=(\d+)/)?.[1]
            return id ? admin.sendCommand(['CLIENT', 'KILL', 'ID', id]) : 0
          },
          { timeout: 10_000 },
        )
        await killed.toBe(1)
        await expect.poll(() => gaps, { timeout: 10_000 }).toBeGreaterThan(seen + 1)
      }
      const left = signals.map((signal) => getEventListeners(signal, 'abort').length)
      expect(Math.max(0, ...left)).toBeLessThan(3)
      await end?.()
      await store.close()
    })
    it('rejects at once while the client is not connected', async () => {
      const store = nodeRedisStore(create({ url, disableOfflineQueue: true }) as Client)
      await expect(store.set('k', 'v')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', maybeExecuted: false })
    })
  })
}

const rootNodes = (): { url: string }[] =>
  (process.env.CLUSTER_NODES as string).split(',').map((node) => ({ url: `redis://${node}` }))
for (const [name, create, options] of [
  ['node-redis 6, Cluster', createCluster, { RESP: 3 }],
  ['node-redis 5, Cluster', createCluster5, {}],
] as unknown as readonly [string, (options: object) => Cluster, object][]) {
  const openCluster = async (): Promise<Cluster> => {
    const cluster = create({ rootNodes: rootNodes(), defaults: { disableOfflineQueue: true }, ...options })
    cluster.on('error', () => {})
    await cluster.connect()
    clusters.push(cluster)
    return cluster
  }
  let admin: Cluster
  beforeAll(async () => {
    admin = await openCluster()
  })
  describeStore({ describe, it, afterAll }, name, {
    open: async () => nodeRedisStore(await openCluster()),
    elapse: (ms) => new Promise((done) => setTimeout(done, ms)),
    foreign: async (key) => void (await admin.sendCommand(key, false, ['RPUSH', key, 'x'])),
  })
  describe(name, () => {
    it('scans every node, sends messages, and runs a transaction at the node of its key', async () => {
      const store = nodeRedisStore(await openCluster())
      const keys = Array.from({ length: 40 }, (_, i) => `scan:${name}:${i}`)
      await Promise.all(keys.map((key) => store.set(key, 'x', 60_000)))
      const found = new Set<string>()
      for await (const key of store.scan?.(`scan:${name}:*`) ?? []) found.add(key)
      expect([...found].sort()).toEqual(keys.toSorted())
      expect(await store.delete(keys)).toBe(40)
      const heard: string[] = []
      const end = await store.subscribe?.(`c-${name}`, (message) => void heard.push(message))
      await store.publish?.(`c-${name}`, 'one')
      await expect.poll(() => heard).toEqual(['one'])
      await end?.()
      for (const key of ['t1', 't2', 't3', 't4'].map((key) => `${key}:${name}`)) {
        const replies = await store.transport.transaction([
          { args: ['SET', key, '1'], effect: 'once' },
          { args: ['INCR', key], effect: 'once' },
        ])
        expect(replies).toEqual(['OK', 2])
        const own = await store.transport.exclusive?.({}, key)
        expect(await own?.send({ args: ['GET', key], effect: 'read' })).toBe('2')
        own?.release(false)
      }
      await store.close()
    })
    it('loses no increment of several clients on keys of several nodes', async () => {
      const stores = await Promise.all([1, 2, 3].map(async () => nodeRedisStore(await openCluster())))
      for (const key of ['a', 'b', 'c'].map((key) => `sum:${key}:${name}`)) {
        const calls = stores.flatMap((store) =>
          Array.from({ length: 20 }, () => store.run(testCounter, key, [1, 60_000])),
        )
        expect(new Set(await Promise.all(calls)).size).toBe(60)
      }
    })
    it('refuses a Cluster that queues while it is away', () => {
      const cluster = create({ rootNodes: rootNodes(), ...options })
      expect(() => nodeRedisStore(cluster)).toThrow(expect.objectContaining({ code: 'UNSAFE_CLIENT' }))
    })
  })
}
