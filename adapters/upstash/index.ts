import { REQUEST_SCOPED } from '../../src/runtime/background.ts'
import { createCommandStore } from '../../src/store/command-store.ts'
import { createPermits } from '../../src/store/permits.ts'
import { KEY_LOCKING_PRELUDE } from '../../src/store/script-flags.ts'
import type { CommandStore } from '../../src/store/store.ts'
import type { Transport } from '../../src/store/transport.ts'
import {
  checkHeader,
  type Endpoint,
  endpointOf,
  type UpstashCommon,
  type UpstashCredentials,
  type UpstashOptions,
} from './endpoint.ts'
import { createTransport } from './transport.ts'

export type {
  Fetch,
  UpstashClient,
  UpstashClientLike,
  UpstashCommon,
  UpstashCredentials,
  UpstashOptions,
} from './endpoint.ts'

/** Carries read-your-writes over to another isolate. */
export interface Synced {
  /**
   * The newest `upstash-sync-token` seen, `''` before the first reply: it marks where this side's writes end. Assign the token of
   * another isolate, and reads here see its writes. Text that cannot be a header value throws `INVALID_ARGUMENT`.
   */
  syncToken: string
}

export interface UpstashStore extends CommandStore, Synced {}
export interface UpstashTransport extends Transport, Synced {}

/** Sends raw commands to an Upstash REST endpoint. Throws at once as `upstashStore` does. */
export function upstashTransport(options: UpstashOptions): UpstashTransport {
  const endpoint = endpointOf(options)
  return synced(createTransport(endpoint), endpoint.session)
}

/**
 * A store over the Upstash REST protocol: Upstash itself, or `hither gateway` before any Redis. Calls of one tick are
 * one request. Needs `fetch` and nothing else.
 *
 * Throws at once: `MISSING_CREDENTIALS`, `INVALID_URL`, `INSECURE_URL` (an `http:` url to a host that is not
 * loopback), `INVALID_ARGUMENT` (a token no header can carry), `UNSAFE_CLIENT` (a client with a setting that cannot be
 * made safe, named in the message). An error that only the server can find comes from the first call, or `ready()`.
 */
export function upstashStore(options: UpstashOptions): UpstashStore {
  return storeAt(endpointOf(options), options)
}

/**
 * Most requests under way per store, on runtimes where a process outlives its requests. `fetch` opens a connection for each, and
 * a process may be limited to about a thousand open files.
 */
const MAX_REQUESTS = 32

function storeAt(endpoint: Endpoint, { onEvent }: UpstashCommon): UpstashStore {
  const store = createCommandStore({
    name: 'upstash',
    traits: {
      shared: true,
      ttlStepMs: 1,
      maxKeyBytes: 1024,
      maxValueBytes: 8_388_608,
      clock: 'server',
      consistency: 'session',
    },
    transport: createTransport(endpoint),
    timeoutMs: endpoint.timeoutMs,
    prelude: KEY_LOCKING_PRELUDE,
    // Not on Workers: there the reply to one request would have to start the `fetch` of another, which is not allowed.
    permits: REQUEST_SCOPED ? undefined : createPermits(MAX_REQUESTS),
    onEvent,
  })
  return synced(store, endpoint.session)
}

/**
 * A store with the credentials of an environment: `process.env`, a Worker's `env`, Hono's `c.env`. Reads
 * `UPSTASH_REDIS_REST_URL` and `UPSTASH_REDIS_REST_TOKEN`, or else `KV_REST_API_URL` and `KV_REST_API_TOKEN`, never one
 * of each pair. Throws as `upstashStore`. `prefix` is put before each name, as platforms do for a second
 * database: `CART` reads `CART_UPSTASH_REDIS_REST_URL` or `CART_KV_REST_API_URL`, and no name without it.
 */
export function fromEnv(
  env: object | undefined,
  { prefix = '', ...options }: UpstashCommon & { readonly prefix?: string } = {},
): UpstashStore {
  const start = prefix && !prefix.endsWith('_') ? `${prefix}_` : prefix
  const pair = (name: string): UpstashCredentials => {
    const all = env as Readonly<Record<string, string>> | undefined
    return { ...options, url: all?.[`${start}${name}URL`], token: all?.[`${start}${name}TOKEN`] }
  }
  const first = pair('UPSTASH_REDIS_REST_')
  return storeAt(endpointOf(first.url || first.token ? first : pair('KV_REST_API_'), start), options)
}

function synced<T extends object>(target: T, session: { upstashSyncToken: string }): T & Synced {
  return Object.defineProperty(target, 'syncToken', {
    get: () => session.upstashSyncToken,
    set: (token: string) => {
      session.upstashSyncToken = checkHeader(token, 'sync token')
    },
  }) as T & Synced
}
