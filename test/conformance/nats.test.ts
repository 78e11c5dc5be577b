import { connect, type NatsConnection } from '@nats-io/transport-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type NatsStore, natsStore } from '../../adapters/nats/index.ts'
import { decodeKey, encodeKey } from '../../adapters/nats/keys.ts'
import { type Server, startServer } from '../../scripts/servers.ts'
import { describeStore } from '../../src/testing/index.ts'
import { startNatsWithWebSocket } from '../support/nats-websocket.ts'

describe('NATS', () => {
  let server: Server
  let buckets = 0
  let lent: NatsConnection | undefined
  beforeAll(async () => {
    server = await startServer('nats')
  })
  afterAll(async () => {
    await lent?.close()
    await server.stop()
  })
  const harness = {
    elapse: (ms: number) => new Promise<void>((done) => setTimeout(done, ms)),
    skip: { 'reads a foreign type as absent, alone and in a batch': 'a bucket holds nothing but bytes' },
  }
  describeStore({ describe, it, afterAll }, 'nats', {
    open: () => natsStore({ servers: server.url, bucket: `b${++buckets}`, storage: 'memory' }),
    ...harness,
  })
  describeStore({ describe, it, afterAll }, 'nats, a lent connection', {
    async open() {
      lent ??= await connect({ servers: server.url })
      const bucket = `b${++buckets}`
      return natsStore({ connection: lent, bucket, storage: 'memory' })
    },
    ...harness,
  })

  it('leaves a lent connection open', async () => {
    const connection = await connect({ servers: server.url })
    const store = natsStore({ connection, bucket: 'lent', storage: 'memory' })
    await store.set('k', 'v')
    await store.close()
    expect(connection.isClosed()).toBe(false)
    await connection.close()
  })
  it('lists keys by a pattern', async () => {
    const store = natsStore({ servers: server.url, bucket: 'scan', storage: 'memory' })
    for (const key of ['a:1', 'a:2', 'b:1', 'a.*', 'é']) await store.set(key, 'x')
    const found = async (pattern: string): Promise<string[]> => {
      const keys: string[] = []
      for await (const key of store.scan(pattern)) keys.push(key)
      return keys.sort()
    }
    expect(await found('*')).toEqual(['a.*', 'a:1', 'a:2', 'b:1', 'é'])
    expect(await found('a:?')).toEqual(['a:1', 'a:2'])
    expect(await found('[bé]*')).toEqual(['b:1', 'é'])
    expect(await found('a.\\*')).toEqual(['a.*'])
    await store.close()
  })
  it('carries messages, and says where some may be missing', async () => {
    const own = await startServer('nats')
    const store = natsStore({ servers: own.url, bucket: 'feed', storage: 'memory' })
    const other = natsStore({ servers: own.url, bucket: 'feed', storage: 'memory' })
    const heard: string[] = []
    let gaps = 0
    const end = await store.subscribe(
      'a b',
      (message) => void heard.push(message),
      () => void gaps++,
    )
    await other.publish('a b', 'one')
    await expect.poll(() => heard).toEqual(['one'])
    await own.restart()
    await expect.poll(() => gaps, { timeout: 10_000 }).toBeGreaterThan(0)
    await end()
    await Promise.all([store.close(), other.close()])
    await own.stop()
  })
  it('gives any key a name and back', () => {
    for (const key of ['a', 'a.b', '.a', 'a.', 'a..b', ' ', '*', '>', '=41', 'é馬', '/a', '\0', 'a:b', '..', '.']) {
      const name = encodeKey(key)
      expect(name).toMatch(/^[\w/=-]+(\.[\w/=-]+)*$/)
      expect(decodeKey(name)).toBe(key)
    }
  })
})

describe('NATS over WebSocket', () => {
  let nats: Awaited<ReturnType<typeof startNatsWithWebSocket>>
  let buckets = 0
  beforeAll(async () => {
    nats = await startNatsWithWebSocket()
  })
  afterAll(() => nats.stop())
  describeStore({ describe, it, afterAll }, 'nats, WebSocket', {
    open: () => natsStore({ servers: nats.webUrl, bucket: `b${++buckets}`, storage: 'memory', timeoutMs: 30_000 }),
    elapse: (ms) => new Promise((done) => setTimeout(done, ms)),
    skip: { 'reads a foreign type as absent, alone and in a batch': 'a bucket holds nothing but bytes' },
  })

  it('is used again after a restart of its server, beside a store over TCP, and hears messages again', async () => {
    const [web, tcp] = [nats.webUrl, nats.server.url].map((servers) =>
      natsStore({ servers, bucket: 'both', storage: 'memory' }),
    ) as [NatsStore, NatsStore]
    await web.set('k', 'before')
    expect(await tcp.get('k')).toBe('before')
    const heard: string[] = []
    let gaps = 0
    const ends = [web, tcp].map((store) =>
      store.subscribe(
        'c',
        (message) => void heard.push(message),
        () => void gaps++,
      ),
    )
    await Promise.all(ends)
    await nats.server.restart()
    for (const store of [web, tcp]) {
      await expect.poll(() => store.set('k', 'after').then(() => store.get('k')), { timeout: 10_000 }).toBe('after')
    }
    await expect.poll(() => gaps, { timeout: 10_000 }).toBeGreaterThan(1)
    for (const [from, text] of [[web, 'from the web'] as const, [tcp, 'from tcp'] as const]) {
      heard.length = 0
      await from.publish('c', text)
      await expect.poll(() => heard, { timeout: 10_000 }).toEqual([text, text])
    }
    for (const end of ends) await (await end)()
    await Promise.all([web.close(), tcp.close()])
  }, 30_000)
})
