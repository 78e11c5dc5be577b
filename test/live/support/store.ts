import { connect, ioredisStore } from '../../../adapters/ioredis/index.ts'
import { memcachedStore } from '../../../adapters/memcached/index.ts'
import { natsStore } from '../../../adapters/nats/index.ts'
import { tcpStore } from '../../../adapters/tcp/index.ts'
import { upstashStore } from '../../../adapters/upstash/index.ts'
import type { AtomicStore } from '../../../src/store/store.ts'

/** The address of servers: URLs of Redis, memcached or NATS, or the URL of a gateway with its token. */
export interface Address {
  readonly urls: readonly string[]
  readonly token?: string
  /** Whether to use hither's own TCP client instead of ioredis. */
  readonly byTcp?: boolean
}

/** Opens a store with a separate connection. Resolves once the store is ready. */
export async function openStore(address: Address): Promise<AtomicStore> {
  const store = await openAny(address)
  // On a busy machine the first connection may take longer than the deadline of one call.
  for (let left = 5; ; left--) {
    try {
      await store.ready()
      return store
    } catch (error) {
      if (left === 0) throw error
    }
  }
}

async function openAny({ urls, token, byTcp }: Address): Promise<AtomicStore> {
  const [url = ''] = urls
  if (token) return upstashStore({ url, token })
  if (url.startsWith('memcached:')) return memcachedStore({ servers: urls })
  if (url.startsWith('nats:')) return natsStore({ servers: urls, bucket: 'live', storage: 'memory' })
  if (byTcp) return tcpStore({ url: urls.length > 1 ? urls : url })
  return ioredisStore(await connect(urls))
}
