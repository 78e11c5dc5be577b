import { startDev, startGateway } from 'hither/node'

/** Something that speaks Upstash's REST protocol. */
export interface DevGateway {
  readonly url: string
  readonly token: string
  stop(): Promise<void>
}

/** A gateway before `REDIS_URL`; without it a development server, which needs no Redis and keeps nothing. */
export async function startDevGateway(): Promise<DevGateway> {
  const redis = process.env.REDIS_URL
  const gateway = redis ? await startGateway({ redis }) : await startDev()
  console.log(`${redis ? 'gateway' : 'dev server'} on ${gateway.url}, its token for this run only`)
  return gateway
}
