import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from '@upstash/redis'
import { afterEach, describe, expect, it } from 'vitest'
import { connect, ioredisTransport } from '../../adapters/ioredis/index.ts'
import { type Served, serve, startGateway } from '../../adapters/node/index.ts'
import { upstashStore } from '../../adapters/upstash/index.ts'
import { ask, startServer } from '../../scripts/servers.ts'
import { createGateway } from '../../src/gateway/index.ts'
import { createCache } from '../../src/index.ts'

// Before a Cluster the gateway responds as one database would, wherever the result means the same.

const TOKEN = 'cluster-4711'
const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})

/** Starts a Cluster of one server that owns all slots, which looks like the endpoint of a hosted service. */
async function startWholeCluster(): Promise<string> {
  const server = await startServer('redis8', {
    args: ['--cluster-enabled', 'yes', '--cluster-config-file', 'nodes.conf', '--cluster-announce-ip', '127.0.0.1'],
  })
  closing.push(() => server.stop())
  expect(await ask(server.port, 'CLUSTER ADDSLOTSRANGE 0 16383')).toMatch(/^\+OK/)
  await expect.poll(() => ask(server.port, 'CLUSTER INFO'), { timeout: 20_000 }).toContain('cluster_state:ok')
  return server.url
}

const before: Record<string, () => Promise<string>> = {
  'one url, over our own TCP': async () => {
    const gateway = await startGateway({ redis: await startWholeCluster(), token: TOKEN })
    closing.push(() => gateway.stop())
    return gateway.url
  },
  'one url, over ioredis': async () => {
    const transport = ioredisTransport(await connect(await startWholeCluster()))
    closing.push(() => transport.close())
    return served(await serve(createGateway({ transport, tokens: [TOKEN] })))
  },
  'three nodes, over an ioredis Cluster': async () => {
    const client = await connect((process.env.CLUSTER_NODES ?? '').split(',').map((node) => `redis://${node}`))
    const transport = ioredisTransport(client)
    closing.push(() => transport.close())
    return served(await serve(createGateway({ transport, tokens: [TOKEN] })))
  },
}
function served({ url, stop }: Served): string {
  closing.push(() => stop())
  return url
}

for (const [name, open] of Object.entries(before)) {
  describe(`before a Cluster, ${name}`, { timeout: 60_000 }, () => {
    it('the official client reads, counts and deletes keys of several slots', async () => {
      const url = await open()
      const redis = new Redis({ url, token: TOKEN, enableTelemetry: false })
      const keys = ['gc:a', 'gc:b', 'gc:c', 'gc:d']
      await redis.del(...keys, 'gc:list')
      for (const [i, key] of keys.entries()) if (key !== 'gc:c') await redis.set(key, i)
      await redis.lpush('gc:list', 'x')
      expect(await redis.mget('gc:a', 'gc:c', 'gc:d', 'gc:list')).toEqual([0, null, 3, null])
      expect(await redis.exists(...keys)).toBe(3)
      expect(await redis.touch('gc:a', 'gc:b', 'gc:none')).toBe(2)
      const pipeline = redis.pipeline()
      pipeline.mget('gc:a', 'gc:b')
      pipeline.set('gc:b', 'new')
      pipeline.mget('gc:a', 'gc:b')
      pipeline.unlink('gc:a', 'gc:d', 'gc:none')
      pipeline.mget('gc:a', 'gc:b')
      expect(await pipeline.exec()).toEqual([[0, 1], 'OK', [0, 'new'], 2, [null, 'new']])
      // The gateway does not split MSET by key: it would no longer be atomic.
      await expect(redis.mset({ 'gc:a': 1, 'gc:b': 2 })).rejects.toThrow('CROSSSLOT')
    })

    it('a cache over it hits, keys of several slots at a time', async () => {
      const cache = createCache({
        store: upstashStore({ url: await open(), token: TOKEN }),
        namespace: 'gc',
        ttl: '1m',
      })
      closing.push(() => cache.close())
      let loads = 0
      const load = (key: string) => () => {
        loads++
        return `value of ${key}`
      }
      for (let round = 0; round < 3; round++) {
        const found = await Promise.all(['a', 'b', 'c', 'd'].map((key) => cache.getOrSet(key, load(key))))
        expect(found).toEqual(['a', 'b', 'c', 'd'].map((key) => `value of ${key}`))
      }
      expect(loads).toBe(4)
      expect([...(await cache.getMany(['a', 'b', 'none'])).keys()]).toEqual(['a', 'b'])
      await cache.clear()
    })
  })
}

describe('before a Redis that cannot save', { timeout: 60_000 }, () => {
  it('is healthy, and answers what reads', async () => {
    const server = await startServer('redis7', { args: ['--save', '3600 1'] })
    closing.push(() => server.stop())
    const client = (await connect(server.url)) as unknown as { call(name: string, args: string[]): Promise<unknown> }
    const transport = ioredisTransport(client as never)
    closing.push(() => transport.close())
    const gateway = createGateway({ transport, tokens: [TOKEN] })
    const get = (path: string): Promise<Response> =>
      gateway(new Request(`http://gateway${path}`, { headers: { authorization: `Bearer ${TOKEN}` } }))
    expect(await (await get('/set/k/v')).json()).toEqual({ result: 'OK' })
    // A folder has the name of the snapshot file, so that the snapshot fails.
    const [, folder = ''] = (await client.call('CONFIG', ['GET', 'dir'])) as string[]
    mkdirSync(join(folder, 'dump.rdb'))
    await ask(server.port, 'BGSAVE')
    await expect.poll(() => ask(server.port, 'PING'), { timeout: 20_000 }).toMatch(/^-MISCONF/)
    const health = await get('/healthz')
    expect([health.status, await health.json()]).toEqual([
      200,
      { status: 'ok', writes: expect.stringContaining('MISCONF') },
    ])
    expect(await (await get('/get/k')).json()).toEqual({ result: 'v' })
    expect(await (await get('/set/k/w')).json()).toEqual({ error: expect.stringMatching(/^MISCONF /) })
  })
})
