/** Of one connection, of one moment, or of one client: a duplicate is not to get them. */
const LEFT_OUT =
  /^(connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|content-length|date|set-cookie|ratelimit.*|retry-after)$/

/** A response as it is stored; a body in base64 where it is no text, or none at all; null where the body was too large. */
type Stored = readonly [status: number, headers: readonly [string, string][], body: string | null, base64: 0 | 1]

/**
 * The bytes of a response's body, and a response that has the same; no bytes where there are more than `maxBytes`, or where
 * they come as events. The response is to be sent in place of `response`, which has been read.
 */
export async function keptBody(
  response: Response,
  maxBytes: number,
): Promise<{ readonly response: Response; readonly body: Uint8Array | undefined }> {
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

/** What was read, then what is to come. */
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
  // A server adds a Content-Type to a body that is empty, and none to a redirect without one.
  if (!response.body) return stored('', 1)
  try {
    return stored(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body))
  } catch {
    let binary = ''
    for (let i = 0; i < body.length; i += 8192) binary += String.fromCharCode(...body.subarray(i, i + 8192))
    return stored(btoa(binary), 1)
  }
}

/** The response to a duplicate; undefined where the first was too large. */
export function fromStored(text: string): Response | undefined {
  const [status, headers, body, base64] = JSON.parse(text) as Stored
  if (body === null) return undefined
  const bytes = base64 ? Uint8Array.from(atob(body), (char) => char.charCodeAt(0)) : new TextEncoder().encode(body)
  const hasBody = status !== 204 && status !== 205 && status !== 304 && !(base64 && body === '')
  const response = new Response(hasBody ? bytes : null, { status, headers: headers as [string, string][] })
  response.headers.set('Idempotency-Replayed', 'true')
  return response
}
