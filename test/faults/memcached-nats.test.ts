import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { memcachedStore } from '../../adapters/memcached/index.ts'
import { natsStore } from '../../adapters/nats/index.ts'
import type { Program } from '../../scripts/servers/find.ts'
import { type Server, startServer } from '../../scripts/servers.ts'
import { type AtomicStore, type Cache, type CacheEvent, createCache, type Operation } from '../../src/index.ts'
import { messageFeed, nearTier } from '../../src/near/index.ts'
import { testCounter } from '../../src/testing/contract.ts'
import { rounds } from '../support/rounds.ts'
import { type ByteProxy, createByteProxy } from './support/byte-proxy.ts'
import { startCheckedLoad } from './support/checked-load.ts'
import { freeze, kill } from './support/outages.ts'
import { createStallMeter, pause, sentOnce } from './support/ways.ts'

// memcached and NATS servers that are killed or stopped, whose replies are lost, or that send no reply.

const OUTAGES = rounds({ quick: 6, soak: 20 })
const ROUNDS = rounds({ quick: 25, soak: 300 })
const TIMEOUT_MS = 1000
const BACK_MS = 1000
/** Longest time a call may settle after its deadline or abort, in milliseconds, counted from when a bare timer fires. */
const BOUND_MS = 100

/** Stores a text. Running it again stores the same text. */
const put: Operation<readonly [text: string], string> = {
  name: 'test.put',
  effect: 'repeat',
  lua: `redis.call('SET', KEYS[1], ARGV[1]) return ARGV[1]`,
  apply: (_, [text]) => ({ next: text, ttl: 'none', reply: text }),
}

interface System {
  readonly program: Program
  /** Matches the bytes that the client sends for a write. */
  readonly writes: RegExp
  open(port: number, timeoutMs?: number): AtomicStore
}

const systems: Readonly<Record<string, System>> = {
  memcached: {
    program: 'memcached',
    writes: /^m[sda] /m,
    open: (port, timeoutMs = 5000) => memcachedStore({ servers: [`memcached://127.0.0.1:${port}`], timeoutMs }),
  },
  NATS: {
    program: 'nats',
    writes: /^H?PUB \$KV\./m,
    open: (port, timeoutMs = 5000) =>
      natsStore({ servers: `nats://127.0.0.1:${port}`, bucket: 'faults', storage: 'memory', timeoutMs }),
  },
}

/** Tries 21 times, 100 ms apart, until the server is up. */
async function ready(store: AtomicStore): Promise<void> {
  for (let left = 20; ; left--) {
    try {
      return await store.ready()
    } catch (error) {
      if (left === 0) throw error
      await pause(100)
    }
  }
}

