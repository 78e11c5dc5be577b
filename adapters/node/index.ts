import { HitherError } from 'hither'
import {
  createGateway,
  type GatewayOptions,
  type GatewayRole,
  type GatewayToken,
  type GatewayTokens,
} from 'hither/gateway'
import { type TlsOptions, tcpStore } from 'hither/tcp'
import { type ServeOptions, serve } from './serve.ts'

export { type Served, type ServeOptions, serve } from './serve.ts'
export { parseTokens, type TokenFile, tokensFromFile } from './tokens.ts'

export interface StartGatewayOptions extends ServeOptions, Omit<GatewayOptions, 'transport' | 'tokens'> {
  /** The Redis behind, such as `redis://user:password@127.0.0.1:6379/0`, or `rediss:` for TLS. */
  readonly redis: string
  /** What proves a `rediss:` server. @default the system's authorities */
  readonly redisTls?: TlsOptions
  /** @default a random one, in the result */
  readonly token?: string
  /** What `token` may do. @default 'admin': a test empties its database */
  readonly role?: GatewayRole
  /** Further tokens, or all of them where there is no `token`. */
  readonly tokens?: GatewayOptions['tokens']
}

export interface StartedGateway {
  readonly url: string
  /** Empty where `tokens` were given and no `token`. */
  readonly token: string
  /** Drains, then ends the connection to Redis. */
  stop(): Promise<void>
}

/** As long as Upstash's largest record. */
const MAX_REPLY_BYTES = 100_000_000

/**
 * A gateway of one's own, for a test or for development, before one Redis that runs. Rejects when the port cannot be
 * had, and with a `HitherError` when there is more than one url (`UNSUPPORTED`), no Redis
 * (`STORE_UNAVAILABLE`, `TIMEOUT`, `BAD_REPLY`) or no access to it (`UNAUTHORIZED`).
 */
export async function startGateway(options: StartGatewayOptions): Promise<StartedGateway> {
  const { redis, redisTls, role = 'admin', tokens } = options
  const token = options.token ?? (tokens ? '' : crypto.randomUUID())
  if (/,\s*(redis|valkey)s?:/.test(redis)) {
    throw new HitherError('UNSUPPORTED', 'the gateway stands before one Redis, not a Cluster: give one url')
  }
  const store = tcpStore({ url: redis, maxReplyBytes: MAX_REPLY_BYTES, ...(redisTls ? { tls: redisTls } : {}) })
  try {
    const gateway = createGateway({
      ...options,
      transport: store.transport as NonNullable<typeof store.transport>,
      tokens: withToken(token === '' ? undefined : { token, role, name: 'token' }, tokens),
    })
    await store.ready()
    const served = await serve(gateway, options)
    return {
      url: served.url,
      token,
      async stop() {
        await served.stop()
        await store.close()
      },
    }
  } catch (error) {
    await store.close()
    throw error
  }
}

/** One list of both, the same until the tokens change. */
function withToken(
  first: GatewayToken | undefined,
  tokens: GatewayOptions['tokens'] = [],
): NonNullable<GatewayOptions['tokens']> {
  if (!first) return tokens
  if (typeof tokens !== 'function') return [first, ...tokens]
  let seen: GatewayTokens | undefined
  let both: GatewayTokens = []
  return () => {
    const latest = tokens()
    if (latest !== seen) {
      seen = latest
      both = [first, ...latest]
    }
    return both
  }
}
