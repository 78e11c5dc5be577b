import { HitherError } from '../errors.ts'
import type { GatewayAnswer, GatewayRequest } from './messages.ts'
import { Refusal } from './refusal.ts'
import type { Grant } from './tokens.ts'

export interface Cors {
  /** The response to a preflight request of a page that may read; undefined for any other request. */
  preflight(request: GatewayRequest): GatewayAnswer | undefined
  /** CORS headers of a response. `grant` is undefined if the request had no known token. */
  headers(request: GatewayRequest, grant: Grant | undefined): Readonly<Record<string, string>>
  /** Throws a `Refusal` for a page of another origin whose token may do more than read. */
  check(request: GatewayRequest, grant: Grant): void
}

const MAX_AGE_S = '7200'
const ALLOWED_HEADERS =
  'authorization, content-type, upstash-encoding, upstash-response-format, upstash-sync-token, upstash-telemetry-platform, upstash-telemetry-retry, upstash-telemetry-runtime, upstash-telemetry-sdk'

/** Throws `INVALID_ARGUMENT` for a text that is neither `*` nor an origin as browsers send it. */
export function checkOrigins(origins: readonly string[] | undefined): void {
  if (origins === undefined) return
  const isList = Array.isArray(origins) && origins.length > 0
  if (!isList || !origins.every((origin) => origin === '*' || isOrigin(origin))) {
    throw new HitherError(
      'INVALID_ARGUMENT',
      "cors is a list of origins, such as ['https://app.example.com'], or ['*']",
    )
  }
}

function isOrigin(text: unknown): boolean {
  try {
    return typeof text === 'string' && text !== 'null' && new URL(text).origin === text
  } catch {
    return false
  }
}

/**
 * Lets pages of the listed origins read responses, with read-only tokens only: whoever can open the page has its token.
 * https://fetch.spec.whatwg.org/#http-cors-protocol
 */
export function createCors(origins: readonly string[] = []): Cors {
  const any = origins.includes('*')
  const list = new Set(origins)
  /** Value of `Access-Control-Allow-Origin`; undefined unless a listed page of another origin sent the request. */
  const allowedOrigin = (request: GatewayRequest): string | undefined => {
    const origin = request.header('origin')
    if (!origin || !(any || list.has(origin)) || isSameOrigin(request, origin)) return undefined
    return any ? '*' : origin
  }
  const vary: Readonly<Record<string, string>> = any || list.size === 0 ? {} : { vary: 'origin' }
  return {
    preflight(request) {
      const origin =
        request.method === 'OPTIONS' && request.header('access-control-request-method') && allowedOrigin(request)
      if (!origin) return undefined
      const headers = {
        'access-control-allow-origin': origin,
        'access-control-allow-methods': 'GET, HEAD, POST, PUT',
        'access-control-allow-headers': ALLOWED_HEADERS,
        'access-control-max-age': MAX_AGE_S,
        ...vary,
      }
      return { status: 204, headers, body: null }
    },
    headers(request, grant) {
      const origin = !grant || grant.readOnly ? allowedOrigin(request) : undefined
      if (!origin) return vary
      return {
        'access-control-allow-origin': origin,
        'access-control-expose-headers': 'upstash-sync-token, retry-after',
        ...vary,
      }
    },
    check(request, grant) {
      if (!grant.readOnly && allowedOrigin(request)) {
        throw new Refusal(400, 'NOPERM a page of another origin needs a read-only token')
      }
    },
  }
}

function isSameOrigin(request: GatewayRequest, origin: string): boolean {
  if (request.header('sec-fetch-site') === 'same-origin') return true
  return origin.replace(/^[a-z]+:\/\//, '') === request.header('host')
}
