import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect, ioredisStore } from '../../adapters/ioredis/index.ts'
import { memoryStore } from '../../adapters/memory/index.ts'
import { type StartedGateway, startGateway } from '../../adapters/node/index.ts'
import { tcpStore } from '../../adapters/tcp/index.ts'
import { upstashStore } from '../../adapters/upstash/index.ts'
import { type ChannelSpace, channel } from '../../src/channel/index.ts'
import { embeddedStore } from '../../src/embedded/index.ts'
import type { AtomicStore } from '../../src/index.ts'

const code = (code: string) => expect.objectContaining({ code })
const even = {
  '~standard': {
    version: 1 as const,
    vendor: 'test',
    validate: (value: unknown) => (Number(value) % 2 === 0 ? { value: Number(value) } : { issues: ['odd'] }),
  },
}
let tests = 0

function describeChannel(name: string, open: () => Promise<AtomicStore>, close?: () => Promise<void>): void {
  describe(`channel: ${name}`, () => {
    let store: AtomicStore
    beforeAll(async () => {
      store = await open()
    }, 60_000)
    afterAll(async () => {
      await store.close()
      await close?.()
    })
    const test = (title: string, body: (space: ChannelSpace) => Promise<void>): void =>
      it(title, () => body({ store, namespace: `c${++tests}-${Math.random().toString(36).slice(2)}` }), 60_000)

    test('what is published after a subscription is ready comes, in order', async (space) => {
      const news = channel<unknown>(space, 'news')
      await using first = news.subscribe()
      await using second = news.subscribe()
      await Promise.all([first.ready, second.ready])
      const values = ['a,b', '7', 7, { date: new Date(5), text: 'two\nlines\r\n' }, 'žluť', null, '']
      // A Cluster node counts only the subscribers connected to it.
      const least = name.includes('Cluster') ? 0 : 1
      for (const value of values) expect(await news.publish(value)).toBeGreaterThanOrEqual(least)
      for (const subscription of [first, second]) {
        const seen: unknown[] = []
        for await (const item of subscription) {
          if (item.type === 'message') seen.push(item.value)
          if (seen.length === values.length) break
        }
        expect(seen).toEqual(values)
      }
    })
    test('a store that is closed ends its subscriptions', async (space) => {
      const own = await open()
      const subscription = channel({ ...space, store: own }, 'news').subscribe()
      await subscription.ready
      const next = subscription.next()
      await own.close()
      await expect(next).rejects.toEqual(code('CLOSED'))
    })
    test('another channel and another namespace hear nothing of it', async (space) => {
      await using here = channel<number>(space, 'a').subscribe()
      await here.ready
      await channel(space, 'b').publish(1)
      await channel({ ...space, namespace: 'elsewhere' }, 'a').publish(2)
      await channel(space, 'a').publish(3)
      expect(await here.next()).toEqual({ done: false, value: { type: 'message', value: 3 } })
    })
    test('a signal ends a loop, and leaving one ends its subscription', async (space) => {
      const news = channel<number>(space, 'news')
      const abort = new AbortController()
      const subscription = news.subscribe({ signal: abort.signal })
      await subscription.ready
      const next = subscription.next()
      abort.abort(new Error('left'))
      await expect(next).rejects.toThrow('left')
      await using other = news.subscribe()
      await other.ready
      await news.publish(1)
      for await (const _ of other) break
      expect(await other.next()).toEqual({ done: true, value: undefined })
      expect(() => news.subscribe({ signal: AbortSignal.abort(new Error('before')) })).toThrow('before')
    })
    test('a schema judges what is published and what comes', async (space) => {
      const numbers = channel(space, 'numbers', { schema: even })
      const invalid: unknown[] = []
      await using subscription = numbers.subscribe({ onInvalid: (error) => invalid.push(error) })
      await subscription.ready
      await expect(numbers.publish(1)).rejects.toEqual(code('INVALID_VALUE'))
      await channel(space, 'numbers').publish(3)
      await numbers.publish(4)
      expect((await subscription.next()).value).toEqual({ type: 'message', value: 4 })
      expect(invalid).toEqual([code('INVALID_VALUE')])
    })
    test('bad input is refused', async (space) => {
      expect(() => channel(space, '')).toThrow(code('INVALID_KEY'))
      expect(() => channel(space, 'a').subscribe({ maxQueued: 0 })).toThrow(code('INVALID_ARGUMENT'))
      await expect(channel(space, 'a').publish(undefined)).rejects.toEqual(code('INVALID_VALUE'))
      await expect(channel(space, 'a').publish(() => 1)).rejects.toEqual(code('UNENCODABLE'))
    })
  })
}

const env = (name: string): string => process.env[name] as string

describeChannel('memory', async () => memoryStore())
describeChannel('embedded', async () => embeddedStore())
for (const [name, variable] of [
  ['Redis 7', 'REDIS7_URL'],
  ['Redis 8', 'REDIS8_URL'],
  ['Valkey', 'VALKEY_URL'],
] as const) {
  describeChannel(`hither/tcp, ${name}`, async () => tcpStore({ url: env(variable) }))
  describeChannel(`ioredis, ${name}`, async () => ioredisStore(await connect(env(variable))))
}
describeChannel('ioredis Cluster', async () =>
  ioredisStore(
    await connect(
      env('CLUSTER_NODES')
        .split(',')
        .map((node) => `redis://${node}`),
    ),
  ),
)
let gateway: StartedGateway | undefined
describeChannel(
  'REST',
  async () => {
    gateway ??= await startGateway({ redis: env('REDIS8_URL') })
    return upstashStore(gateway)
  },
  async () => gateway?.stop(),
)

describe('channel: faults', () => {
  it('a store without channels is refused', () => {
    const { publish: _, subscribe: __, transport: ___, ...plain } = tcpStore({ url: 'redis://127.0.0.1:1' })
    expect(() => channel({ store: plain as never }, 'a')).toThrow(code('UNSUPPORTED'))
    expect(() => channel({ store: {} as never }, 'a')).toThrow(code('UNSUPPORTED'))
  })
  it('a refused token ends the loop of a subscription over REST', async () => {
    const started = await startGateway({ redis: env('REDIS8_URL') })
    const subscription = channel({ store: upstashStore({ ...started, token: 'wrong' }) }, 'a').subscribe()
    await expect(subscription.ready).rejects.toEqual(code('UNAUTHORIZED'))
    await expect(subscription.next()).rejects.toEqual(code('UNAUTHORIZED'))
    await started.stop()
  })
  it('a subscription over REST outlives its gateway, with a gap', async () => {
    const first = await startGateway({ redis: env('REDIS8_URL') })
    const { port } = new URL(first.url)
    const news = channel<number>({ store: upstashStore(first), namespace: `gap${Math.random()}`.replace('.', '') }, 'a')
    await using subscription = news.subscribe()
    await subscription.ready
    await first.stop()
    const second = await startGateway({ redis: env('REDIS8_URL'), port: Number(port), token: first.token })
    expect((await subscription.next()).value).toEqual({ type: 'gap' })
    await news.publish(1)
    expect((await subscription.next()).value).toEqual({ type: 'message', value: 1 })
    await subscription.close()
    await second.stop()
  }, 60_000)
})
