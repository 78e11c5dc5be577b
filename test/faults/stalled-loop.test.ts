import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { connect, ioredisStore } from '../../adapters/ioredis/index.ts'
import { tcpStore } from '../../adapters/tcp/index.ts'
import { upstashStore } from '../../adapters/upstash/index.ts'
import { createCache } from '../../src/index.ts'
import { nearTier } from '../../src/near/index.ts'
import { createRateLimiter, slidingLog } from '../../src/rate-limit/index.ts'
import type { AtomicStore } from '../../src/store/store.ts'
import { rounds } from '../support/rounds.ts'
import { createTcpProxy } from '../support/tcp-proxy.ts'
import { type GatewayProcess, startGatewayProcess } from './support/gateway.ts'

// An application blocks its event loop for longer than a deadline. Replies that arrived meanwhile still count.

vi.setConfig({ testTimeout: 30_000 })

const TIMEOUT_MS = 60
const STALL_MS = 90
const ROUNDS = rounds({ quick: 2, soak: 4 })
/** How many calls over REST may fail: the gateway is another process, which may not get to run on a busy machine. */
const SPARED = 1
/** Longest time a call may settle after both its deadline and the stall, in milliseconds. */
const BOUND_MS = 100

const url = (): string => process.env.REDIS8_URL as string
const clusterUrls = (): string[] => (process.env.CLUSTER_NODES as string).split(',').map((node) => `redis://${node}`)

const block = (ms: number): void => {
  for (const end = performance.now() + ms; performance.now() < end; );
}
/** Ways to block the event loop, each in a different phase of the loop. */
const moments: Record<string, () => Promise<void>> = {
  'before the call is sent': async () => block(STALL_MS),
  'in a microtask': async () => {
    await undefined
    block(STALL_MS)
  },
  'in an immediate': () =>
    new Promise((done) =>
      setImmediate(() => {
        block(STALL_MS)
        done()
      }),
    ),
  'in a timer': () =>
    new Promise((done) =>
      setTimeout(() => {
        block(STALL_MS)
        done()
      }, 1),
    ),
}

let gateway: GatewayProcess
const closing: (() => unknown)[] = []
beforeAll(async () => {
  gateway = await startGatewayProcess(url())
  closing.push(() => gateway.stop())
})
afterAll(async () => {
  for (const close of closing.reverse()) await close()
})
const ways: Record<string, () => Promise<AtomicStore>> = {
  'own TCP': async () => tcpStore({ url: url() }),
  ioredis: async () => ioredisStore(await connect(url())),
  'ioredis Cluster': async () => ioredisStore(await connect(clusterUrls())),
  REST: async () => upstashStore(gateway),
}

/** Makes the call `ROUNDS` times, blocking the loop during each. Resolves to the error codes of the calls that failed. */
async function failures(stall: () => Promise<void>, call: () => Promise<unknown>): Promise<string[]> {
  const codes: string[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const result = call().then(
      () => '',
      (error: { code: string }) => error.code,
    )
    await stall()
    const code = await result
    if (code) codes.push(code)
    await new Promise((done) => setTimeout(done, 1))
  }
  return codes
}

describe.each(Object.entries(ways))('a stall of the event loop, %s', (way, open) => {
  const spared = way === 'REST' ? SPARED : 0
  const answered = async (stall: () => Promise<void>, call: () => Promise<unknown>): Promise<void> => {
    expect((await failures(stall, call)).length).toBeLessThanOrEqual(spared)
  }
  let store: AtomicStore
  beforeAll(async () => {
    store = await open()
    await store.ready()
    await store.set('stall:raw', 'x', 600_000)
  })
  afterAll(() => store.close())
  const soon = (): { deadline: number } => ({ deadline: Date.now() + TIMEOUT_MS })

  for (const [when, stall] of Object.entries(moments)) {
    it(`${when}: a hit is a hit`, async () => {
      for (const near of [undefined, nearTier({ maxBytes: 1000, maxAge: 1 })]) {
        const cache = createCache({
          store,
          namespace: 'stall',
          ttl: '10m',
          storeTimeout: TIMEOUT_MS,
          ...(near && { near }),
        })
        await cache.set('k', { a: 1 })
        await answered(stall, () => cache.get('k'))
        let loads = 0
        const load = () => cache.getOrSet('k', () => loads++)
        await answered(stall, load)
        expect(loads).toBeLessThanOrEqual(spared)
      }
    })
    it(`${when}: an operation, a batch and a write are answered`, async () => {
      await answered(stall, () => store.getMany(['stall:raw', 'stall:none', 'stall:raw'], soon()))
      await answered(stall, () => store.set('stall:set', 'y', 600_000, soon()))
    })
    it(`${when}: a limiter that closes in an outage lets its callers pass`, async () => {
      const limiter = createRateLimiter({
        store,
        namespace: 'stall',
        algorithm: slidingLog({ limit: 1000, window: '1m' }),
        outage: 'closed',
        timeout: TIMEOUT_MS,
      })
      let denied = 0
      await failures(stall, async () => {
        const { success } = await limiter.limit('user')
        if (!success) denied++
      })
      expect(denied).toBeLessThanOrEqual(spared)
    })
    if (when.startsWith('in a') && when !== 'in a microtask') {
      it(`${when}: the raw transport answers`, async () => {
        const get = () =>
          store.transport?.send({ args: ['GET', 'stall:raw'], effect: 'read' }, soon()) as Promise<unknown>
        await answered(stall, get)
      })
    }
  }
})

describe('a server that says nothing, and a stall', () => {
  it('ends each call within the turn that reads', async () => {
    const proxy = await createTcpProxy(url())
    closing.push(() => proxy.stop())
    const store = tcpStore({ url: proxy.url })
    closing.push(() => store.close())
    await store.ready()
    proxy.stall()
    for (const stall of Object.values(moments)) {
      const call = store.get('stall:raw', { deadline: Date.now() + TIMEOUT_MS }).catch((error) => error.code)
      await stall()
      const at = performance.now()
      expect(await call).toBe('TIMEOUT')
      expect(performance.now() - at).toBeLessThan(BOUND_MS)
    }
  })
})
