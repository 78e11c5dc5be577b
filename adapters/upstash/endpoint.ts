import { HitherError } from '../../src/errors.ts'
import { ownOf } from '../../src/protocol/arguments.ts'
import type { StoreEvent } from '../../src/store/store.ts'

/** The part of `fetch` that is used. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>

/** The newest sync token seen; shared with a borrowed client, so that each reads what the other wrote. */
export interface Session {
  upstashSyncToken: string
}

/** `RequestCache` of the DOM, which projects for Node alone do not have. */
type CacheMode = 'default' | 'force-cache' | 'no-cache' | 'no-store' | 'only-if-cached' | 'reload'

/** The checked options: where requests go, and how. */
export interface Endpoint {
  readonly url: string
  readonly token: string
  readonly fetch: Fetch
  readonly session: Session
  readonly timeoutMs: number
  readonly maxCallBytes: number
  readonly cache: CacheMode
  /** Called once per request. */
  readonly signal?: (() => AbortSignal) | undefined
}

export interface UpstashCommon {
  /** Used in place of the global `fetch`. It must honour `init.signal` and `init.redirect`. */
  readonly fetch?: Fetch
  /** Deadline of a call that names none, in milliseconds. @default 5000 */
  readonly timeoutMs?: number
  /**
   * Most bytes of the response to one request. A larger response is dropped: its commands ran, and each rejects with
   * `STORE_REJECTED` (`TOOLARGE`). @default 128 MiB, the gateway's own bound
   */
  readonly maxCallBytes?: number
  /**
   * The `cache` of each request. Next makes a page that fetches with `no-store` dynamic. `'default'` leaves the page static, with
   * the values that were read at its build. Never use `'force-cache'` for a store that is written to.
   * @default 'no-store'
   */
  readonly cache?: CacheMode
  /** Permits an `http:` url to a host that is not loopback: the token then travels in the clear. @default false */
  readonly allowInsecure?: boolean
  /** The `syncToken` of another isolate's store: reads here see the writes that it made up to then. */
  readonly syncToken?: string | undefined
  /** Called with what no caller's promise can report. Only the store uses it. */
  readonly onEvent?: (event: StoreEvent) => void
}

export interface UpstashCredentials extends UpstashCommon {
  /** The REST url, such as `https://name.upstash.io`. `undefined`, as an unset variable is, throws `MISSING_CREDENTIALS`. */
  readonly url: string | undefined
  /** The REST token. */
  readonly token: string | undefined
  readonly client?: never
}

/**
 * A client of `@upstash/redis`, by shape. Only its url, token and sync token are used; it makes no requests. So its `retry`,
 * `automaticDeserialization`, `responseEncoding` and auto-pipelining have no effect on the store.
 */
export interface UpstashClientLike {
  createScript(script: string): unknown
}

export interface UpstashClient extends UpstashCommon {
  readonly client: UpstashClientLike
  readonly url?: never
  readonly token?: never
}

export type UpstashOptions = UpstashCredentials | UpstashClient

/** The inner client of a client of `@upstash/redis` 1.x. */
interface HttpClient extends Session {
  readonly baseUrl?: unknown
  readonly headers?: { readonly authorization?: string }
  readonly readYourWrites?: boolean
  readonly options?: { readonly signal?: unknown; readonly backend?: unknown; readonly agent?: unknown }
}

const PLAIN_REMOTE = /^http:\/\/(?!(127(\.\d+){3}|\[::1\]|([^/:]+\.)?localhost)[:/])/

/**
 * Checks what can be checked before a request; throws as `upstashStore` does. Ignores unknown options, so that the result of
 * `startGateway` can be passed as it is.
 */
export function endpointOf(given?: UpstashOptions, prefix = ''): Endpoint {
  const options = ownOf(given) as UpstashOptions
  const {
    timeoutMs = 5000,
    maxCallBytes = 134_217_728,
    cache = 'no-store',
    syncToken,
    fetch: own = (to, init) => fetch(to, init),
    client,
  } = options
  if (!(timeoutMs > 0)) throw new HitherError('INVALID_DURATION', 'timeoutMs is a number above 0')
  if (!(maxCallBytes > 0)) throw new HitherError('INVALID_ARGUMENT', 'maxCallBytes is a number above 0')
  const { url, token, session, signal } = client ? fromClient(client) : { ...options, session: {} as Session }
  session.upstashSyncToken = checkHeader(syncToken || session.upstashSyncToken || '', 'sync token')
  return {
    url: checkUrl(required(url, prefix, 'URL'), options.allowInsecure === true),
    token: checkHeader(required(token, prefix, 'TOKEN'), 'token'),
    session,
    timeoutMs,
    maxCallBytes,
    cache,
    signal,
    fetch: own,
  }
}

type Source = { url: string | undefined; token: string | undefined } & Pick<Endpoint, 'session' | 'signal'>

function fromClient({ client: http }: UpstashClientLike & { readonly client?: HttpClient }): Source {
  const { baseUrl, headers, options = {} } = http ?? {}
  const { signal, backend, agent } = options
  const fault =
    typeof baseUrl !== 'string' || !headers
      ? 'no url'
      : signal && typeof signal !== 'function'
        ? 'a fixed `signal`'
        : backend || agent || Object.hasOwn(http as object, 'request')
          ? '`agent`, `backend` or `use()`'
          : ''
  if (fault) throw new HitherError('UNSAFE_CLIENT', `this client has ${fault}: pass { url, token, fetch }`)
  return {
    url: baseUrl as string,
    token: headers?.authorization?.replace(/^Bearer (undefined$)?/, ''),
    session: http?.readYourWrites === false ? ({} as Session) : (http as HttpClient),
    signal: signal as Endpoint['signal'],
  }
}

function required(value: string | undefined, prefix: string, what: 'URL' | 'TOKEN'): string {
  if (value && typeof value === 'string') return value
  throw new HitherError(
    'MISSING_CREDENTIALS',
    `set ${prefix}UPSTASH_REDIS_REST_${what} or ${prefix}KV_REST_API_${what}`,
  )
}

function checkUrl(text: string, allowInsecure?: boolean): string {
  let url = ''
  try {
    url = new URL(text).href
  } catch {
    // Thrown below, without quoting the url.
  }
  if (!/^https?:[^@?#]+$/.test(url)) {
    throw new HitherError('INVALID_URL', 'a url is https://<host>, without user, query or fragment')
  }
  if (!allowInsecure && PLAIN_REMOTE.test(url)) {
    throw new HitherError('INSECURE_URL', 'http: shows the token: use https:, or allowInsecure')
  }
  let end = url.length
  while (url[end - 1] === '/') end--
  return url.slice(0, end)
}

/** Returns a token that came from elsewhere if it can be a header value. Throws `INVALID_ARGUMENT` otherwise. */
export function checkHeader(value: string, what: string): string {
  if (/^[!-~]*$/.test(value)) return value
  throw new HitherError('INVALID_ARGUMENT', `the ${what} holds a character no header can carry`)
}
