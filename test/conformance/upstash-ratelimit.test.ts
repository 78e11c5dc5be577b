import { IpDenyList, MultiRegionRatelimit, Ratelimit } from '@upstash/ratelimit'
import type { AtomicStore, Command, Transport } from 'hither'
import { ioredisStore } from 'hither/ioredis'
import { memoryStore } from 'hither/memory'
import { startGateway } from 'hither/node'
import { tcpStore } from 'hither/tcp'
import { upstashStore } from 'hither/upstash'
import { toUpstashRedis } from 'hither/upstash-ratelimit'
import { Cluster, Redis } from 'ioredis'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'

// Runs the unmodified package through the flows of its documentation, on each store.
// https://upstash.com/docs/redis/sdks/ratelimit-ts/overview

const single = { enableOfflineQueue: false, maxRetriesPerRequest: 0 }
const many = { enableOfflineQueue: false, retryDelayOnFailover: 0, redisOptions: { maxRetriesPerRequest: 0 } }
const url = (name: string): string => process.env[name] ?? ''
const closers: (() => unknown)[] = []
afterAll(() => Promise.all(closers.map((close) => close())))

function over(client: Redis | Cluster): AtomicStore {
  closers.push(() => client.disconnect())
  return ioredisStore(client)
}

async function rest(name: string): Promise<AtomicStore> {
  const gateway = await startGateway({ redis: url(name) })
  closers.push(gateway.stop)
  return upstashStore(gateway)
}

function tcp(name: string): AtomicStore {
  const store = tcpStore({ url: url(name) })
  closers.push(() => store.close())
  return store
}

const cluster = (): AtomicStore =>
  over(
    new Cluster(
      url('CLUSTER_NODES')
        .split(',')
        .map((node) => ({ host: node.split(':')[0] as string, port: Number(node.split(':')[1]) })),
      many,
    ),
  )

const stores: Record<string, () => AtomicStore | Promise<AtomicStore>> = {
  memory: () => memoryStore(),
  'ioredis, Redis 7': () => over(new Redis(url('REDIS7_URL'), single)),
  'ioredis, Redis 8': () => over(new Redis(url('REDIS8_URL'), single)),
  'ioredis, Valkey': () => over(new Redis(url('VALKEY_URL'), single)),
  'ioredis, Cluster': cluster,
  'tcp, Redis 8': () => tcp('REDIS8_URL'),
  'REST, gateway, Redis 7': () => rest('REDIS7_URL'),
}

let nth = 0
/** Returns a prefix that no other run on these servers uses. */
const prefix = (): string => `rl-${process.pid}-${Date.now()}-${nth++}`
const algorithms = {
  fixedWindow: () => Ratelimit.fixedWindow(10, '1 h'),
  slidingWindow: () => Ratelimit.slidingWindow(10, '1 h'),
  tokenBucket: () => Ratelimit.tokenBucket(10, '1 h', 10),
  cachedFixedWindow: () => Ratelimit.cachedFixedWindow(10, '1 h'),
}
const allowed = (answers: readonly { success: boolean }[]): number => answers.filter(({ success }) => success).length

afterEach(() => vi.restoreAllMocks())