for (const [name, { program, writes, open }] of Object.entries(systems)) {
  describe(`${name} under load`, () => {
    const outages = {
      killed: { forgets: true, act: (server: Server, ms: number) => kill(server, ms) },
      stopped: { forgets: false, act: (server: Server, ms: number) => freeze([server], 200 + 2 * ms) },
    } as const
    for (const [how, { forgets, act }] of Object.entries(outages)) {
      it(`is used again at once, never wrongly, after it was ${how} ${OUTAGES} times`, async () => {
        const server = await startServer(program)
        const meter = createStallMeter()
        const store = open(server.port, TIMEOUT_MS)
        try {
          await ready(store)
          const load = startCheckedLoad(store, { lostMs: meter.lostMs, forgets })
          const waits: number[] = []
          for (let n = 0; n < OUTAGES; n++) {
            await load.answered()
            await pause(50)
            // Every third time the server stays down for longer than a few attempts to connect, or a call, take.
            await act(server, n % 3 === 2 ? 700 : 0)
            const back = performance.now() - meter.lostMs()
            await load.answered()
            waits.push(performance.now() - meter.lostMs() - back)
          }
          const { ok, failed, wrong, longest } = await load.stop()
          const slowest = Math.max(...waits)
          console.log(
            `${name} ${how} ${OUTAGES} times: ${ok} answered, ${failed} failed, ${wrong.length} wrong, none unsettled;`,
            `first answer at most ${slowest.toFixed(0)} ms after the server was back, longest call ${longest.toFixed(0)} ms`,
          )
          expect(wrong.slice(0, 3)).toEqual([])
          expect(ok).toBeGreaterThan(OUTAGES)
          expect(longest).toBeLessThanOrEqual(TIMEOUT_MS + BOUND_MS)
          expect(slowest).toBeLessThanOrEqual(BACK_MS)
        } finally {
          meter.stop()
          await store.close()
          await server.stop()
        }
      }, 180_000)
    }
  })

  describe(`${name} behind a line with faults`, () => {
    let server: Server
    let line: ByteProxy
    let direct: AtomicStore
    const opened: AtomicStore[] = []
    const meter = createStallMeter()
    const through = async (timeoutMs?: number): Promise<AtomicStore> => {
      const store = open(line.port, timeoutMs)
      opened.push(store)
      return store
    }
    beforeAll(async () => {
      server = await startServer(program)
      line = await createByteProxy(server.port)
      direct = open(server.port)
      await ready(direct)
    })
    afterEach(() => line.pass())
    afterAll(async () => {
      meter.stop()
      await Promise.all([...opened, direct].map((store) => store.close()))
      await line.stop()
      await server.stop()
    })

    const calls: Readonly<Record<string, [(store: AtomicStore, key: string) => Promise<unknown>, string]>> = {
      'a set': [(store, key) => store.set(key, 'set', 60_000), 'set'],
      "a 'once' operation": [(store, key) => store.run(testCounter, key, [1, 60_000]), '1'],
    }
    for (const [what, [call, written]] of Object.entries(calls)) {
      it(`${what} whose reply is lost runs once, says that it may have run, and brings nothing back`, async () => {
        const store = await through()
        for (let round = 0; round < ROUNDS; round++) {
          const key = `lost:${written}:${round}`
          await ready(store)
          // An operation reads first, and only the reply to its write must be lost.
          if (written === 'set') line.mute()
          else line.muteFrom(writes)
          const outcome = sentOnce(() => call(store, key))
          let value: string | undefined
          for (let left = 5000; value === undefined && left > 0; left--) {
            value = await direct.get(key)
            if (value === undefined) await pause(1)
          }
          expect(value).toBe(written)
          await direct.delete([key])
          await line.pass()
          expect(await outcome).toMatchObject({ error: { code: 'STORE_UNAVAILABLE', maybeExecuted: true } })
          expect(await direct.get(key)).toBeUndefined()
        }
      }, 120_000)
    }

    it("reads, deletes and 'repeat' operations whose replies are lost are answered", async () => {
      const store = await through()
      for (let round = 0; round < ROUNDS; round++) {
        const key = `again:${round}`
        await direct.set(key, 'x', 60_000)
        await ready(store)
        line.mute()
        const answers = Promise.all([
          store.get(key),
          store.getMany([key, 'none']),
          store.run(put, `${key}:put`, ['y']),
          store.delete([`${key}:put2`]),
        ])
        answers.catch(() => {})
        await pause(5)
        await line.pass()
        expect(await answers).toEqual(['x', ['x', undefined], 'y', 0])
        expect(await direct.get(`${key}:put`)).toBe('y')
      }
    }, 120_000)

    it('a delete that could not go out again says that it may have run', async () => {
      const store = await through()
      await direct.set('gone', 'x', 60_000)
      await ready(store)
      line.muteFrom(writes)
      const outcome = store.delete(['gone']).catch((error: unknown) => error)
      for (let left = 5000; (await direct.get('gone')) !== undefined && left > 0; left--) await pause(1)
      await line.refuse()
      expect(await outcome).toMatchObject({ code: 'STORE_UNAVAILABLE', maybeExecuted: true })
    }, 30_000)

    const kinds: ((store: AtomicStore, key: string, call: object) => Promise<unknown>)[] = [
      (store, key, call) => store.get(key, call),
      (store, key, call) => store.set(key, 'x', 60_000, call),
      (store, key, call) => store.run(testCounter, `${key}:n`, [1, 60_000], call),
      (store, key, call) => store.delete([key], call),
      (store, key, call) => store.getMany([key, 'other'], call),
    ]
    /** Makes 100 calls of every kind. They end after 50 to 250 ms: two thirds by a deadline, one third by an abort. */
    async function expectAllSettled(store: AtomicStore): Promise<void> {
      const reason = new Error('the caller left')
      await Promise.all(
        Array.from({ length: 100 }, async (_, i) => {
          const ms = 50 + 2 * i
          const abort = i % 3 === 0 ? new AbortController() : undefined
          if (abort) setTimeout(() => abort.abort(reason), ms)
          const limits = abort ? { deadline: Date.now() + 5000, signal: abort.signal } : { deadline: Date.now() + ms }
          const call = kinds[i % kinds.length] as (typeof kinds)[number]
          let at = Number.POSITIVE_INFINITY
          let lostMs = 0
          const settled = Promise.allSettled([call(store, `hang:${i}`, limits)]).then(([result]) => {
            at = performance.now()
            lostMs += meter.lostMs()
            return result
          })
          await pause(ms)
          const bareAt = performance.now()
          lostMs -= meter.lostMs()
          const result = await settled
          expect(result?.status).toBe('rejected')
          const error = (result as PromiseRejectedResult).reason
          if (abort) expect(error).toBe(reason)
          else expect(error).toMatchObject({ code: 'TIMEOUT' })
          expect(at - bareAt - lostMs).toBeLessThanOrEqual(BOUND_MS)
        }),
      )
    }

    it('no call hangs while nothing moves on an open connection', async () => {
      const store = await through()
      await ready(store)
      line.stall()
      await expectAllSettled(store)
      await line.pass()
      await ready(store)
      await store.set('works', '1', 60_000)
      expect(await store.get('works')).toBe('1')
    }, 30_000)
    it('no call hangs while a first connection is never answered', async () => {
      line.stall()
      const store = await through()
      await expectAllSettled(store)
      await line.pass()
      await ready(store)
    }, 30_000)
    it('no call hangs while the server is stopped', async () => {
      const store = await through()
      await ready(store)
      await server.kill('SIGSTOP')
      try {
        await expectAllSettled(store)
      } finally {
        await server.kill('SIGCONT')
      }
      await ready(store)
    }, 30_000)
    it('no call hangs while connections are refused: nothing ran', async () => {
      const store = await through()
      await line.refuse()
      for (const call of kinds) {
        const error = await call(store, 'refused', {}).catch((error: unknown) => error)
        expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true, maybeExecuted: false })
      }
      await line.pass()
      await ready(store)
    }, 30_000)
    it("ends at the store's own timeout where a call names no deadline", async () => {
      const store = await through(200)
      await ready(store)
      line.stall()
      const since = performance.now()
      const results = await Promise.allSettled(kinds.map((call) => call(store, 'slow', {})))
      expect(performance.now() - since).toBeLessThanOrEqual(200 + BOUND_MS)
      for (const result of results) expect(result).toMatchObject({ status: 'rejected', reason: { code: 'TIMEOUT' } })
    }, 30_000)
  })
}

