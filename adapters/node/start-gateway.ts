import { setTimeout as sleep } from 'node:timers/promises'
import { HitherError, isHitherError } from 'hither'
import {
  createGateway,
  type GatewayOptions,
  type GatewayRole,
  type GatewayToken,
  type GatewayTokens,
} from 'hither/gateway'
import { type TlsOptions, tcpStore } from 'hither/tcp'
import { answersInPlainText } from './plain-text.ts'
import { type ServeOptions, serve } from './serve.ts'

export interface StartGatewayOptions extends ServeOptions, Omit<GatewayOptions, 'transport' | 'tokens'> {
  /** The Redis behind the gateway, such as `redis://user:password@127.0.0.1:6379/0`, or `rediss:` for TLS. */
  readonly redis: string
  /** User in place of the one in the url. */
  readonly redisUser?: string
  /** Password in place of the one in the url. */
  readonly redisPassword?: string
  /** Certificates for a `rediss:` server. @default the system's authorities */
  readonly redisTls?: TlsOptions
  /** How long to wait for a Redis that does not respond yet, in milliseconds; `Infinity`: without a limit. @default 0 */
  readonly waitMs?: number
  /** Called once, when the wait begins. */
  readonly onWait?: (error: HitherError) => void
  /** The first token. @default a random one, in the result; none if there are `tokens` */
  readonly token?: string
  /** What `token` may do. @default 'admin', so that a test can empty its database */
  readonly role?: GatewayRole
  /** Further tokens, or all tokens if there is no `token`. */
  readonly tokens?: GatewayOptions['tokens']
}

export interface StartedGateway {
  readonly url: string
  /** Empty if `tokens` was given without `token`. */
  readonly token: string
  /** Waits for requests under way, then ends the connection to Redis. */
  stop(): Promise<void>
}

/** The size of Upstash's largest record. */
const MAX_REPLY_BYTES = 100_000_000
const MAX_ANSWER_BYTES = 134_217_728
const RETRY_MS = 250
/** A TLS connection is usually open by then; if not, check for a server without TLS. In milliseconds. */
const PROBE_AFTER_MS = 500

/**
 * Starts a gateway for one running Redis, served over node:http. Rejects when the port is not available, and with a
 * `HitherError` when there is more than one url (`UNSUPPORTED`), no Redis (`STORE_UNAVAILABLE`, `TIMEOUT`, `BAD_REPLY`),
 * a Redis without TLS at a `rediss:` url (`UNSUPPORTED`) or no access to it (`UNAUTHORIZED`).
 */
export async function startGateway(options: StartGatewayOptions): Promise<StartedGateway> {
  const { redisTls, role = 'admin', tokens, maxAnswerBytes = MAX_ANSWER_BYTES } = options
  const token = options.token ?? (tokens ? '' : crypto.randomUUID())
  const url = withCredentials(options)
  if (/,\s*\w+:\/\//.test(url)) {
    throw new HitherError('UNSUPPORTED', 'the gateway stands before one Redis, not a Cluster: give one url')
  }
  const store = tcpStore({
    url,
    maxReplyBytes: Math.min(MAX_REPLY_BYTES, maxAnswerBytes),
    maxTotalReplyBytes: maxAnswerBytes,
    ...(redisTls ? { tls: redisTls } : {}),
  })
  try {
    const gateway = createGateway({
      ...options,
      transport: store.transport as NonNullable<typeof store.transport>,
      tokens: withToken(token === '' ? undefined : { token, role, name: 'token' }, tokens),
    })
    await waitForRedis(() => store.ready(), url, options)
    const served = await serve(gateway, options)
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

/** The url with `redisUser` and `redisPassword` in it. */
function withCredentials({ redis, redisUser, redisPassword }: StartGatewayOptions): string {
  if (!redisUser && !redisPassword) return redis
  if (!URL.canParse(redis)) return redis
  const url = new URL(redis)
  if (!url.host) throw new HitherError('INVALID_ARGUMENT', 'redisUser and redisPassword go with a url that has a host')
  if (redisUser) url.username = encodeURIComponent(redisUser)
  if (redisPassword) url.password = encodeURIComponent(redisPassword)
  return url.href
}

/** Resolves once Redis responds. Retries only errors that may end by themselves: `STORE_UNAVAILABLE` and `TIMEOUT`. */
async function waitForRedis(
  ready: () => Promise<unknown>,
  url: string,
  { waitMs = 0, onWait }: StartGatewayOptions,
): Promise<void> {
  const until = Date.now() + waitMs
  for (let tries = 0; ; tries++) {
    const ended = new AbortController()
    try {
      await Promise.race([ready(), failInPlainText(url, ended.signal)])
      return
    } catch (error) {
      if (!isHitherError(error) || !/^(STORE_UNAVAILABLE|TIMEOUT)$/.test(error.code)) throw error
      if (Date.now() >= until) throw error
      if (tries === 0) onWait?.(error as HitherError)
      await sleep(RETRY_MS)
    } finally {
      ended.abort()
    }
  }
}

/** Rejects if the server of a TLS url speaks without TLS, which would otherwise look like silence. Else it never settles. */
async function failInPlainText(url: string, ended: AbortSignal): Promise<never> {
  await sleep(PROBE_AFTER_MS, undefined, { signal: ended }).catch(() => {})
  if (!ended.aborted && (await answersInPlainText(url))) {
    throw new HitherError(
      'UNSUPPORTED',
      'the server speaks plain text: is it TLS? redis:// is the scheme of one without',
    )
  }
  return new Promise(() => {})
}

/** The first token and the others as one list, which stays the same object until the tokens change. */
function withToken(
  first: GatewayToken | undefined,
  tokens: GatewayOptions['tokens'] = [],
): NonNullable<GatewayOptions['tokens']> {
  if (!first) return tokens
  if (typeof tokens !== 'function') return [first, ...tokens]
  let seen: GatewayTokens | undefined
  let both: GatewayTokens = []
  return () => {
    const latest = tokens()
    if (latest !== seen) {
      seen = latest
      both = [first, ...latest]
    }
    return both
  }
}
