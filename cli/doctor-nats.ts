import type { NatsConnection } from '@nats-io/nats-core'
import { partsOfNats } from './stores.ts'

/** The state of a bucket before the checks. */
export interface VisitedBucket {
  /** `unknown` if the server was not reached. */
  readonly version: string
  /** What ends a key before its lifetime does; empty: nothing. */
  readonly ends: string
  /** Deletes a bucket that was absent before, unless another program has written to it meanwhile. */
  leave(): Promise<void>
}

interface StreamConfig {
  /** In nanoseconds. */
  readonly max_age?: number
  readonly discard?: string
  readonly max_bytes?: number
  readonly max_msgs?: number
}

interface StreamReply {
  readonly config?: StreamConfig
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
  const before = await withConnection(async (connection) => {
    const { error, config } = await ask(connection, 'INFO').catch((): StreamReply => ({}))
    return { version: connection.info?.version ?? 'unknown', isAbsent: error?.code === 404, ends: endsOf(config) }
  }).catch(() => ({ version: 'unknown', isAbsent: false, ends: '' }))
  return {
    version: before.version,
    ends: before.ends,
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

function endsOf({ max_age = 0, discard, max_bytes = -1, max_msgs = -1 }: StreamConfig = {}): string {
  if (max_age > 0) return `the bucket ends each key after ${max_age / 1e9} s (max_age)`
  return discard === 'old' && Math.max(max_bytes, max_msgs) > 0
    ? 'the bucket drops its oldest keys when it is full'
    : ''
}
