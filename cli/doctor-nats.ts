import type { NatsConnection } from '@nats-io/nats-core'
import { partsOfNats } from './stores.ts'

/** The state of a bucket before the checks. */
export interface VisitedBucket {
  /** `unknown` if the server was not reached. */
  readonly version: string
  /** Deletes a bucket that was absent before, unless another program has written to it meanwhile. */
  leave(): Promise<void>
}

interface StreamReply {
  readonly config?: object
  readonly state?: { readonly subjects?: Readonly<Record<string, number>> }
  readonly error?: { readonly code?: number }
}

const OPEN_MS = 5000

/** Checks whether the bucket of `nats://user:password@host:port/bucket` exists, since a store creates one that does not. */
export async function visitBucket(url: string, namespace: string): Promise<VisitedBucket> {
  const { servers, bucket, connect: login } = partsOfNats(url)
  const withConnection = async <T>(work: (connection: NatsConnection) => Promise<T>): Promise<T> => {
    const { connect } = await import('@nats-io/transport-node')
    const connection = await connect({ servers, ...login, reconnect: false, timeout: OPEN_MS })
    try {
      return await work(connection)
    } finally {
      await connection.close()
    }
  }
  const ask = async (connection: NatsConnection, verb: string, body = ''): Promise<StreamReply> =>
    (await connection.request(`$JS.API.STREAM.${verb}.KV_${bucket}`, body, { timeout: OPEN_MS })).json<StreamReply>()
  const before = await withConnection(async (connection) => ({
    version: connection.info?.version ?? 'unknown',
    isAbsent: (await ask(connection, 'INFO').catch((): StreamReply => ({}))).error?.code === 404,
  })).catch(() => ({ version: 'unknown', isAbsent: false }))
  return {
    version: before.version,
    async leave() {
      if (!before.isAbsent) return
      await withConnection(async (connection) => {
        const { config, state } = await ask(connection, 'INFO', JSON.stringify({ subjects_filter: '>' }))
        const subjects = Object.keys(state?.subjects ?? {})
        if (config && subjects.every((subject) => subject.includes(namespace))) await ask(connection, 'DELETE')
      })
    },
  }
}
