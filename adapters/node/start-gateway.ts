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
  /** The Redis behind, such as `redis://user:password@127.0.0.1:6379/0`, or `rediss:` for TLS. */
  readonly redis: string
  /** In place of the user of the url. */
  readonly redisUser?: string
  /** In place of the password of the url. */
  readonly redisPassword?: string
  /** What proves a `rediss:` server. @default the system's authorities */
  readonly redisTls?: TlsOptions
  /** How long to wait for a Redis that does not answer yet, in milliseconds; `Infinity`: without an end. @default 0 */
  readonly waitMs?: number
  /** Called once, when the wait begins. */
  readonly onWait?: (error: HitherError) => void
  /** @default a random one, in the result */
  readonly token?: string
  /** What `token` may do. @default 'admin': a test empties its database */
  readonly role?: GatewayRole
  /** Further tokens, or all of them where there is no `token`. */
  readonly tokens?: GatewayOptions['tokens']
}

export interface StartedGateway {
  readonly url: string
  /** Empty where `tokens` were given and no `token`. */
  readonly token: string
  /** Drains, then ends the connection to Redis. */
  stop(): Promise<void>
}

/** As long as Upstash's largest record. */
const MAX_REPLY_BYTES = 100_000_000
const MAX_ANSWER_BYTES = 134_217_728
const RETRY_MS = 250
/** A connection by TLS is open by then, or slow. */
const PROBE_AFTER_MS = 500

/**
 * A gateway before one Redis that runs, served over node:http. Rejects when the port cannot be had, and with a
 * `HitherError` when there is more than one url (`UNSUPPORTED`), no Redis (`STORE_UNAVAILABLE`, `TIMEOUT`, `BAD_REPLY`)
 * or no access to it (`UNAUTHORIZED`).
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

/** The url with the user and the password that stand beside it. */
function withCredentials({ redis, redisUser, redisPassword }: StartGatewayOptions): string {
  if (!redisUser && !redisPassword) return redis
  if (!URL.canParse(redis)) return redis
  const url = new URL(redis)
  if (!url.host) throw new HitherError('INVALID_ARGUMENT', 'redisUser and redisPassword go with a url that has a host')
  if (redisUser) url.username = encodeURIComponent(redisUser)
  if (redisPassword) url.password = encodeURIComponent(redisPassword)
  return url.href
}

/** Resolves once Redis answers; only a Redis that may come up by itself is waited for. */
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

/** Rejects where a server that is called by TLS speaks without it, which would otherwise show as silence; else never settles. */
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

/** One list of both, the same until the tokens change. */
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
