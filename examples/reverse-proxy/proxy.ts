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

/** The fields of a message that go on to the next hop. */
export function endToEnd(headers: Headers): Headers {
  const kept = new Headers(headers)
  const named = (headers.get('connection') ?? '').split(',').map((name) => name.trim())
  for (const name of [...HOP_BY_HOP, ...named]) {
    try {
      kept.delete(name)
    } catch {
      // No field has such a name.
    }
  }
  return kept
}

/** The URL of a request at its origin: path and query as they came. */
export function targetOf(request: Request, origin: string): string {
  // With a `?` that nothing follows: an origin may answer it otherwise, and the cache's key has it too.
  const { href, hash } = new URL(request.url)
  const target = href.slice(0, href.length - hash.length).replace(/^[^:]+:\/\/[^/]*/, '')
  return origin.replace(/\/$/, '') + target
}

export function badGateway(): Response {
  return new Response('Bad Gateway\n', { status: 502, headers: { 'content-type': 'text/plain' } })
}
