/** Fields of one connection, which a proxy does not pass on (RFC 9110, section 7.6.1). */
const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]

/** The fields of a message that are forwarded to the next hop. */
export function endToEnd(headers: Headers): Headers {
  const kept = new Headers(headers)
  const named = (headers.get('connection') ?? '').split(',').map((name) => name.trim())
  for (const name of [...HOP_BY_HOP, ...named]) {
    try {
      kept.delete(name)
    } catch {
      // Not a field name.
    }
  }
  return kept
}

/** The URL of a request at its origin: path and query as they came. */
export function targetOf(request: Request, origin: string): string {
  // A trailing `?` is kept: an origin may treat it differently, and the cache's key contains it.
  const { href, hash } = new URL(request.url)
  const target = href.slice(0, href.length - hash.length).replace(/^[^:]+:\/\/[^/]*/, '')
  return origin.replace(/\/$/, '') + target
}

export function badGateway(): Response {
  return new Response('Bad Gateway\n', { status: 502, headers: { 'content-type': 'text/plain' } })
}
