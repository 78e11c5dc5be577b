import { Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { Redis as Valkey } from 'iovalkey'
import { afterEach, describe, expect, it } from 'vitest'
import { connect, type IoredisLike, ioredisStore } from '../../adapters/ioredis/index.ts'
import { tcpStore } from '../../adapters/tcp/index.ts'
import { type AtomicStore, type Cache, type CacheEvent, createCache } from '../../src/index.ts'
import { messageFeed, nearTier } from '../../src/near/index.ts'
import { createTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const options = { enableOfflineQueue: false, maxRetriesPerRequest: 0 }
const redis = (Made: new (url: string, options: object) => IoredisLike) => async (url: string) => {
  const client = new Made(url, options)
  client.on('error', () => {})
  await new Promise((resolve) => client.on('ready', resolve))
  return ioredisStore(client)
}
const ways: readonly [string, (url: string) => Promise<AtomicStore>][] = [
  ['ioredis 6', redis(Redis)],
  ['ioredis 5', redis(Redis5)],
  ['iovalkey', redis(Valkey)],
  ['connect()', async (url) => ioredisStore(await connect(url))],
  ['hither/tcp', async (url) => tcpStore({ url })],
]
/** A dead link is known by three PINGs, 500 ms apart. */
const DEAD_LINK_MS = 1600

const open: { close(): Promise<unknown> }[] = []
afterEach(async () => {
  for (const one of open.splice(0)) await one.close().catch(() => {})
})

describe.each(ways)('messages between near tiers over %s', (_, make) => {
  async function two(): Promise<{ a: Cache; b: Cache; line: TcpProxy; gaps(): number }> {
    const line = await createTcpProxy(process.env.REDIS7_URL as string)
    const namespace = `feed-${Math.random().toString(36).slice(2)}`
    let gaps = 0
    const onEvent = ({ type }: CacheEvent): void => {
      if (type === 'feed-gap') gaps++
    }
    const near = () => nearTier({ maxAge: '1m', feed: messageFeed() })
    // Only the reader's line has faults.
    const a = createCache({ store: await make(line.url), near: near(), namespace, ttl: '5m', onEvent })
    const b = createCache({ store: await make(process.env.REDIS7_URL as string), near: near(), namespace, ttl: '5m' })
    open.push(a, b, { close: () => line.stop() })
    return { a, b, line, gaps: () => gaps }
  }
  /** Held near in `a`, by a subscription that stands. */
  async function hold(a: Cache, key: string): Promise<void> {
    await a.set(key, 'old', { tags: ['t'] })
    for (let i = 0; i < 100; i++) {
      await a.get(key)
      await pause(10)
      if (a.peek(key) === 'old' && i > 10) return
    }
    throw new Error('nothing is held near')
  }
  const gone = async (a: Cache, key: string, withinMs: number): Promise<number> => {
    const since = Date.now()
    while (a.peek(key) !== undefined) {
      if (Date.now() - since > withinMs) throw new Error(`still there after ${withinMs} ms`)
      await pause(1)
    }
    return Date.now() - since
  }

  it('a delete, a set and an invalidation are seen within 250 ms', async () => {
    const { a, b, gaps } = await two()
    for (const end of [() => b.delete('k'), () => b.set('k', 'new'), () => b.invalidateTags(['t']), () => b.clear()]) {
      await hold(a, 'k')
      const before = gaps()
      await end()
      await gone(a, 'k', 250)
      expect(gaps()).toBe(before)
    }
  })
  it('a link that is cut empties the tier at once', async () => {
    const { a, line, gaps } = await two()
    await hold(a, 'k')
    const before = gaps()
    line.cut()
    await gone(a, 'k', 250)
    expect(gaps()).toBeGreaterThan(before)
  })
  it('a link that is silent empties it when three PINGs are due, and hears again afterwards', async () => {
    const { a, b, line } = await two()
    await hold(a, 'k')
    line.stall()
    await b.delete('k')
    await gone(a, 'k', DEAD_LINK_MS)
    await line.pass()
    await pause(500)
    await hold(a, 'j')
    await b.delete('j')
    await gone(a, 'j', 250)
  }, 20_000)
})