describe.each(Object.entries(stores))('@upstash/ratelimit over %s', { timeout: 30_000 }, (_, open) => {
  const opened = open()
  const redis = async () => toUpstashRedis(await opened)

  describe.each(Object.entries(algorithms))('%s', (name, limiter) => {
    it('allows the limit and no more, tells what is left, and starts again after a reset', async () => {
      const ratelimit = new Ratelimit({ redis: await redis(), limiter: limiter(), prefix: prefix() })
      const id = 'user:42'
      const first = await ratelimit.limit(id)
      expect(first).toMatchObject({ success: true, limit: 10, remaining: 9 })
      expect(first.reset).toBeGreaterThan(Date.now())
      expect(first.reset).toBeLessThanOrEqual(Date.now() + 3_600_000)
      expect(await ratelimit.getRemaining(id)).toMatchObject({ remaining: 9, limit: 10 })
      const rest: { success: boolean; pending: Promise<unknown> }[] = []
      for (let i = 0; i < 12; i++) rest.push(await ratelimit.limit(id))
      await Promise.all(rest.map(({ pending }) => pending))
      expect(allowed(rest)).toBe(9)
      expect((await ratelimit.limit('another')).success).toBe(true)
      await ratelimit.resetUsedTokens(id)
      expect(await ratelimit.limit(id)).toMatchObject({ success: true, remaining: 9 })
    })
    // The cached algorithm decides concurrent calls by the count of its process only.
    if (name !== 'cachedFixedWindow')
      it('decides on calls of one moment one after the other', async () => {
        const ratelimit = new Ratelimit({
          redis: await redis(),
          limiter: limiter(),
          prefix: prefix(),
          ephemeralCache: false,
        })
        const answers = await Promise.all(Array.from({ length: 40 }, () => ratelimit.limit('id')))
        expect(allowed(answers)).toBe(10)
      })
    it('takes a rate, and gives back for a negative one', async () => {
      const ratelimit = new Ratelimit({ redis: await redis(), limiter: limiter(), prefix: prefix() })
      expect(await ratelimit.limit('id', { rate: 4 })).toMatchObject({ success: true, remaining: 6 })
      expect(await ratelimit.limit('id', { rate: -2 })).toMatchObject({ success: true, remaining: 8 })
    })
  })

  it.each(['fixedWindow', 'slidingWindow', 'tokenBucket'] as const)('%s takes a dynamic limit', async (name) => {
    const ratelimit = new Ratelimit({
      redis: await redis(),
      limiter: algorithms[name](),
      prefix: prefix(),
      dynamicLimits: true,
      ephemeralCache: false,
    })
    expect(await ratelimit.getDynamicLimit()).toEqual({ dynamicLimit: null })
    await ratelimit.setDynamicLimit({ limit: 3 })
    expect(await ratelimit.getDynamicLimit()).toEqual({ dynamicLimit: 3 })
    const answers = await Promise.all(Array.from({ length: 8 }, () => ratelimit.limit('id')))
    expect(allowed(answers)).toBe(3)
    expect(answers[0]?.limit).toBe(3)
    expect(await ratelimit.getRemaining('id')).toMatchObject({ remaining: 0, limit: 3 })
    await ratelimit.setDynamicLimit({ limit: false })
    expect(await ratelimit.getDynamicLimit()).toEqual({ dynamicLimit: null })
    expect((await ratelimit.limit('other')).limit).toBe(10)
  })

  it('blockUntilReady waits for the next window', async () => {
    const ratelimit = new Ratelimit({
      redis: await redis(),
      limiter: Ratelimit.fixedWindow(1, '500 ms'),
      prefix: prefix(),
    })
    expect((await ratelimit.blockUntilReady('id', 5_000)).success).toBe(true)
    expect((await ratelimit.blockUntilReady('id', 5_000)).success).toBe(true)
  })

  it('records analytics and reads them', async () => {
    const ratelimit = new Ratelimit({
      redis: await redis(),
      limiter: Ratelimit.fixedWindow(2, '1 h'),
      prefix: prefix(),
      analytics: true,
      ephemeralCache: false,
    })
    for (const id of ['ann', 'ann', 'ann', 'bob']) await (await ratelimit.limit(id, { ip: '192.0.2.1' })).pending
    const analytics = (ratelimit as unknown as { analytics: import('@upstash/ratelimit').Analytics }).analytics
    const hourAgo = Date.now() - 3_600_000
    expect(await analytics.getUsage(hourAgo)).toEqual({
      ann: { success: 2, blocked: 1 },
      bob: { success: 1, blocked: 0 },
    })
    expect(await analytics.getMostAllowedBlocked(1)).toEqual({
      allowed: [
        { identifier: 'ann', count: 2 },
        { identifier: 'bob', count: 1 },
      ],
      ratelimited: [{ identifier: 'ann', count: 1 }],
      denied: [],
    })
    const [byId] = await analytics.getUsageOverTime(1, 'identifier')
    expect(byId).toMatchObject({ identifier: { ann: 3, bob: 1 } })
    const [bySuccess] = await analytics.series('success' as never, hourAgo)
    expect(bySuccess).toMatchObject({ success: { true: 3, false: 1 } })
  })

  it('refuses who is on a deny list, and fetches the list of addresses when it has none', async () => {
    const space = prefix()
    const client = await redis()
    const ratelimit = new Ratelimit({
      redis: client,
      limiter: Ratelimit.fixedWindow(10, '1 h'),
      prefix: space,
      enableProtection: true,
    })
    const bad = `198.51.100.${nth}/${space}`
    await client.sadd(`${space}:denyList:all`, `own-${space}`)
    const network = globalThis.fetch
    // The list of addresses is on the public network. A mocked response stands in for it.
    vi.spyOn(globalThis, 'fetch').mockImplementation((input, init) =>
      String(input).includes('ipsum') ? Promise.resolve(new Response(`${bad}\nown-${space}\n`)) : network(input, init),
    )
    const first = await ratelimit.limit('guest', { ip: '192.0.2.7', userAgent: 'curl', country: 'FR' })
    expect(first).toMatchObject({ success: true, remaining: 9 })
    await first.pending
    expect(await ratelimit.limit('guest', { ip: bad })).toMatchObject({
      success: false,
      remaining: 0,
      reason: 'denyList',
      deniedValue: bad,
    })
    expect((await ratelimit.limit(`own-${space}`)).reason).toBe('denyList')
    const disabled = await IpDenyList.disableIpDenyList(client, space)
    expect(disabled).toEqual([1, 1, 'OK'])
    const updated = await IpDenyList.updateIpDenyList(client, space, 6)
    // A value on the user's own deny list is left out of the list of addresses.
    expect(updated).toEqual([1, 0, 2, 1, 2, 'OK'])
  })
})

