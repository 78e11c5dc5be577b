import type { OutgoingHttpHeaders } from 'node:http'
import type { HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'

/**
 * Whether the server sends a response as it is. It adds a Content-Type where there is none, and Node encodes fields anew that
 * have more than ASCII.
 */
export function isPlain({ headers, body }: Response): boolean {
  if (body && !headers.has('content-type')) return false
  for (const [, value] of headers) if (/[^\t -~]/.test(value)) return false
  return true
}

/** Sends a response with no other fields than it has, each byte of them as it came. */
export async function send(response: Response, outgoing: HttpBindings['outgoing']): Promise<Response> {
  const { status, headers, body } = response
  const fields: OutgoingHttpHeaders = Object.fromEntries(headers)
  if (headers.has('set-cookie')) fields['set-cookie'] = headers.getSetCookie()
  outgoing.writeHead(status, fields)
  const write = (bytes: Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => outgoing.write(bytes, (error) => (error ? reject(error) : resolve())))
  try {
    // Node sends the head as it is where bytes follow, though it be none. Each is sent before the next is read, and before the
    // connection of a body that is cut ends: the client has what came.
    if (body) await write(new Uint8Array(0))
    for await (const bytes of body ?? []) await write(bytes)
    outgoing.end()
  } catch {
    outgoing.destroy()
  }
  return RESPONSE_ALREADY_SENT
}
