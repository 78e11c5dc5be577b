import { startDev, startGateway } from 'hither/node'

/** A server that speaks Upstash's REST protocol. */
export interface DevGateway {
  readonly url: string
  readonly token: string
  stop(): Promise<void>
}

/** A gateway to `REDIS_URL`; if that is not set, a development server, which needs no Redis and stores nothing on disk. */
export async function startDevGateway(): Promise<DevGateway> {
  const redis = process.env.REDIS_URL
  const gateway = redis ? await startGateway({ redis }) : await startDev()
  console.log(`${redis ? 'gateway' : 'dev server'} on ${gateway.url}, its token for this run only`)
  return gateway
}
