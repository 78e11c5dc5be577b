import { createServer, type Server as HttpServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdapter, createShardedAdapter } from '@socket.io/redis-adapter'
import { createAdapter as createStreamsAdapter } from '@socket.io/redis-streams-adapter'
import { FlowProducer, Queue, QueueEvents, UnrecoverableError, Worker } from 'bullmq'
import { RedisStore } from 'connect-redis'
import express from 'express'
import session from 'express-session'
import { startDev, type TestDev } from 'hither/testing/node'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { createClient as createClient5 } from 'redis5'
import { Server } from 'socket.io'
import { io, type Socket } from 'socket.io-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

/** Unmodified programs that people run on Redis, here on the development server. Each does its main job. */
let dev: TestDev
const ends: (() => unknown)[] = []
beforeAll(async () => {
  dev = await startDev()
})
afterAll(async () => {
  for (const end of ends.reverse()) await end()
  await dev?.stop()
})

const listen = (server: HttpServer): Promise<string> =>
  new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
  })

describe('BullMQ', () => {
  const connection = () => ({ connection: { host: '127.0.0.1', port: Number(new URL(dev.redisUrl).port) } })
  const open = <T extends { close(): Promise<unknown> }>(one: T): T => {
    ends.push(() => one.close())
    return one
  }

  it('runs jobs of a queue, retries, delays, and counts them', async () => {
    const queue = open(new Queue('mail', connection()))
    const events = open(new QueueEvents('mail', connection()))
    await events.waitUntilReady()
    let attempts = 0
    open(
      new Worker(
        'mail',
        async (job) => {
          if (job.name === 'flaky' && ++attempts < 3) throw new Error('again')
          if (job.name === 'broken') throw new UnrecoverableError('never')
          await job.updateProgress(50)
          return `${job.name} ${job.data.to}`
        },
        connection(),
      ),
    )
    const jobs = await Promise.all([
      queue.add('plain', { to: 'a' }),
      queue.add('later', { to: 'b' }, { delay: 50 }),
      queue.add('first', { to: 'c' }, { priority: 1 }),
      queue.add('flaky', { to: 'd' }, { attempts: 3, backoff: { type: 'fixed', delay: 10 } }),
    ])
    const results = await Promise.all(jobs.map((job) => job.waitUntilFinished(events)))
    expect(results).toEqual(['plain a', 'later b', 'first c', 'flaky d'])
    const broken = await queue.add('broken', { to: 'e' })
    await expect(broken.waitUntilFinished(events)).rejects.toThrow('never')
    expect(await queue.getJobCounts('completed', 'failed', 'waiting', 'active', 'delayed')).toMatchObject({
      completed: 4,
      failed: 1,
      waiting: 0,
      active: 0,
      delayed: 0,
    })
    await queue.addBulk([
      { name: 'plain', data: { to: 'x' } },
      { name: 'plain', data: { to: 'y' } },
    ])
    await queue.drain()
    await queue.obliterate({ force: true })
    expect(await queue.count()).toBe(0)
  })

  it('runs a flow: the parent waits for its children and gets what they returned', async () => {
    const flow = open(new FlowProducer(connection()))
    const events = open(new QueueEvents('parents', connection()))
    await events.waitUntilReady()
    open(new Worker('children', async (job) => job.data.n * 2, connection()))
    open(
      new Worker(
        'parents',
        async (job) => Object.values(await job.getChildrenValues<number>()).reduce((sum, n) => sum + n, 0),
        connection(),
      ),
    )
    const tree = await flow.add({
      name: 'sum',
      queueName: 'parents',
      children: [1, 2, 3].map((n) => ({ name: 'double', queueName: 'children', data: { n } })),
    })
    expect(await tree.job.waitUntilFinished(events)).toBe(12)
  })

  it('repeats a job by a schedule, and limits a rate', async () => {
    const queue = open(new Queue('ticks', connection()))
    let ran = 0
    const third = new Promise<void>((resolve) => {
      open(
        new Worker(
          'ticks',
          async () => {
            if (++ran === 3) resolve()
          },
          { ...connection(), limiter: { max: 50, duration: 1000 } },
        ),
      )
    })
    await queue.upsertJobScheduler('every', { every: 30 }, { name: 'tick', data: {} })
    await third
    expect(await queue.getJobSchedulersCount()).toBe(1)
    expect(await queue.removeJobScheduler('every')).toBe(true)
    await queue.upsertJobScheduler('nightly', { pattern: '0 3 * * *' }, { name: 'tick' })
    expect((await queue.getJobSchedulers())[0]).toMatchObject({ key: 'nightly', pattern: '0 3 * * *' })
  })
})

