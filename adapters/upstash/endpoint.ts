import { HitherError } from '../../src/errors.ts'

/** The part of `fetch` that is used. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>

/** The newest sync token seen; shared with a borrowed client, so that each reads what the other wrote. */
export interface Session {
  upstashSyncToken: string
}

/** Where requests go, checked. */
export interface Endpoint {
  readonly url: string
  readonly token: string
  readonly fetch: Fetch
  readonly session: Session
  readonly timeoutMs: number
  /** Asked once per request. */
  readonly signal?: (() => AbortSignal) | undefined
}

export interface UpstashCommon {
  /** Used in place of the global `fetch`. It must honour `init.signal` and `init.redirect`. */
  readonly fetch?: Fetch
  /** Deadline of a call that names none, in milliseconds. @default 5000 */
  readonly timeoutMs?: number
  /** Permits an `http:` url to a host that is not loopback: the token then travels in the clear. @default false */
  readonly allowInsecure?: boolean
  /** Where another isolate's writes ended (its store's `syncToken`): reads see those writes. */
  readonly syncToken?: string | undefined
}

export interface UpstashCredentials extends UpstashCommon {
  /** The REST url, such as `https://name.upstash.io`. `undefined`, as an unset variable is, throws `MISSING_CREDENTIALS`. */
  readonly url: string | undefined
  /** The REST token. */
  readonly token: string | undefined
  readonly client?: never
}

/**
 * A client of `@upstash/redis`, by shape: its url, token and sync token are used, its requests are not made. So its
 * `retry`, `automaticDeserialization`, `responseEncoding` and auto-pipelining have no effect on the store.
 */
export interface UpstashClientLike {
  readYourWritesSyncToken: string | undefined
}

export interface UpstashClient extends UpstashCommon {
  readonly client: UpstashClientLike
  readonly url?: never
  readonly token?: never
}

export type UpstashOptions = UpstashCredentials | UpstashClient

/** What `@upstash/redis` 1.x keeps behind a client. */
interface HttpClient extends Session {
  readonly baseUrl: unknown
  readonly headers: { readonly authorization?: string }
  readonly readYourWrites?: boolean
  readonly options?: { readonly signal?: unknown; readonly backend?: unknown; readonly agent?: unknown }
}

const ENV = 'UPSTASH_REDIS_REST_'
const LOOPBACK = /^(127(\.\d+){3}|\[::1\]|(.+\.)?localhost)$/

/** Checks what can be known before a request; throws what `upstashStore` says. */
export function endpointOf(options: UpstashOptions): Endpoint {
  const { timeoutMs = 5000, syncToken } = options
  if (!(timeoutMs > 0)) throw new HitherError('INVALID_DURATION', 'timeoutMs is a number of milliseconds above 0')
  const { url, token, session, signal } = options.client
    ? fromClient(options.client)
    : { url: options.url, token: options.token, session: { upstashSyncToken: '' }, signal: undefined }
  if (syncToken !== undefined) session.upstashSyncToken = checkSyncToken(syncToken)
  return {
    url: checkUrl(url, options.allowInsecure),
    token: checkToken(token),
    session,
    timeoutMs,
    signal,
    fetch: options.fetch ?? ((to, init) => fetch(to, init)),
  }
}

function missing(what: string): HitherError {
  return new HitherError('MISSING_CREDENTIALS', `no ${what}: set ${ENV}${what.toUpperCase()} or KV_REST_API_${what.toUpperCase()}`)
}

function checkUrl(text: string | undefined, allowInsecure = false): string {
  if (!text) throw missing('url')
  let url: URL | undefined
  try {
    url = new URL(text)
  } catch {
    // said below, without the text
  }
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search || url.hash) {
    throw new HitherError('INVALID_URL', 'the url is https://<host>, without user, query or fragment')
  }
  if (url.protocol === 'http:' && !allowInsecure && !LOOPBACK.test(url.hostname)) {
    throw new HitherError('INSECURE_URL', 'an http: url shows the token to the network: use https:, or allowInsecure')
  }
  return url.href.replace(/\/+$/, '')
}

function checkToken(token: string | undefined): string {
  if (!token) throw missing('token')
  if (!/^[!-~]+$/.test(token)) {
    throw new HitherError('INVALID_ARGUMENT', 'the token holds white space or a character no header can carry')
  }
  return token
}

/** A sync token that came from elsewhere, safe to put into a header. */
export function checkSyncToken(token: string): string {
  if (!/^[!-~]{0,4096}$/.test(token)) throw new HitherError('INVALID_ARGUMENT', 'this is no sync token')
  return token
}

function fromClient(
  client: UpstashClientLike,
): Pick<Endpoint, 'url' | 'session' | 'signal'> & { token: string | undefined } {
  const http = (client as { client?: HttpClient }).client
  const unsafe = (why: string): HitherError => new HitherError('UNSAFE_CLIENT', `cannot use this client: ${why}`)
  if (!http || typeof http.baseUrl !== 'string' || !http.headers) {
    throw unsafe('it has no url and token of its own: pass { url, token }')
  }
  const { signal, backend, agent } = http.options ?? {}
  if (signal && typeof signal !== 'function') {
    throw unsafe('`signal` ends every call for good: pass a function, or a signal per call')
  }
  if (backend || agent) throw unsafe('`backend` and `agent` are not carried over: pass { url, token, fetch }')
  if (Object.hasOwn(http, 'request')) throw unsafe('`use()` is not carried over: pass { url, token, fetch }')
  const token = http.headers.authorization?.split(' ')[1]
  const session = http.readYourWrites === false ? { upstashSyncToken: '' } : http
  return { url: http.baseUrl, token: token === 'undefined' ? undefined : token, session, signal: signal as Endpoint['signal'] }
}
