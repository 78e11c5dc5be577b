import { createGateway } from 'hither/gateway'
import { connect, ioredisTransport } from 'hither/ioredis'
import { serve } from './serve.ts'

export { type Served, type ServeOptions, serve } from './serve.ts'

export interface StartGatewayOptions {
  /** The Redis behind, such as `redis://127.0.0.1:6379`; needs the package `ioredis`. */
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

/** A gateway of one's own for a test or for development, before a Redis that runs. */
export async function startGateway(options: StartGatewayOptions): Promise<StartedGateway> {
  const { redis, token = crypto.randomUUID(), port = 0, host = '127.0.0.1' } = options
  const transport = ioredisTransport(await connect(redis))
  try {
    const served = await serve(createGateway({ transport, tokens: [token] }), { port, host })
    return {
      url: served.url,
      token,
      async stop() {
        await served.stop()
        await transport.close()
      },
    }
  } catch (error) {
    await transport.close()
    throw error
  }
}
