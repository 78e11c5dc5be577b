/** Fields of one connection, one moment or one client, which a duplicate must not get. */
const LEFT_OUT =
  /^(connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|content-length|date|set-cookie|ratelimit.*|retry-after)$/

/** A stored response. The body is in base64 if it is no UTF-8 text or if there is none; null if it was too large. */
type Stored = readonly [status: number, headers: readonly [string, string][], body: string | null, base64: 0 | 1]

/**
 * Reads the body of a response. Resolves to its bytes, and to a response with the same body, which must be sent in place of
 * `response`. The bytes are undefined if there are more than `maxBytes`, if the body is an event stream, or if it was sent already.
 */
export async function keptBody(
  response: Response,
  maxBytes: number,
): Promise<{ readonly response: Response; readonly body: Uint8Array | undefined }> {
  // `RESPONSE_ALREADY_SENT` of @hono/node-server: the handler has sent another response than this empty one.
  if (response.headers.has('x-hono-already-sent')) return { response, body: undefined }
  if (!response.body) return { response, body: new Uint8Array(0) }
  if (/^text\/event-stream/i.test(response.headers.get('content-type') ?? '')) return { response, body: undefined }
  const reader = response.body.getReader()
  const chunks: Uint8Array[] = []
  let length = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    chunks.push(value)
    length += value.byteLength
    if (length > maxBytes) return { response: new Response(restOf(chunks, reader), response), body: undefined }
  }
  const body = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    body.set(chunk, at)
    at += chunk.byteLength
  }
  return { response: new Response(body, response), body }
}

/** A stream of the chunks that were read, then of the rest of `reader`. */
function restOf(chunks: Uint8Array[], reader: ReadableStreamDefaultReader<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      const chunk = chunks.shift() ?? (await reader.read()).value
      if (chunk) controller.enqueue(chunk)
      else controller.close()
    },
    cancel: (reason) => reader.cancel(reason),
  })
}

export function toStored(response: Response, body: Uint8Array | undefined): string {
  const { status } = response
  const kept = [...response.headers].filter(([name]) => !LEFT_OUT.test(name))
  const stored = (text: string | null, base64: 0 | 1 = 0): string =>
    JSON.stringify([status, kept, text, base64] satisfies Stored)
  if (!body) return stored(null)
  // Keeps "no body" apart from an empty body: a server adds a Content-Type to the latter, but not to a redirect without a body.
  if (!response.body) return stored('', 1)
  try {
    return stored(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body))
  } catch {
    let binary = ''
    for (let i = 0; i < body.length; i += 8192) binary += String.fromCharCode(...body.subarray(i, i + 8192))
    return stored(btoa(binary), 1)
  }
}

/** The response to a duplicate; undefined if the first response was too large to store. */
export function fromStored(text: string): Response | undefined {
  const [status, headers, body, base64] = JSON.parse(text) as Stored
  if (body === null) return undefined
  const bytes = base64 ? Uint8Array.from(atob(body), (char) => char.charCodeAt(0)) : new TextEncoder().encode(body)
  const hasBody = status !== 204 && status !== 205 && status !== 304 && !(base64 && body === '')
  const response = new Response(hasBody ? bytes : null, { status, headers: headers as [string, string][] })
  response.headers.set('Idempotency-Replayed', 'true')
  return response
}
