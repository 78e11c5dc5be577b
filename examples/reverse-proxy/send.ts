import type { OutgoingHttpHeaders } from 'node:http'
import type { HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'

/**
 * Whether the server would send a response unchanged. It adds a Content-Type where there is none, and Node encodes fields
 * that are not ASCII a second time.
 */
export function isPlain({ headers, body }: Response): boolean {
  if (body && !headers.has('content-type')) return false
  for (const [, value] of headers) if (/[^\t -~]/.test(value)) return false
  return true
}

/** Sends a response with exactly its own fields, byte by byte as they came. */
export async function send(response: Response, outgoing: HttpBindings['outgoing']): Promise<Response> {
  const { status, headers, body } = response
  const fields: OutgoingHttpHeaders = Object.fromEntries(headers)
  if (headers.has('set-cookie')) fields['set-cookie'] = headers.getSetCookie()
  outgoing.writeHead(status, fields)
  const write = (bytes: Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => outgoing.write(bytes, (error) => (error ? reject(error) : resolve())))
  try {
    // A write, even an empty one, makes Node send the head as it is. Each chunk is sent before the next is read, and before the
    // connection ends where the body was cut: the client receives all that came.
    if (body) await write(new Uint8Array(0))
    for await (const bytes of body ?? []) await write(bytes)
    outgoing.end()
  } catch {
    outgoing.destroy()
  }
  return RESPONSE_ALREADY_SENT
}
