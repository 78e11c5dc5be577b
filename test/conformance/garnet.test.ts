import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect, ioredisStore } from '../../adapters/ioredis/index.ts'
import { startGateway } from '../../adapters/node/index.ts'
import { nodeRedisStore } from '../../adapters/node-redis/index.ts'
import { tcpStore } from '../../adapters/tcp/index.ts'
import { upstashStore } from '../../adapters/upstash/index.ts'
import type { Report } from '../../cli/doctor-report.ts'
import { evictionOf, identify } from '../../cli/doctor-server.ts'
import { type Server, startServer } from '../../scripts/servers.ts'
import { createCounter } from '../../src/counter/index.ts'
import { type AtomicStore, createCache } from '../../src/index.ts'
import { createLocks } from '../../src/lock/index.ts'
import { stream } from '../../src/structures/index.ts'
import { describeStore, testCounter } from '../../src/testing/index.ts'
import { whyNoGarnet } from '../support/garnet.ts'
import { runCli } from '../support/run-cli.ts'

const missing = await whyNoGarnet()

const NOT_ATOMIC = 'with Lua that is not atomic'

const CLIENTS: Readonly<Record<string, (url: string) => Promise<AtomicStore> | AtomicStore>> = {
  'hither/tcp': (url) => tcpStore({ url }),
  ioredis: async (url) => ioredisStore(await connect(url), { owned: true }),
  'node-redis': async (url) => {
    const client = createClient({ url, disableOfflineQueue: true })
    client.on('error', () => {})
    await client.connect()
    const store = nodeRedisStore(client)
    return {
      ...store,
      async close() {
        await store.close()
        client.destroy()
      },
    }
  },
}

for (const [name, args] of [
  ['with Lua', ['--lua', '--lua-transaction-mode']],
  [NOT_ATOMIC, ['--lua']],
  ['without Lua', []],
] as const) {
  const runsScripts = args.length > 1
  describe.skipIf(missing !== undefined)(`Garnet ${name}`, () => {
    let server: Server
    beforeAll(async () => {
      server = await startServer('garnet', { args })
    })
    afterAll(() => server?.stop())
    const open = () => tcpStore({ url: server.url })
    // Where scripts are not atomic, operations run as on a server without scripts, which no-scripts.test.ts covers.
    if (name !== NOT_ATOMIC) {
      describeStore({ describe, it, afterAll }, `tcp, Garnet ${name}`, {
        open,
        elapse: (ms) => new Promise((done) => setTimeout(done, ms)),
        foreign: async (key) => {
          const store = open()
          await store.transport.send({ args: ['RPUSH', key, 'x'], effect: 'once' })
          await store.close()
        },
        skip: runsScripts
          ? {
              'reads a foreign type as absent, alone and in a batch':
                "within a script Garnet's GET answers nil for a list, where Redis says WRONGTYPE: an operation replaces it",
            }
          : {},
      })
    }
    it('keeps a cache and locks', async () => {
      const store = open()
      const cache = createCache({ store, namespace: 'garnet', ttl: '1m', storeTimeout: '20s' })
      let loads = 0
      const load = () => cache.getOrSet('k', () => ++loads, { tags: ['t'] })
      expect([await load(), await load(), loads]).toEqual([1, 1, 1])
      await cache.invalidateTags(['t'])
      expect(await load()).toBe(2)
      const locks = createLocks({ store, namespace: 'garnet', ttl: '1m' })
      const lock = await locks.acquire('a', { wait: 0 })
      expect(await locks.acquire('a', { wait: 0 })).toBe(undefined)
      expect(await lock?.release()).toBe(true)
      expect(await store.run(testCounter, 'n', [1, 0])).toBe(1)
      const counter = createCounter({ store, name: 'visits', window: '1h' })
      expect([await counter.increment('a'), await counter.increment('a')]).toEqual([1, 2])
      await cache.close()
    })
    // With `--lua` alone Garnet runs scripts of several connections at once: 4,000 such calls returned only 3,828 different sums.
    it.each(Object.keys(CLIENTS))('runs one operation at a time on a key, over 8 connections of %s', async (client) => {
      const stores = await Promise.all(Array.from({ length: 8 }, () => CLIENTS[client]?.(server.url)))
      const sums = stores.map(async (store) => {
        const own: number[] = []
        for (let i = 0; i < (runsScripts ? 250 : 25); i++) {
          own.push(Number(await store?.run(testCounter, `sum:${client}`, [1, 0], { deadline: Date.now() + 50_000 })))
        }
        return own
      })
      const all = (await Promise.all(sums)).flat()
      expect(new Set(all).size).toBe(all.length)
      await Promise.all(stores.map((store) => store?.close()))
    })
    it('runs scripts of the gateway only where they are atomic', async () => {
      const gateway = await startGateway({ redis: server.url, port: 0, token: 'secret' })
      const stores = Array.from({ length: 8 }, () => upstashStore({ url: gateway.url, token: 'secret' }))
      if (runsScripts) {
        const sums = stores.flatMap((store) => Array.from({ length: 25 }, () => store.run(testCounter, 'rest', [1, 0])))
        expect(new Set(await Promise.all(sums)).size).toBe(200)
      } else {
        for (const store of stores) {
          await expect(store.run(testCounter, 'rest', [1, 0])).rejects.toMatchObject({ code: 'UNSUPPORTED' })
          expect(await store.get('rest')).toBe(undefined)
        }
      }
      await Promise.all(stores.map((store) => store.close()))
      await gateway.stop()
    })
    it('is told of by the doctor: how operations run, and what makes them safe', async () => {
      const run = runCli(['doctor', server.url, '--json', '--for', 'cache,locks'])
      expect(await run.ended).toBe(0)
      const { system, checks } = JSON.parse(run.out()) as Report
      const { costs } = checks.find(({ name }) => name === 'operations') ?? {}
      expect([system, costs]).toEqual(['Garnet', runsScripts ? '' : expect.stringMatching(/WATCH/)])
    })
    it('knows no streams', async () => {
      const store = open()
      const jobs = stream({ store, namespace: 'garnet' }, 'jobs')
      await expect(jobs.append({ a: 1 })).rejects.toMatchObject({ code: 'UNSUPPORTED' })
      await store.close()
    })
    it('drops its oldest keys past its memory, which the doctor says', async () => {
      const store = open()
      const opened = { store, place: '127.0.0.1', kind: 'redis' } as const
      const { system, info } = await identify(opened)
      expect(system).toBe('Garnet')
      const { ok, costs } = await evictionOf(opened, info)
      expect([ok, costs]).toEqual([false, expect.stringMatching(/^Garnet drops.*--memory.*lock/)])
      await store.set('oldest', 'x')
      const value = 'v'.repeat(1024 * 1024)
      for (let i = 0; i < 256; i++) await store.set(`filler:${i}`, value) // its memory is 128 MB
      expect([await store.get('oldest'), await store.get('filler:255')]).toEqual([undefined, value])
      await store.close()
    })
  })
}
