import type { AtomicStore } from 'hither'
import { connect, ioredisStore } from 'hither/ioredis'
import { memoryStore } from 'hither/memory'
import { fromEnv } from 'hither/upstash'
import { STORE_LIMIT_MS } from '../app/app.ts'

export interface ChosenStore {
  readonly store: AtomicStore
  /** What the store is and which variable chose it, for a person to read. No address, which may contain a password. */
  readonly label: string
}

/** Timeout of a call without a deadline. */
const options = { timeoutMs: STORE_LIMIT_MS }

/** The store that an environment names: `REDIS_URL`, or `UPSTASH_REDIS_REST_URL` or `KV_REST_API_URL` with its token, or memory. */
export async function storeFrom(env: Readonly<Record<string, string | undefined>>): Promise<ChosenStore> {
  if (env.REDIS_URL)
    return { store: ioredisStore(await connect(env.REDIS_URL), options), label: 'Redis over TCP, by REDIS_URL' }
  const rest = ['UPSTASH_REDIS_REST_URL', 'UPSTASH_REDIS_REST_TOKEN', 'KV_REST_API_URL', 'KV_REST_API_TOKEN']
  const found = rest.find((name) => env[name])
  if (found) return { store: fromEnv(env, options), label: `Redis over REST, by ${found.replace('TOKEN', 'URL')}` }
  return {
    store: memoryStore({ maxBytes: 64_000_000 }),
    label: 'memory; set REDIS_URL or UPSTASH_REDIS_REST_URL for a shared one',
  }
}
