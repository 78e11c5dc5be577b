import { HitherError } from 'hither'
import { createGateway } from 'hither/gateway'
import { tcpStore } from 'hither/tcp'
import { serve } from './serve.ts'

export { type Served, type ServeOptions, serve } from './serve.ts'

export interface StartGatewayOptions {
  /** The Redis behind, such as `redis://user:password@127.0.0.1:6379/0`, or `rediss:` for TLS. */
  readonly redis: string
  /** @default a random one, in the result */
  readonly token?: string
  /** @default a free one */
  readonly port?: number
  /** @default '127.0.0.1' */
  readonly host?: string
}

export interface StartedGateway {
  readonly url: string
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
  const { redis, token = crypto.randomUUID(), port = 0, host = '127.0.0.1' } = options
  if (redis.includes(',')) {
    throw new HitherError('UNSUPPORTED', 'the gateway stands before one Redis, not a Cluster: give one url')
  }
  const store = tcpStore({ url: redis, maxReplyBytes: MAX_REPLY_BYTES })
  try {
    const gateway = createGateway({
      transport: store.transport as NonNullable<typeof store.transport>,
      tokens: [token],
    })
    await store.ready()
    const served = await serve(gateway, { port, host })
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
