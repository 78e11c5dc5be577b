import { Cluster, Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect, ioredisStore } from '../../adapters/ioredis/index.ts'
import { memoryStore } from '../../adapters/memory/index.ts'
import { startGateway } from '../../adapters/node/index.ts'
import { tcpStore } from '../../adapters/tcp/index.ts'
import { upstashStore } from '../../adapters/upstash/index.ts'
import { encrypted } from '../../src/codec/index.ts'
import { createCounter } from '../../src/counter/index.ts'
import { createIdempotency } from '../../src/idempotency/index.ts'
import { createOnce } from '../../src/once/index.ts'
import type { AtomicStore } from '../../src/store/store.ts'
import { createTokens } from '../../src/token/index.ts'
import { rounds } from '../support/rounds.ts'

/** In a long run, 200 rounds on each of the five stores make 1,000 in all. */
const ROUNDS = rounds({ quick: 60, soak: 200 })
const CALLERS = 50

interface Opened {
  readonly store: AtomicStore
  /** Resolves to every key with its value, as one text. */
  dump(): Promise<string>
  close(): Promise<void>
}

async function dumpOf(redis: Redis): Promise<string> {
  let text = ''
  for await (const keys of redis.scanStream({ count: 1000 }))
    for (const key of keys as string[]) text += `${key} ${(await redis.get(key).catch(() => '')) ?? ''}\n`
  return text
}

const url = process.env.REDIS7_URL ?? ''
async function overRedis(store: AtomicStore, more: () => unknown = () => {}): Promise<Opened> {
  const admin = new Redis(url)
  return {
    store,
    dump: () => dumpOf(admin),
    async close() {
      await store.close()
      admin.disconnect()
      await more()
    },
  }
}

const ways: Readonly<Record<string, () => Promise<Opened>>> = {
  async memory() {
    const store = memoryStore()
    const keys = new Set<string>()
    const note =
      <A extends [string, ...unknown[]], R>(call: (...args: A) => R) =>
      (...args: A): R => {
        keys.add(args[0])
        return call(...args)
      }
    const run: AtomicStore['run'] = (operation, key, args, call) => {
      keys.add(key)
      return store.run(operation, key, args, call)
    }
    return {
      store: { ...store, set: note(store.set), run },
      async dump() {
        const names = [...keys]
        const texts = await store.getMany(names)
        return names.map((name, i) => `${name} ${texts[i] ?? ''}`).join('\n')
      },
      close: () => store.close(),
    }
  },
  ioredis: async () => overRedis(ioredisStore(await connect(url))),
  'own TCP': async () => overRedis(tcpStore({ url })),
  async REST() {
    const gateway = await startGateway({ redis: url })
    return overRedis(upstashStore(gateway), () => gateway.stop())
  },
  async Cluster() {
    const nodes = (process.env.CLUSTER_NODES ?? '').split(',')
    const cluster = new Cluster(nodes, {
      retryDelayOnFailover: 0,
      enableOfflineQueue: false,
      redisOptions: { maxRetriesPerRequest: 0 },
    })
    const store = ioredisStore(cluster)
    await store.ready()
    return {
      store,
      dump: async () => (await Promise.all(cluster.nodes('master').map(dumpOf))).join('\n'),
      async close() {
        await store.close()
        cluster.disconnect()
      },
    }
  },
}

let tests = 0
const name = (): string => `t${++tests}-${Math.random().toString(36).slice(2)}`
const code = (code: string) => expect.objectContaining({ code })
const times = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i))
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

