import { connect as connectTcp } from 'node:net'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls'
import { Redis } from '@upstash/redis'
import { Hono } from 'hono'
import { afterEach, describe, expect, it } from 'vitest'
import { connect, ioredisTransport } from '../../adapters/ioredis/index.ts'
import { startGateway } from '../../adapters/node/index.ts'
import { startServer } from '../../scripts/servers.ts'
import { createGateway } from '../../src/gateway/index.ts'
import { certificate } from '../support/certificate.ts'

// The gateway as a handler in an application, before a Cluster, and before a Redis behind TLS and an ACL.

const TOKEN = 'mounted-4711'
const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

const command = (...args: unknown[]): RequestInit => ({
  method: 'POST',
  headers: { authorization: `Bearer ${TOKEN}` },
  body: JSON.stringify(args),
})

describe('mounted in Hono, over ioredis before a Cluster', { timeout: 30_000 }, () => {
  it('answers below its path, and leaves the rest to the application', async () => {
    const client = await connect((process.env.CLUSTER_NODES ?? '').split(',').map((node) => `redis://${node}`))
    const transport = ioredisTransport(client)
    closing.push(() => transport.close())
    const gateway = createGateway({ transport, tokens: [TOKEN] })
    const app = new Hono().get('/', (c) => c.text('mine')).mount('/redis', gateway)
    expect(await (await app.request('/')).text()).toBe('mine')
    const ask = async (path: string, ...args: unknown[]): Promise<unknown> =>
      (await app.request(path, command(...args))).json()
    expect(await ask('/redis', 'SET', 'gm:{a}:1', '41')).toEqual({ result: 'OK' })
    expect(await ask('/redis/', 'INCR', 'gm:{a}:1')).toEqual({ result: 42 })
    expect(await ask('/redis/pipeline', ['GET', 'gm:{a}:1'], ['SET', 'gm:{b}:1', 'x'], ['GET', 'gm:{c}:1'])).toEqual([
      { result: '42' },
      { result: 'OK' },
      { result: null },
    ])
    expect(await ask('/redis/multi-exec', ['SET', 'gm:{a}:2', 'y'], ['GET', 'gm:{a}:2'])).toEqual([
      { result: 'OK' },
      { result: 'y' },
    ])
    const byPath = await app.request('/redis/get/gm:%7Ba%7D:2', { headers: { authorization: `Bearer ${TOKEN}` } })
    expect(await byPath.json()).toEqual({ result: 'y' })
    expect((await app.request('/redis/get/x')).status).toBe(401)
    expect(await ask('/redis/psubscribe/x*')).toEqual({ error: 'ERR PSUBSCRIBE is not available here' })
  })

  it('tells what is published, before one Redis', async () => {
    const transport = ioredisTransport(await connect(process.env.VALKEY_URL ?? ''))
    closing.push(() => transport.close())
    const gateway = createGateway({ transport, tokens: [TOKEN] })
    const at = (path: string, init: RequestInit): Promise<Response> =>
      gateway(new Request(`http://gateway${path}`, init))
    const stream = await at('/subscribe/gm:news', command())
    const reader = (stream.body as ReadableStream<Uint8Array>).getReader()
    const next = async (): Promise<string> => new TextDecoder().decode((await reader.read()).value)
    expect(await next()).toBe('data: subscribe,gm:news,1\n\n')
    await at('/', command('PUBLISH', 'gm:news', 'hello'))
    expect(await next()).toBe('data: message,gm:news,hello\n\n')
    await reader.cancel()
  })

  it('is what the official client subscribes to', async () => {
    const gateway = await startGateway({ redis: process.env.REDIS8_URL ?? '' })
    closing.push(gateway.stop)
    const redis = new Redis({ url: gateway.url, token: gateway.token, enableTelemetry: false })
    const heard: unknown[] = []
    const subscriber = redis.subscribe<unknown>('gm:client')
    const patterns = redis.psubscribe<unknown>('gm:cl*')
    subscriber.on('message', ({ message }) => heard.push(message))
    patterns.on('pmessage', ({ channel, message }) => heard.push([channel, message]))
    await expect.poll(() => redis.publish('gm:client', { a: [1, 'x'] }), { timeout: 10_000 }).toBe(2)
    await expect
      .poll(() => heard, { timeout: 10_000 })
      .toEqual(expect.arrayContaining([{ a: [1, 'x'] }, ['gm:client', { a: [1, 'x'] }]]))
    await subscriber.unsubscribe()
    await patterns.unsubscribe()
  })
})

describe('before a Redis behind TLS, as a user of its ACL', { timeout: 30_000 }, () => {
  it('does what that user may', async () => {
    const acl = ['--user', 'app', 'on', '>s3cret', '~app:*', '&*', '+@all', '-@dangerous']
    const server = await startServer('redis7', { args: acl })
    closing.push(server.stop)
    // This build of Redis has no TLS, so a proxy before it does.
    const proxy: TlsServer = createTlsServer(certificate, (socket) => {
      const behind = connectTcp(server.port, '127.0.0.1')
      socket.pipe(behind).pipe(socket)
      for (const end of [socket, behind])
        end.on('error', () => {}).on('close', () => [socket, behind].map((each) => each.destroy()))
    })
    await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))
    closing.push(() => proxy.close())
    const redis = `rediss://app:s3cret@localhost:${(proxy.address() as { port: number }).port}`
    await expect(startGateway({ redis, token: TOKEN })).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    const gateway = await startGateway({ redis, token: TOKEN, redisTls: { ca: certificate.cert } })
    closing.push(gateway.stop)
    const ask = async (...args: unknown[]): Promise<unknown> => (await fetch(gateway.url, command(...args))).json()
    expect(await ask('SET', 'app:a', 'x')).toEqual({ result: 'OK' })
    expect(await ask('SET', 'other', 'x')).toEqual({ error: expect.stringMatching(/^NOPERM /) })
    expect(await ask('EVAL', "return redis.call('GET', 'other')", 0)).toEqual({
      error: expect.stringMatching(/can't access|NOPERM|ACL/i),
    })
    expect(await ask('FLUSHALL')).toEqual({ error: expect.stringMatching(/^NOPERM /) })
  })
})
