import {
  type Call,
  type Command,
  type CommandStore,
  HitherError,
  type Transport,
  type Wire,
  type WithoutChannels,
} from 'hither'
import { type TransportStoreOptions, transportStore } from 'hither/tcp'
import type { ObjectNamespace } from './object-store.ts'
import { checkNames } from './options.ts'
import type { RedisObject } from './redis-object.ts'
import { type RedisAnswer, type RedisCall, repliesOf } from './redis-reply.ts'

export interface RedisObjectStoreOptions extends TransportStoreOptions {
  /**
   * Number of objects that isolates are spread over. Each has its own connections, and takes about 1,000 requests a second
   * (https://developers.cloudflare.com/durable-objects/platform/limits/). The number may change at any time. @default 1
   */
  readonly objects?: number
  /** Region for a new object, such as `'weur'`: choose one near the Redis. @default near the first Worker that calls it */
  readonly locationHint?: string
}

const KNOWN = ['objects', 'locationHint', 'maxKeyBytes', 'maxValueBytes', 'timeoutMs', 'onEvent']

type Remote = Pick<RedisObject, 'exchange'>

/**
 * A store over the connection that Durable Objects of the class `RedisObject` keep open, so that a Worker opens no connection
 * for a request. Calls of one tick go to the object in one message, and the object writes them together. It cannot subscribe or
 * scan. Throws `INVALID_ARGUMENT`. Rejects as `tcpStore` does; a message that the object did not answer rejects with
 * `STORE_UNAVAILABLE` and `maybeExecuted`.
 */
export function redisObjectStore(
  namespace: ObjectNamespace,
  options: RedisObjectStoreOptions = {},
): CommandStore & WithoutChannels {
  checkNames('redisObjectStore', options, KNOWN)
  const { objects = 1, locationHint, ...rest } = options
  if (typeof namespace?.idFromName !== 'function') {
    throw new HitherError(
      'INVALID_ARGUMENT',
      'redisObjectStore takes a namespace of Durable Objects, such as env.REDIS_OBJECT',
    )
  }
  if (!(Number.isInteger(objects) && objects > 0 && objects <= 1000)) {
    throw new HitherError('INVALID_ARGUMENT', 'objects is a whole number from 1 to 1000')
  }
  if (locationHint !== undefined && typeof locationHint !== 'string') {
    throw new HitherError('INVALID_ARGUMENT', "locationHint is a name, such as 'weur'")
  }
  // The name is chosen at the first request: Workers give no random numbers before it.
  let name: string | undefined
  const ask = async (call: RedisCall): Promise<RedisAnswer> => {
    try {
      name ??= `hither:redis:${Math.floor(Math.random() * objects)}`
      const id = namespace.idFromName(name)
      const remote = namespace.get(id as never, locationHint ? { locationHint } : undefined) as Remote
      return await remote.exchange(call)
    } catch (cause) {
      throw new HitherError('STORE_UNAVAILABLE', 'the Durable Object did not answer, see cause', {
        cause,
        retryable: true,
        maybeExecuted: true,
      })
    }
  }
  return { ...transportStore(createTransport(ask), rest), name: 'redis-object' }
}

/** A caller stops waiting at its deadline or when its signal aborts. The message already sent to the object runs on. */
function createTransport(ask: (call: RedisCall) => Promise<RedisAnswer>): Transport {
  let closed = false
  const exchange = async (
    way: RedisCall['way'],
    commands: readonly Command[],
    { signal, deadline, bytes = false }: Call = {},
  ): Promise<readonly Wire[]> => {
    signal?.throwIfAborted()
    if (closed) throw new HitherError('CLOSED', 'the transport is closed')
    const patienceMs = deadline === undefined || deadline > 1e15 ? undefined : deadline - Date.now()
    if (patienceMs !== undefined && !(patienceMs > 0)) throw timedOut(false)
    const call = { way, commands, bytes, ...(patienceMs === undefined ? {} : { patienceMs }) }
    return repliesOf(await orLeave(ask(call), signal, patienceMs))
  }
  return {
    async send(command, call) {
      return (await exchange('send', [command], call))[0] ?? null
    },
    sendMany: async (commands, call) => (commands.length === 0 ? [] : exchange('sendMany', commands, call)),
    transaction: (commands, call) => exchange('transaction', commands, call),
    async close() {
      closed = true
    },
  }
}

function orLeave<T>(work: Promise<T>, signal: AbortSignal | undefined, ms: number | undefined): Promise<T> {
  if (!signal && ms === undefined) return work
  return new Promise((resolve, reject) => {
    const leave = (): void => reject(signal?.reason)
    const timer = ms === undefined ? undefined : setTimeout(() => reject(timedOut(true)), Math.min(ms, 2 ** 31 - 1))
    signal?.addEventListener('abort', leave)
    const end = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', leave)
    }
    work.then(resolve, reject).then(end)
  })
}

function timedOut(maybeExecuted: boolean): HitherError {
  return new HitherError('TIMEOUT', 'no reply before the deadline', { retryable: true, maybeExecuted })
}