for (const [way, open] of Object.entries(ways)) {
  // The title is that of the store contract, so that these rows join the store's in the table of results.
  describe(`store contract: ${way}`, () => {
    let opened: Opened
    let store: AtomicStore
    beforeAll(async () => {
      opened = await open()
      store = opened.store
    }, 60_000)
    afterAll(() => opened?.close())
    const test = (title: string, body: (namespace: string) => Promise<void>): void =>
      it(title, () => body(name()), 120_000)

    test('a counter counts up and down, and forgets', async (namespace) => {
      const counter = createCounter({ store, namespace, name: 'views', ttl: '1m' })
      expect([await counter.increment('k'), await counter.increment('k', 41), await counter.decrement('k', 2)]).toEqual(
        [1, 42, 40],
      )
      expect([await counter.get('k'), await counter.get('none'), await counter.increment('k', 0)]).toEqual([40, 0, 40])
      expect(await counter.getMany(['k', 'none', 'k'])).toEqual(
        new Map([
          ['k', 40],
          ['none', 0],
        ]),
      )
      await counter.reset('k')
      expect(await counter.get('k')).toBe(0)
      const exact = Number.MAX_SAFE_INTEGER
      expect([await counter.increment('k', exact), await counter.get('k')]).toEqual([exact, exact])
      await expect(counter.increment('k')).rejects.toEqual(code('OVERFLOW'))
      await expect(counter.total('k')).rejects.toEqual(code('UNSUPPORTED'))
    })
    test('a counter takes keys of any length and form, each its own', async (namespace) => {
      const counter = createCounter({ store, namespace, name: 'views', ttl: '1m' })
      const keys = ['a', '{a}', 'a'.repeat(129), 'a'.repeat(100_000), '\ud800', '\udfff', 'a:b', '#', 'ü'.repeat(128)]
      for (const key of keys) expect([key.slice(0, 9), await counter.increment(key)]).toEqual([key.slice(0, 9), 1])
      expect([...(await counter.getMany(keys)).values()]).toEqual(keys.map(() => 1))
    })
    test('max is never passed by 100 callers, nor min downwards', async (namespace) => {
      for (const options of [{}, { window: '1h' }] as const) {
        const counter = createCounter({ store, namespace, name: 'seats', ttl: '1h', max: 10, min: -5, ...options })
        const ups = await Promise.all(times(100, () => counter.increment('k')))
        expect(ups.filter((count) => count !== undefined).sort((a, b) => a - b)).toEqual(times(10, (i) => i + 1))
        expect(await counter.get('k')).toBe(10)
        expect(await counter.increment('k', 100)).toBe(undefined)
        const downs = await Promise.all(times(100, () => counter.decrement('k', 2)))
        expect(downs.filter((count) => count !== undefined).sort((a, b) => a - b)).toEqual([-4, -2, 0, 2, 4, 6, 8])
        expect(await counter.get('k')).toBe(-4)
      }
    })
    test("a counter's end is that of its first count, and a window's counts leave it", async (namespace) => {
      const counter = createCounter({ store, namespace, name: 'short', ttl: 400 })
      await counter.increment('k')
      const start = Date.now()
      while ((await counter.increment('k')) !== 1 && Date.now() < start + 10_000) await pause(20)
      expect(Date.now() - start).toBeLessThan(10_000)
      const recent = createCounter({ store, namespace, name: 'recent', window: 400, buckets: 4 })
      expect([await recent.increment('k', 3), await recent.total('k'), await recent.get('k')]).toEqual([3, 3, 3])
      expect(await recent.getMany(['k', 'none'])).toEqual(
        new Map([
          ['k', 3],
          ['none', 0],
        ]),
      )
      while ((await recent.total('k')) !== 0 && Date.now() < start + 20_000) await pause(20)
      expect([await recent.total('k'), await recent.increment('k')]).toEqual([0, 1])
    })
    test('a token works once, for what it is for, and what it carries comes back whole', async (namespace) => {
      const options = { store, namespace, ttl: '1m' } as const
      const tokens = createTokens<unknown>({ ...options, name: 'reset' })
      const data = { user: 7, at: new Date(0), big: 1n, set: new Set([1]), bytes: new Uint8Array([1]), none: null }
      for (const each of [data, null, 0, '', 'x', false, [1]]) {
        const token = await tokens.issue(each)
        expect(token).toMatch(/^[\w-]{43}$/)
        expect([await tokens.consume(token), await tokens.consume(token)]).toEqual([each, undefined])
      }
      const token = await tokens.issue(1)
      expect(await createTokens({ ...options, name: 'invite' }).consume(token)).toBe(undefined)
      expect([await tokens.revoke(token), await tokens.revoke(token), await tokens.consume(token)]).toEqual([
        true,
        false,
        undefined,
      ])
      const codec = encrypted({ keys: [{ id: 'a', secret: crypto.getRandomValues(new Uint8Array(32)) }] })
      const secret = createTokens<string>({ ...options, name: 'secret', codec })
      const sealed = await secret.issue('hidden')
      expect(await opened.dump()).not.toContain('hidden')
      expect(await secret.consume(sealed)).toBe('hidden')
      await expect(tokens.issue(() => 1)).rejects.toEqual(code('UNENCODABLE'))
    })
    test(`of ${CALLERS} at once one is given a token's data: ${ROUNDS} rounds`, async (namespace) => {
      const tokens = createTokens<number>({ store, namespace, name: 'once', ttl: '1m' })
      for (let round = 0; round < ROUNDS; round++) {
        const token = await tokens.issue(round)
        const given = await Promise.all(times(CALLERS, () => tokens.consume(token)))
        expect(given.filter((data) => data !== undefined)).toEqual([round])
      }
    })
    test('a dump of the store holds no token that works', async (namespace) => {
      const tokens = createTokens<string>({ store, namespace, name: 'dump', ttl: '1m' })
      const issued = await Promise.all(times(20, (i) => tokens.issue(`data-${i}`)))
      const dump = await opened.dump()
      expect(dump).toContain('data-7')
      for (const token of issued) expect(dump).not.toContain(token)
      const found = new Set(dump.match(/[\w-]{43}/g))
      expect(found.size).toBeGreaterThanOrEqual(20)
      for (const text of found) expect(await tokens.consume(text)).toBe(undefined)
      expect((await Promise.all(issued.map((token) => tokens.consume(token)))).length).toBe(20)
    })
    test(`of ${CALLERS} at once one is the first: ${ROUNDS} rounds`, async (namespace) => {
      const once = createOnce({ store, namespace, ttl: '1m' })
      for (let round = 0; round < ROUNDS; round++) {
        const all = await Promise.all(times(CALLERS, () => once.first(`${round}`)))
        expect(all.filter(Boolean).length).toBe(1)
      }
      await once.forget('0')
      expect([await once.first('0'), await once.first('0')]).toEqual([true, false])
    })
    test('being first ends with its lifetime', async (namespace) => {
      const once = createOnce({ store, namespace, ttl: 200 })
      expect([await once.first('k'), await once.first('k')]).toEqual([true, false])
      const end = Date.now() + 10_000
      let first = false
      while (!first && Date.now() < end) {
        await pause(20)
        first = await once.first('k')
      }
      expect(first).toBe(true)
    })
    test('work of one key is done once by 50 at once, and the others are given its response', async (namespace) => {
      const idempotency = createIdempotency({ store, namespace, wait: '60s' })
      let worked = 0
      const outcomes = await Promise.all(
        times(CALLERS, async () => {
          const attempt = await idempotency.begin('k', { fingerprint: 'f' })
          if (attempt.outcome === 'first') {
            worked++
            await pause(50)
            expect(await attempt.complete('response ü')).toBe(true)
          }
          return attempt.outcome === 'replay' ? attempt.response : attempt.outcome
        }),
      )
      expect(worked).toBe(1)
      expect(outcomes.toSorted()).toEqual(['first', ...times(CALLERS - 1, () => 'response ü')])
    })
    test('a key is of one scope and one request, freed by release, and never taken over', async (namespace) => {
      const options = { store, namespace, wait: 0, hold: 200 }
      const idempotency = createIdempotency(options)
      const first = await idempotency.begin('k', { scope: 'ann', fingerprint: 'f' })
      if (first.outcome !== 'first') throw new Error(first.outcome)
      const again = async (more: object = {}): Promise<string> =>
        (await idempotency.begin('k', { scope: 'ann', fingerprint: 'f', ...more })).outcome
      expect(await again({ fingerprint: 'other' })).toBe('mismatch')
      expect(await again({ scope: 'bob' })).toBe('first')
      const end = Date.now() + 10_000
      const seen = new Set<string>()
      while (!seen.has('unknown') && Date.now() < end) {
        seen.add(await again())
        await pause(20)
      }
      expect([...seen].filter((outcome) => outcome !== 'running')).toEqual(['unknown'])
      await first.release()
      const second = await idempotency.begin('k', { scope: 'ann', fingerprint: 'f' })
      if (second.outcome !== 'first') throw new Error(second.outcome)
      // The first caller has lost its claim on the key.
      await first.release()
      expect(await first.complete('late')).toBe(false)
      expect([await second.complete('done'), await second.complete('done')]).toEqual([true, true])
      await second.release()
      expect(await idempotency.begin('k', { scope: 'ann', fingerprint: 'f' })).toEqual({
        outcome: 'replay',
        response: 'done',
      })
      expect(await again({ fingerprint: 'other' })).toBe('mismatch')
    })
    test('neither keys nor scopes nor fingerprints are stored', async (namespace) => {
      const idempotency = createIdempotency({ store, namespace })
      await idempotency.begin('key-in-the-clear', { scope: 'scope-in-the-clear', fingerprint: 'print-in-the-clear' })
      expect(await opened.dump()).not.toContain('in-the-clear')
    })
  })
}
