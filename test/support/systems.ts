import { memcachedStore } from '../../adapters/memcached/index.ts'
import { natsStore } from '../../adapters/nats/index.ts'
import type { Program } from '../../scripts/servers/find.ts'
import { type Server, startServer } from '../../scripts/servers.ts'
import type { AtomicStore } from '../../src/index.ts'

/** A system other than Redis. Its servers are started when the first store is opened. */
export interface System {
  readonly name: string
  open(): Promise<AtomicStore>
  close(): Promise<void>
}

function system(name: string, program: Program, servers: number, store: (urls: string[]) => AtomicStore): System {
  let started: Promise<Server[]> | undefined
  return {
    name,
    async open() {
      started ??= Promise.all(Array.from({ length: servers }, () => startServer(program)))
      return store((await started).map(({ url }) => url))
    },
    async close() {
      await Promise.all(((await started) ?? []).map((server) => server.stop()))
    },
  }
}

/** Makes the systems. Each test file makes them for itself, so that it has its own servers. */
export const systems = (): readonly System[] => [
  system('memcached 1.6.18', 'memcached16', 1, (servers) => memcachedStore({ servers })),
  system('NATS', 'nats', 1, (servers) => natsStore({ servers, bucket: 'hither', storage: 'memory' })),
  system('memcached, three servers', 'memcached', 3, (servers) => memcachedStore({ servers })),
]