describe('Socket.IO', () => {
  type Adapter = Parameters<Server['adapter']>[0]
  const connect = async () => {
    const client = createClient({ url: dev.redisUrl })
    client.on('error', () => {})
    await client.connect()
    ends.push(() => client.destroy())
    return client
  }
  const connectIoredis = () => {
    const client = new Redis(dev.redisUrl)
    ends.push(() => client.disconnect())
    return client
  }
  const adapters: Record<string, () => Promise<Adapter>> = {
    'the adapter over channels': async () => createAdapter(await connect(), await connect()),
    'the adapter over channels, by ioredis': async () =>
      createAdapter(connectIoredis(), connectIoredis(), { key: 'i' }),
    'the sharded adapter': async () => createShardedAdapter(await connect(), await connect(), { channelPrefix: 's' }),
    'the adapter over streams': async () => createStreamsAdapter(await connect()) as unknown as Adapter,
  }
  for (const [name, adapter] of Object.entries(adapters)) {
    it(`reaches the clients of another server: ${name}`, async () => {
      const servers: Server[] = []
      const sockets: Socket[] = []
      for (let i = 0; i < 2; i++) {
        const http = createServer()
        const server = new Server(http, { adapter: await adapter() })
        const url = await listen(http)
        servers.push(server)
        const joined = new Promise<void>((resolve) => {
          server.on('connection', (socket) => {
            void Promise.resolve(socket.join('room')).then(() => resolve())
          })
        })
        const socket = io(url, { transports: ['websocket'] })
        sockets.push(socket)
        await joined
      }
      const [first, second] = servers as [Server, Server]
      const heard = sockets.map((socket) => new Promise((resolve) => socket.once('news', resolve)))
      // A server learns of the other one from its subscription or from its first heartbeat.
      const count = (): Promise<number> =>
        first.fetchSockets().then(
          (all) => all.length,
          () => 0,
        )
      await expect.poll(count, { timeout: 30_000 }).toBe(2)
      first.to('room').emit('news', { text: 'hello' })
      expect(await Promise.all(heard)).toEqual([{ text: 'hello' }, { text: 'hello' }])
      expect((await second.in('room').fetchSockets()).length).toBe(2)
      for (const socket of sockets) socket.close()
      for (const server of servers) await server.close()
    })
  }
})

describe('connect-redis', () => {
  for (const [name, create] of Object.entries({ 'node-redis 6': createClient, 'node-redis 5': createClient5 })) {
    it(`keeps a session over ${name}`, async () => {
      const client = (create as typeof createClient)({ url: dev.redisUrl })
      await client.connect()
      ends.push(() => client.destroy())
      const app = express()
      app.use(session({ store: new RedisStore({ client }), secret: 's', resave: false, saveUninitialized: false }))
      app.get('/', (request, response) => {
        const own = request.session as unknown as { views?: number }
        own.views = (own.views ?? 0) + 1
        response.send(`${own.views}`)
      })
      const server = createServer(app)
      const url = await listen(server)
      const first = await fetch(url)
      const cookie = first.headers.get('set-cookie')?.split(';')[0] ?? ''
      expect([await first.text(), await (await fetch(url, { headers: { cookie } })).text()]).toEqual(['1', '2'])
      await new Promise((resolve) => server.close(resolve))
    })
  }
})

it('node-redis 5 does its main job, in both protocols', async () => {
  for (const RESP of [2, 3] as const) {
    const client = createClient5({ url: dev.redisUrl, RESP })
    await client.connect()
    const subscriber = client.duplicate()
    await subscriber.connect()
    const heard = new Promise((resolve) => void subscriber.subscribe('news5', resolve))
    expect(await client.multi().set('five', '1').incr('five').get('five').exec()).toEqual(['OK', 2, '2'])
    expect(await client.eval('return {KEYS[1], ARGV[1]}', { keys: ['k'], arguments: ['v'] })).toEqual(['k', 'v'])
    await expect.poll(() => client.publish('news5', 'hello')).toBe(1)
    expect(await heard).toBe('hello')
    subscriber.destroy()
    client.destroy()
  }
})
