import type { AtomicStore, StoreEvent } from 'hither'
import { embeddedStore } from 'hither/embedded'
import { connect, ioredisStore } from 'hither/ioredis'
import { memcachedStore } from 'hither/memcached'
import { memoryStore } from 'hither/memory'
import { natsStore } from 'hither/nats'
import { startGateway } from 'hither/node'
import { nodeRedisStore } from 'hither/node-redis'
import { tcpStore } from 'hither/tcp'
import { upstashStore } from 'hither/upstash'
import { createClient } from 'redis'
import type { Program } from '../servers/find.ts'
import { startCluster, startServer } from '../servers.ts'
import { ADMIN, dragonfly, elastiCache, without } from './under-rules.ts'

/** A running system, with a store over it. */
export interface Opened {
  readonly store: AtomicStore
  /** Opens a store with a separate connection; absent if the system is in this process. */
  another?(): Promise<AtomicStore>
  /** Whether the store has run operations under WATCH. */
  usesWatch?(): boolean
  close(): Promise<void>
}

export interface System {
  /** The name of its row. */
  readonly name: string
  /** The program that must be on this machine; absent if none is needed. */
  readonly program?: Program
  open(): Promise<Opened>
}

type Open = (url: string) => Promise<AtomicStore> | AtomicStore

/** A system of one server. */
function over(name: string, program: Program, open: Open, args: readonly string[] = []): System {
  return {
    name,
    program,
    async open() {
      const server = await startServer(program, { args })
      try {
        const store = await open(server.url)
        return {
          store,
          another: async () => open(server.url),
          async close() {
            await store.close()
            await server.stop()
          },
        }
      } catch (error) {
        await server.stop()
        throw error
      }
    },
  }
}

function cluster(
  name: string,
  open: (urls: string[]) => Promise<AtomicStore> | AtomicStore,
  args: readonly string[] = [],
): System {
  return {
    name,
    program: 'redis8',
    async open() {
      const { nodes, stop } = await startCluster('redis8', args)
      try {
        const urls = nodes.map(({ url }) => url)
        const store = await open(urls)
        return {
          store,
          another: async () => open(urls),
          async close() {
            await store.close()
            await stop()
          },
        }
      } catch (error) {
        await stop()
        throw error
      }
    },
  }
}

/** Garnet in a mode in which scripts are not atomic. */
const garnetWithoutTransactions: System = {
  name: 'Garnet with `--lua` alone',
  program: 'garnet',
  async open() {
    let isWatching = false
    const onEvent = ({ type }: StoreEvent): void => {
      isWatching ||= type === 'no-scripts'
    }
    const open = (url: string): AtomicStore => tcpStore({ url, onEvent })
    return { ...(await over(this.name, 'garnet', open, ['--lua']).open()), usesWatch: () => isWatching }
  },
}

const gateway: System = {
  name: 'REST: the gateway before Redis 8',
  program: 'redis8',
  async open() {
    const server = await startServer('redis8')
    const started = await startGateway({ redis: server.url })
    const store = upstashStore(started)
    return {
      store,
      another: async () => upstashStore(started),
      async close() {
        await store.close()
        await started.stop()
        await server.stop()
      },
    }
  },
}

const nodeRedis: System = {
  name: 'Redis 8, `hither/node-redis`',
  program: 'redis8',
  async open() {
    const server = await startServer('redis8')
    const client = await createClient({ url: server.url, disableOfflineQueue: true }).connect()
    const store = nodeRedisStore(client)
    return {
      store,
      async close() {
        await store.close()
        await client.close()
        await server.stop()
      },
    }
  },
}

function inProcess(name: string, make: () => AtomicStore): System {
  return {
    name,
    async open() {
      const store = make()
      return { store, close: () => store.close() }
    },
  }
}

const tcp: Open = (url) => tcpStore(url)

export const systems: readonly System[] = [
  over('Redis 7, `hither/tcp`', 'redis7', tcp),
  over('Redis 8, `hither/tcp`', 'redis8', tcp),
  over('Redis 8, `hither/ioredis`', 'redis8', async (url) => ioredisStore(await connect(url))),
  nodeRedis,
  over('Valkey, `hither/tcp`', 'valkey', tcp),
  cluster('Redis Cluster, `hither/tcp`', (urls) => tcpStore(urls)),
  cluster('Redis Cluster, `hither/ioredis`', async (urls) => ioredisStore(await connect(urls))),
  over('Garnet with `--lua --lua-transaction-mode`', 'garnet', tcp, ['--lua', '--lua-transaction-mode']),
  garnetWithoutTransactions,
  over('Garnet without `--lua`', 'garnet', tcp),
  over('Memcached', 'memcached', (url) => memcachedStore({ servers: [url] })),
  over('NATS JetStream', 'nats', (url) => natsStore({ servers: [url], bucket: 'stores', storage: 'memory' })),
  gateway,
  over('DragonflyDB, by rules', 'redis7', dragonfly, without(['FUNCTION', 'FCALL', 'FCALL_RO'])),
  cluster('ElastiCache Serverless, by rules', elastiCache, without(ADMIN)),
  inProcess('`hither/memory`', () => memoryStore()),
  inProcess('`hither/embedded`', () => embeddedStore()),
]
