import type { MsgHdrs, NatsConnection } from '@nats-io/nats-core'
import { HitherError, isHitherError } from '../../src/errors.ts'
import { elapsedMs, now } from '../../src/runtime/clock.ts'
import { within } from '../../src/runtime/deadline.ts'
import { random } from '../../src/runtime/random.ts'
import type { CallLimits } from '../../src/store/swap.ts'
import { type Bucket, openBucket } from './bucket.ts'
import type { Checked } from './options.ts'
import { createRequests, type Requests, unauthorized, unavailable } from './requests.ts'

/** A connection that is open, the bucket on it, and how messages go out. */
export interface Opened {
  readonly connection: NatsConnection
  readonly bucket: Bucket
  readonly publish: Requests['publish']
}

export interface Connector {
  /** What is open, else the attempt at hand: calls share it. */
  open(limits: CallLimits): Opened | Promise<Opened>
  /** Closes what it opened; leaves a lent connection open. */
  close(): Promise<void>
}

/** How long a server may not answer before its connection counts as dead, in milliseconds: three pings. */
const PING_MS = 2000
const MAX_BACKOFF_MS = 400
const OPEN_MS = 5000

interface Parts {
  readonly connection: NatsConnection
  readonly headers: () => MsgHdrs
  readonly requests: Requests
}

/** Opens at the first call, and again at the next call after an attempt that failed or a connection that was closed. */
export function createConnector(options: Checked): Connector {
  let parts: Promise<Parts> | undefined
  let opened: Opened | undefined
  let opening: Promise<Opened> | undefined
  let requests: Requests | undefined
  let retryAt = 0
  let fault: unknown
  let closed: HitherError | undefined

  const attempt = async (): Promise<Opened> => {
    try {
      const limits = { deadline: now() + OPEN_MS, signal: undefined }
      parts ??= connect(options, () => {
        opened = undefined
      })
      const made = await parts
      const { connection } = made
      requests = made.requests
      if (closed) throw closed
      const bucket = await openBucket(options, made, limits)
      opened = { connection, bucket, publish: made.requests.publish }
      return opened
    } catch (error) {
      fault = isHitherError(error) ? error : translated(error)
      // One that is open and waits for its server is not opened twice.
      if (
        !requests ||
        (await parts?.then(
          ({ connection }) => connection.isClosed(),
          () => true,
        ))
      )
        parts = undefined
      retryAt = elapsedMs() + Math.ceil(random() * MAX_BACKOFF_MS)
      throw fault
    } finally {
      opening = undefined
    }
  }
  return {
    open({ deadline, signal }) {
      if (closed) throw closed
      if (opened?.connection.isClosed() && !options.connection) {
        opened = undefined
        parts = undefined
      }
      if (opened) return opened
      if (!opening && elapsedMs() < retryAt) throw fault
      opening ??= attempt()
      opening.catch(() => {})
      return within(opening, { deadline, signals: signal ? [signal] : [] })
    },
    async close() {
      if (closed) return
      closed = new HitherError('CLOSED', 'the store is closed')
      const made = await parts?.catch(() => undefined)
      made?.requests.end(closed)
      if (!options.connection) await made?.connection.close()
    },
  }
}

async function connect(options: Checked, onGone: () => void): Promise<Parts> {
  const { connection: lent, servers, isWeb } = options
  const core = await import('@nats-io/nats-core')
  const dial = lent || isWeb ? core.wsconnect : (await import('@nats-io/transport-node')).connect
  const { reconnectTimeWait = 200, reconnectJitter = 200, reconnectDelayHandler } = options.connect
  const settings = {
    ...{ maxReconnectAttempts: -1, pingInterval: PING_MS, timeout: OPEN_MS },
    ...options.connect,
    servers: [...servers],
    reconnectDelayHandler() {
      // The client has one kind of socket for all connections of a process: that of the last connect. Otherwise one over WebSocket
      // would go on over TCP, and never get through. A connect that is refused for its options makes the kind ours again.
      dial({ servers: 'none', port: 1 }).catch(() => {})
      return reconnectDelayHandler?.() ?? reconnectTimeWait + Math.floor(random() * reconnectJitter)
    },
  }
  const connection = lent ?? (await dial(settings))
  return {
    connection,
    headers: () => core.headers(),
    requests: createRequests(connection, core.createInbox(), onGone),
  }
}

interface Fault {
  readonly name?: string
  readonly code?: string
  readonly cause?: { readonly code?: string }
}

function translated(error: unknown): HitherError {
  const { name = '', code = '', cause } = (error ?? {}) as Fault
  if (/^(Authorization|UserAuthenticationExpired|PermissionViolation)Error$/.test(name)) return unauthorized(error)
  if (code === 'ERR_MODULE_NOT_FOUND') {
    const packages = '@nats-io/nats-core, and for nats:// urls @nats-io/transport-node'
    return new HitherError('UNSUPPORTED', `hither/nats needs ${packages}: npm install them`, { cause: error })
  }
  // Only a code or a name: a message may quote what was sent.
  return unavailable(`not connected (${code || cause?.code || name})`, error)
}
