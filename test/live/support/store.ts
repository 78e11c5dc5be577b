import { connect, ioredisStore } from '../../../adapters/ioredis/index.ts'
import { upstashStore } from '../../../adapters/upstash/index.ts'
import type { AtomicStore } from '../../../src/store/store.ts'

/** Where a server is: URLs of Redis, or of a gateway with its token. */
export interface Address {
  readonly urls: readonly string[]
  readonly token?: string
}

/** A store on a connection of its own, once it answers. */
export async function openStore({ urls, token }: Address): Promise<AtomicStore> {
  const store = token ? upstashStore({ url: urls[0] as string, token }) : ioredisStore(await connect(urls))
  await store.ready()
  return store
}
