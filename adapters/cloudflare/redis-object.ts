import { DurableObject } from 'cloudflare:workers'
import { HitherError, type Wire } from 'hither'
import { type TcpTransport, type TcpTransportOptions, tcpTransport } from 'hither/tcp'
import { type RedisAnswer, type RedisCall, toFault, toPlain } from './redis-reply.ts'

/**
 * Most bytes of the replies to one call. They must fit one message of the platform, 32 MiB, in which text may take two bytes
 * a character.
 */
const MAX_CALL_BYTES = 14_000_000

/**
 * The Durable Object behind `redisObjectStore`. It keeps a connection to a Redis, Valkey or Cluster open between the requests of
 * Workers, and shares it among them. Export it from the Worker and name it in `wrangler.toml`. At the first call it connects
 * to `env.REDIS_URL`, a secret. For another name or other options, extend the class and pass them to `super`.
 */
export class RedisObject extends DurableObject {
  readonly #redis: TcpTransportOptions
  #transport: TcpTransport | undefined
  constructor(
    state: DurableObjectState,
    env: unknown,
    redis: TcpTransportOptions = { url: (env as { readonly REDIS_URL?: string } | undefined)?.REDIS_URL ?? '' },
  ) {
    super(state, env)
    this.#redis = redis
  }
  /** For `redisObjectStore` alone. Errors of hither come as data in the resolved answer, see `toFault`. */
  async exchange(call: RedisCall): Promise<RedisAnswer> {
    const { way, commands, bytes, patienceMs } = call
    try {
      this.#transport ??= open(this.#redis)
      const deadline = patienceMs === undefined ? {} : { deadline: Date.now() + patienceMs }
      return { replies: (await exchangeOver(this.#transport, way, commands, { ...deadline, bytes })).map(toPlain) }
    } catch (error) {
      return toFault(error)
    }
  }
}

function open(redis: TcpTransportOptions): TcpTransport {
  if (redis.url === '') {
    throw new HitherError('INVALID_URL', 'RedisObject has no url: set the secret REDIS_URL, or pass options to super')
  }
  return tcpTransport({ maxCallBytes: MAX_CALL_BYTES, maxReplyBytes: MAX_CALL_BYTES, ...redis })
}

async function exchangeOver(
  transport: TcpTransport,
  way: RedisCall['way'],
  commands: RedisCall['commands'],
  call: { readonly deadline?: number; readonly bytes: boolean },
): Promise<readonly Wire[]> {
  const [first] = commands
  if (way === 'send') return first ? [await transport.send(first, call)] : []
  return transport[way](commands, call)
}
