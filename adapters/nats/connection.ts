import type { MsgHdrs, NatsConnection } from '@nats-io/nats-core'
import { HitherError, isHitherError } from '../../src/errors.ts'
import { elapsedMs, now } from '../../src/runtime/clock.ts'
import { within } from '../../src/runtime/deadline.ts'
import { random } from '../../src/runtime/random.ts'
import { connectHint } from '../../src/store/connect-hint.ts'
import type { CallLimits } from '../../src/store/swap.ts'
import { type Bucket, openBucket } from './bucket.ts'
import type { Checked } from './options.ts'
import { createRequests, type Requests, unauthorized, unavailable } from './requests.ts'

/** An open connection, the bucket on it, and its function for messages. */
export interface Opened {
  readonly connection: NatsConnection
  readonly bucket: Bucket
  readonly publish: Requests['publish']
}

export interface Connector {
  /** Returns the open connection, else the attempt under way, which calls share. */
  open(limits: CallLimits): Opened | Promise<Opened>
  /** Closes the connection if this connector opened it; a connection that the user passed stays open. */
  close(): Promise<void>
}

/** Interval of the client's pings, in milliseconds. The connection counts as dead after three without a reply. */
const PING_MS = 2000
const MAX_BACKOFF_MS = 400
const OPEN_MS = 5000

interface Parts {
  readonly connection: NatsConnection
  readonly headers: () => MsgHdrs
  readonly requests: Requests
}

/** Connects at the first call, and again at the next call after a failed attempt or a closed connection. */
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
      // A connection that is open and waits for its server is kept; a second one is not opened.
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
      // The client has one kind of socket for all connections of a process: that of the last connect. So a connection over
      // WebSocket would reconnect over TCP and never succeed. A connect that fails for its options sets the kind back to ours.
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
  // Names only a code or an error name: a message may quote what was sent.
  const reason = code || cause?.code || name
  const mend =
    connectHint(reason)?.replaceAll('tls.', 'connect.tls.') ?? 'check that the server runs, and servers and connect.tls'
  return unavailable(`not connected (${reason}): ${mend}`, error)
}