describe('several regions', { timeout: 30_000 }, () => {
  const regions = {
    'two servers and a Cluster': () => [
      over(new Redis(url('REDIS7_URL'), single)),
      over(new Redis(url('VALKEY_URL'), single)),
      cluster(),
    ],
    memory: () => [memoryStore(), memoryStore()],
  }
  describe.each(Object.entries(regions))('%s', (_, open) => {
    const redis = open().map(toUpstashRedis)
    it.each(['fixedWindow', 'slidingWindow'] as const)('%s counts in each what was counted in one', async (name) => {
      const space = prefix()
      const options = { limiter: MultiRegionRatelimit[name](5, '1 h'), prefix: space }
      const all = new MultiRegionRatelimit({ redis, ...options })
      for (let i = 0; i < 5; i++) {
        const answer = await all.limit('id')
        expect(answer).toMatchObject({ success: true, remaining: 4 - i })
        await answer.pending
      }
      expect((await all.limit('id')).success).toBe(false)
      expect((await all.getRemaining('id')).remaining).toBe(0)
      const [one] = redis
      if (!one) throw new Error('no region')
      expect((await new MultiRegionRatelimit({ redis: [one], ...options }).getRemaining('id')).remaining).toBe(0)

      await all.resetUsedTokens('id')
      await vi.waitFor(async () => expect((await all.getRemaining('id')).remaining).toBe(5))
    })
    it('what one region alone has counted reaches the others', async () => {
      const space = prefix()
      const [one, ...others] = redis
      if (!one) throw new Error('no region')
      const options = { limiter: MultiRegionRatelimit.fixedWindow(5, '1 h'), prefix: space }
      await (await new MultiRegionRatelimit({ redis: [one], ...options }).limit('id')).pending
      await (await new MultiRegionRatelimit({ redis, ...options }).limit('id')).pending
      for (const other of others) {
        const alone = new MultiRegionRatelimit({ redis: [other], ...options })
        expect((await alone.getRemaining('id')).remaining).toBe(3)
      }
    })
  })
})

