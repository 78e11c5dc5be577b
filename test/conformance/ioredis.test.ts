import { Cluster, Redis } from 'ioredis'
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis5'
import { Redis as Valkey, Cluster as ValkeyCluster } from 'iovalkey'
import { afterAll, describe, it } from 'vitest'
import { type IoredisLike, ioredisStore } from '../../adapters/ioredis/index.ts'
import { describeStore } from '../../src/testing/index.ts'

const single = { enableOfflineQueue: false, maxRetriesPerRequest: 0 }
const many = { enableOfflineQueue: false, retryDelayOnFailover: 0, redisOptions: { maxRetriesPerRequest: 0 } }
const nodes = (): { host: string; port: number }[] =>
  env('CLUSTER_NODES')
    .split(',')
    .map((node) => ({ host: node.split(':')[0] as string, port: Number(node.split(':')[1]) }))

const clients: Record<string, () => IoredisLike> = {
  'ioredis 6, redis 7': () => new Redis(env('REDIS7_URL'), single),
  'ioredis 6, redis 8': () => new Redis(env('REDIS8_URL'), single),
  'ioredis 6, valkey': () => new Redis(env('VALKEY_URL'), single),
  'ioredis 6, cluster': () => new Cluster(nodes(), many),
  'ioredis 5, redis 8': () => new Redis5(env('REDIS8_URL'), single),
  'ioredis 5, cluster': () => new Cluster5(nodes(), many),
  'iovalkey, valkey': () => new Valkey(env('VALKEY_URL'), single),
  'iovalkey, cluster': () => new ValkeyCluster(nodes(), many),
}

for (const [name, make] of Object.entries(clients)) {
  const opened: IoredisLike[] = []
  afterAll(() => {
    for (const client of opened) client.disconnect()
  })
  describeStore({ describe, it, afterAll }, name, {
    open: () => {
      const client = make()
      opened.push(client)
      return ioredisStore(client)
    },
    elapse: (ms) => new Promise((done) => setTimeout(done, ms)),
    async foreign(key) {
      await opened[0]?.call('lpush', [key, 'x'])
    },
    async forgetScripts() {
      const client = opened[0] as IoredisLike & { nodes?(role: string): IoredisLike[] }
      await Promise.all((client.nodes?.('master') ?? [client]).map((node) => node.call('SCRIPT', ['FLUSH'])))
    },
  })
}

function env(name: string): string {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set: the test setup starts the servers`)
  return value
}