describe('messages between near tiers over NATS', () => {
  let server: Server
  let line: ByteProxy
  beforeAll(async () => {
    server = await startServer('nats')
    line = await createByteProxy(server.port)
  })
  afterAll(async () => {
    await line.stop()
    await server.stop()
  })
  const tags = ['t']
  async function two() {
    const stores = [systems.NATS?.open(line.port), systems.NATS?.open(server.port)] as AtomicStore[]
    await Promise.all(stores.map(ready))
    const namespace = `feed-${Math.random().toString(36).slice(2)}`
    let gaps = 0
    const onEvent = ({ type }: CacheEvent): void => {
      if (type === 'feed-gap') gaps++
    }
    const [a, b] = stores.map((store) =>
      createCache({ store, near: nearTier({ maxAge: '1m', feed: messageFeed() }), namespace, ttl: '5m', onEvent }),
    ) as [Cache<'frozen'>, Cache<'frozen'>]
    return { a, b, gaps: () => gaps, close: () => Promise.all([a.close(), b.close(), ...stores.map((s) => s.close())]) }
  }
  /** Resolves once the near tier of `a` holds the key and its subscription is up. */
  async function hold(a: Pick<Cache<'frozen'>, 'set' | 'get' | 'peek'>, key: string): Promise<void> {
    await a.set(key, 'old', { tags })
    for (let i = 0; i < 200; i++) {
      await a.get(key).catch(() => {})
      await pause(10)
      if (a.peek(key) === 'old' && i > 10) return
    }
    throw new Error('nothing is held near')
  }
  async function gone(a: Pick<Cache<'frozen'>, 'peek'>, key: string, withinMs: number): Promise<void> {
    const since = performance.now()
    while (a.peek(key) === 'old') {
      expect(performance.now() - since).toBeLessThanOrEqual(withinMs)
      await pause(1)
    }
  }
  it('a delete, a set, an invalidation and a clear are seen within 250 ms', async () => {
    const { a, b, gaps, close } = await two()
    for (const end of [() => b.delete('k'), () => b.set('k', 'new'), () => b.invalidateTags(tags), () => b.clear()]) {
      await hold(a, 'k')
      const before = gaps()
      await end()
      await gone(a, 'k', 250)
      expect(gaps()).toBe(before)
    }
    await close()
  }, 30_000)
  it('a link that is cut empties the tier at once, and hears again afterwards', async () => {
    const { a, b, gaps, close } = await two()
    await hold(a, 'k')
    const before = gaps()
    line.cut()
    await gone(a, 'k', 250)
    expect(gaps()).toBeGreaterThan(before)
    await pause(1000)
    await hold(a, 'j')
    await b.delete('j')
    await gone(a, 'j', 250)
    await close()
  }, 30_000)
  it('a link that is silent empties it when three PINGs are due', async () => {
    const { a, b, close } = await two()
    await hold(a, 'k')
    line.stall()
    await b.delete('k')
    await gone(a, 'k', 2000)
    await line.pass()
    await close()
  }, 30_000)
})
