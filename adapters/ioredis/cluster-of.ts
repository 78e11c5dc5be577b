import { reconnectDelay } from '../../src/runtime/backoff.ts'
import type { IoredisLike, Peer } from './client.ts'
import { loadIoredis } from './package.ts'

/** `dnsLookup` of a Cluster over TLS. It keeps host names as they are, so that a certificate can be checked against them. */
export function keepName(address: string, done: (error: null, address: string) => void): void {
  done(null, address)
}

/**
 * A Cluster client with the connection options of `client`, a client of one server that replied MOVED, and so is a node of a
 * Cluster. Rejects with `UNSUPPORTED` when ioredis is not installed.
 */
export async function clusterOf(client: Peer): Promise<IoredisLike> {
  const { Cluster } = await loadIoredis('a Cluster')
  const { host, port, db, path, sentinels, stringNumbers, natMap, ...node } = client.options
  return new Cluster([{ host, port }], {
    clusterRetryStrategy: reconnectDelay,
    enableAutoPipelining: false,
    enableOfflineQueue: false,
    retryDelayOnFailover: 0,
    ...(natMap ? { natMap } : {}),
    ...(node.tls ? { dnsLookup: keepName } : {}),
    // A Cluster connects to each node when it is first needed.
    redisOptions: { ...node, lazyConnect: true, enableOfflineQueue: true, maxRetriesPerRequest: 0 },
  })
}