describe('the same history', () => {
  it('is decided alike on memory and on a server, for every algorithm', { timeout: 60_000 }, async () => {
    const server = over(new Redis(url('REDIS8_URL'), single))
    await server.ready()
    const startMs = Date.now()
    let seed = 7
    const random = (n: number): number => {
      seed = (seed * 48_271) % 2_147_483_647
      return seed % n
    }
    let compared = 0
    try {
      vi.useFakeTimers({ toFake: ['Date'] })
      for (let round = 0; round < 30; round++) {
        const limit = 1 + random(8)
        const limiter = [
          Ratelimit.fixedWindow(limit, '1 h'),
          Ratelimit.slidingWindow(limit, '1 h'),
          Ratelimit.tokenBucket(1 + random(4), '1 h', limit),
        ][round % 3] as ReturnType<typeof Ratelimit.fixedWindow>
        const space = prefix()
        // Lifetimes run by the server's clock, which hardly moves during the test. The clock of the memory store stands still.
        const [ours, theirs] = [memoryStore({ now: () => startMs }), server].map(
          (store) =>
            new Ratelimit({
              redis: toUpstashRedis(store),
              limiter,
              prefix: space,
              ephemeralCache: false,
              dynamicLimits: round % 2 === 0,
            }),
        ) as [Ratelimit, Ratelimit]
        let at = startMs
        for (let step = 0; step < 40; step++) {
          at += random(3) === 0 ? random(5_400_000) : random(1000)
          vi.setSystemTime(at)
          const id = `id${random(2)}`
          const rate = random(6) - 1
          const kind = random(12)
          const act = async (ratelimit: Ratelimit): Promise<unknown> => {
            if (kind === 0) return ratelimit.resetUsedTokens(id)
            if (kind === 1 && round % 2 === 0) return ratelimit.setDynamicLimit({ limit: 1 + (rate & 7) })
            if (kind < 4) return ratelimit.getRemaining(id)
            const { success, limit, remaining, reset } = await ratelimit.limit(id, { rate })
            return { success, limit, remaining, reset }
          }
          expect(await act(ours), `round ${round}, step ${step}`).toEqual(await act(theirs))
          compared++
        }
      }
    } finally {
      vi.useRealTimers()
    }
    expect(compared).toBe(1200)
  })
})

