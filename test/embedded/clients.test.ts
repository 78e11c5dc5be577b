import { execFile } from 'node:child_process'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { Ratelimit } from '@upstash/ratelimit'
import { Redis as Upstash } from '@upstash/redis'
import { startDev, type TestDev } from 'hither/testing/node'
import { Redis as Ioredis6 } from 'ioredis'
import { Redis as Ioredis5 } from 'ioredis5'
import { Redis as Iovalkey } from 'iovalkey'
import { RateLimiterRedis } from 'rate-limiter-flexible'
import { createClient } from 'redis'
// @ts-expect-error its types are not where its `exports` field says
import Redlock from 'redlock'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

let dev: TestDev
beforeAll(async () => {
  dev = await startDev()
})
afterAll(() => dev.stop())

const clients = { 'ioredis 6': Ioredis6, 'ioredis 5': Ioredis5, iovalkey: Iovalkey } as unknown as Record<
  string,
  typeof Ioredis6
>

for (const [name, Client] of Object.entries(clients)) {
  describe(name, () => {
    it('does its main job', async () => {
      const client = new Client(dev.redisUrl)
      const subscriber = new Client(dev.redisUrl)
      expect(await client.set('a', 'ü', 'EX', 100)).toBe('OK')
      expect(await client.get('a')).toBe('ü')
      expect(await client.multi().incr('n').hset('h', { x: 1, y: 2 }).exec()).toEqual([
        [null, 1],
        [null, 2],
      ])
      expect(await client.hgetall('h')).toEqual({ x: '1', y: '2' })
      expect(await client.eval('return {KEYS[1], ARGV[1]}', 1, 'k', 'v')).toEqual(['k', 'v'])
      const heard = new Promise((resolve) => subscriber.on('message', (_, message) => resolve(message)))
      await subscriber.subscribe('news')
      await client.publish('news', 'hello')
      expect(await heard).toBe('hello')
      const waiting = subscriber.duplicate()
      const popped = waiting.blpop('list', 5)
      await client.rpush('list', 'item')
      expect(await popped).toEqual(['list', 'item'])
      await client.flushall()
      for (const one of [client, subscriber, waiting]) one.disconnect()
    })
  })
}

it('node-redis 6, in both protocols', async () => {
  for (const RESP of [2, 3] as const) {
    const client = createClient({ url: dev.redisUrl, RESP })
    await client.connect()
    await client.set('a', '1')
    expect(await client.incr('a')).toBe(2)
    await client.zAdd('z', [
      { score: 1, value: 'x' },
      { score: 2.5, value: 'y' },
    ])
    expect(await client.zRangeWithScores('z', 0, -1)).toEqual([
      { value: 'x', score: 1 },
      { value: 'y', score: 2.5 },
    ])
    await client.xAdd('s', '1-1', { f: 'v' })
    expect((await client.xRange('s', '-', '+'))?.length).toBe(1)
    const keys: string[] = []
    for await (const part of client.scanIterator()) keys.push(...part)
    expect(keys.sort()).toEqual(['a', 's', 'z'])
    await client.flushAll()
    await client.close()
  }
})

it('@upstash/redis and @upstash/ratelimit over REST', async () => {
  const redis = new Upstash({ url: dev.url, token: dev.token })
  await redis.set('user', { name: 'Ada' })
  expect(await redis.get('user')).toEqual({ name: 'Ada' })
  expect(await redis.pipeline().incr('n').zadd('z', { score: 1, member: 'm' }).exec()).toEqual([1, 1])
  const limit = new Ratelimit({ redis, limiter: Ratelimit.slidingWindow(2, '60 s') })
  const results = [await limit.limit('ip'), await limit.limit('ip'), await limit.limit('ip')]
  expect(results.map(({ success }) => success)).toEqual([true, true, false])
  await redis.flushall()
})

it('rate-limiter-flexible and redlock', async () => {
  const client = new Ioredis6(dev.redisUrl)
  const limiter = new RateLimiterRedis({ storeClient: client, points: 2, duration: 60 })
  await limiter.consume('ip')
  await limiter.consume('ip')
  await expect(limiter.consume('ip')).rejects.toMatchObject({ remainingPoints: 0 })
  const redlock = new Redlock([client as never], { retryCount: 0 })
  const lock = await redlock.acquire(['resource'], 5000)
  await expect(redlock.acquire(['resource'], 5000)).rejects.toThrow()
  await lock.release()
  await client.flushall()
  client.disconnect()
})

it('redis-cli and redis-benchmark', async () => {
  const run = promisify(execFile)
  const { find } = await import('../../scripts/servers/find.ts')
  const server = await find('redis8')
  const command = server?.command ?? []
  const program = (name: string): string[] => [...command.slice(0, -1), `${dirname(command.at(-1) as string)}/${name}`]
  const { port } = new URL(dev.redisUrl)
  const call = async (name: string, ...args: string[]): Promise<string> => {
    const [file = '', ...before] = program(name)
    return (await run(file, [...before, '-p', port, ...args])).stdout
  }
  expect(await call('redis-cli', 'set', 'a', '1')).toBe('OK\n')
  expect(await call('redis-cli', '-3', 'hgetall', 'none')).toBe('\n')
  expect(await call('redis-cli', 'info', 'server')).toMatch(/redis_version:8/)
  expect(
    await call(
      'redis-benchmark',
      '-n',
      '2000',
      '-P',
      '16',
      '-q',
      '-t',
      'set,get,incr,lpush,rpush,lpop,sadd,hset,spop,zadd,zpopmin,lrange,mset,xadd',
    ),
  ).toMatch(/XADD/)
})