describe('scripts', () => {
  /** Records the commands sent. `knowsFlag`: imitates a server that knows Upstash's script flag, since none can be run here. */
  function recorded(transport: Transport, knowsFlag: boolean): { sent: string[]; store: AtomicStore } {
    const sent: string[] = []
    const strip = ({ args, effect }: Command): Command => ({
      args: args.map((arg) => (knowsFlag && typeof arg === 'string' ? arg.replace(/^#!lua.*/, '') : arg)),
      effect,
    })
    const store = {
      ...memoryStore(),
      transport: {
        ...transport,
        send(command: Command) {
          sent.push(command.args.join(' '))
          return transport.send(strip(command))
        },
      },
    }
    return { sent, store }
  }
  const limitTwice = async (store: AtomicStore): Promise<void> => {
    const ratelimit = new Ratelimit({
      redis: toUpstashRedis(store),
      limiter: Ratelimit.fixedWindow(10, '1 h'),
      prefix: prefix(),
    })
    await ratelimit.limit('a')
    await ratelimit.limit('a')
  }
  const shape = (sent: readonly string[]): string[] =>
    sent.map((text) =>
      /^EVAL (#!lua\S* \S+|#!lua \S+)/.test(text) ? 'EVAL with flag' : text.split(' ').slice(0, 1).join(),
    )

  it('go without the flag where the server does not know it, under the digest of the original', async () => {
    const redis = over(new Redis(url('REDIS7_URL'), single))
    await redis.transport?.send({ args: ['SCRIPT', 'FLUSH'], effect: 'repeat' })
    const { sent, store } = recorded(redis.transport as Transport, false)
    await limitTwice(store)
    expect(shape(sent)).toEqual(['EVALSHA', 'EVAL with flag', 'EVAL', 'EVALSHA'])
    expect(sent[1]).toContain('return 1')
    expect(sent[3]?.split(' ')[1]).not.toBe(sent[0]?.split(' ')[1])
  })
  it('keep the flag where the server knows it', async () => {
    const redis = over(new Redis(url('REDIS8_URL'), single))
    await redis.transport?.send({ args: ['SCRIPT', 'FLUSH'], effect: 'repeat' })
    const { sent, store } = recorded(redis.transport as Transport, true)
    const ratelimit = new Ratelimit({
      redis: toUpstashRedis(store),
      limiter: Ratelimit.fixedWindow(10, '1 h'),
      prefix: prefix(),
    })
    await ratelimit.limit('a')
    expect(shape(sent)).toEqual(['EVALSHA', 'EVAL with flag', 'EVAL with flag'])
    expect(sent[2]).toContain('INCRBY')
  })
  it('are sent again after the server has forgotten them', async () => {
    const client = new Redis(url('VALKEY_URL'), single)
    const ratelimit = new Ratelimit({
      redis: toUpstashRedis(over(client)),
      limiter: Ratelimit.fixedWindow(10, '1 h'),
      prefix: prefix(),
    })
    await ratelimit.limit('a')
    await client.script('FLUSH')
    expect(await ratelimit.limit('a')).toMatchObject({ success: true, remaining: 8 })
  })
})

describe('keys on a Cluster', () => {
  it('share one slot, that of the prefix where it has a hash tag; no id chooses another', async () => {
    const store = cluster()
    const keys = async (tag: string): Promise<string[]> => {
      const found: string[] = []
      for await (const key of store.scan?.(`*${tag}*`) ?? []) found.push(key)
      return found
    }
    const tag = prefix()
    for (const space of [tag, `{${tag}}`]) {
      const limiter = Ratelimit.slidingWindow(10, '1 h')
      const ratelimit = new Ratelimit({ redis: toUpstashRedis(store), limiter, prefix: space, dynamicLimits: true })
      expect((await ratelimit.limit('{elsewhere}')).success).toBe(true)
    }
    const found = (await keys(tag)).map((key) => key.replace(/:\d+$/, ''))
    expect(found.sort()).toEqual([`{${tag}}:{elsewhere}`, `{ratelimit}${tag}:{elsewhere}`].sort())
  })
})

describe('what the package does not ask for', () => {
  it('is not there, and no option of set is dropped', async () => {
    const redis = toUpstashRedis(memoryStore())
    expect(redis).not.toHaveProperty('flushall')
    await expect(redis.set('k', 1, { ex: 1 })).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    expect(await redis.get('k')).toBe(null)
  })
  it('a script that memory does not know is refused with what to do', async () => {
    const redis = toUpstashRedis(memoryStore())
    await expect(redis.eval('return 1', [], [])).rejects.toMatchObject({
      code: 'UNSUPPORTED',
      message: expect.stringContaining('@upstash/ratelimit 2.2'),
    })
  })
})

describe('a store that is away', () => {
  it('ends in the error of the store, or in what the package does after its timeout', async () => {
    const client = new Redis({ ...single, port: 1, host: '127.0.0.1', retryStrategy: () => null })
    client.on('error', () => {})
    const redis = toUpstashRedis(over(client))
    const ratelimit = new Ratelimit({ redis, limiter: Ratelimit.fixedWindow(1, '1 h') })
    await expect(ratelimit.limit('id')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  })
})
