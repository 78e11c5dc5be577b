import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Gateway, GatewayAnswer } from 'hither/gateway'
import { discard, toBody } from './request-body.ts'

export interface ResponderState {
  /** Whether the server is stopping, so that each connection ends after its response. */
  readonly isStopping: () => boolean
  /** Functions that each end one stream of events. */
  readonly eventStreams: Set<() => void>
  /** Names that a request may have in `Host`; undefined: any. */
  readonly hosts: ReadonlySet<string> | undefined
}

/** Passes one request of node:http to the gateway and sends its response. Rejects if the response ended half-way. */
export async function respond(
  gateway: Gateway,
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  state: ResponderState,
): Promise<void> {
  const { method = 'GET', url = '/', headers } = incoming
  const hasBody = method !== 'GET' && method !== 'HEAD'
  const answer =
    refuseHost(headers.host, state.hosts) ??
    (await gateway.handle({
      method,
      target: url,
      header: (name) => headers[name] as string | undefined,
      body: hasBody ? toBody(incoming) : null,
    }))
  const { body } = answer
  for (const [name, value] of Object.entries(answer.headers)) outgoing.setHeader(name, value)
  outgoing.statusCode = answer.status
  const isUnread = hasBody && !incoming.complete
  // If the body was refused half-way, the connection ends after the response: the bytes that follow are not a request.
  if (isUnread || state.isStopping()) outgoing.setHeader('connection', 'close')
  if (body instanceof ReadableStream) return sendStream(body, outgoing, state)
  if (method !== 'HEAD') outgoing.setHeader('content-length', body === null ? 0 : Buffer.byteLength(body))
  if (!isUnread) return void outgoing.end(body ?? '')
  outgoing.flushHeaders()
  outgoing.write(body ?? '')
  await discard(incoming)
  outgoing.end()
}

/** Sends a stream: either a large response of known length, or events without an end. */
async function sendStream(
  body: ReadableStream<Uint8Array>,
  outgoing: ServerResponse,
  { eventStreams, isStopping }: ResponderState,
): Promise<void> {
  if (outgoing.hasHeader('content-length')) return pump(body.getReader(), outgoing)
  // The connection ends with its stream, so that a gateway that stops does not wait for the client.
  outgoing.setHeader('connection', 'close')
  const reader = body.getReader()
  const end = (): void => void reader.cancel().catch(() => {})
  eventStreams.add(end)
  // The server may have begun to stop while the stream was opened, and then has not ended it.
  if (isStopping()) end()
  try {
    await pump(reader, outgoing)
  } finally {
    eventStreams.delete(end)
  }
}

/** Sends the stream as fast as the client reads, until either ends. Reads no more of it while the socket is full. */
async function pump(reader: ReadableStreamDefaultReader<Uint8Array>, outgoing: ServerResponse): Promise<void> {
  const end = (): void => void reader.cancel().catch(() => {})
  outgoing.on('close', end)
  try {
    // The client may have left while the stream was opened.
    if (!outgoing.destroyed) outgoing.flushHeaders()
    while (!outgoing.destroyed) {
      const { done, value } = await reader.read()
      if (done || outgoing.destroyed) break
      if (!outgoing.write(value)) await drained(outgoing)
    }
    outgoing.end()
  } finally {
    end()
  }
}

function drained(outgoing: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      outgoing.off('drain', done).off('close', done)
      resolve()
    }
    outgoing.on('drain', done).on('close', done)
  })
}

function refuseHost(host = 'localhost', hosts: ResponderState['hosts']): GatewayAnswer | undefined {
  // Accept only the characters of a host: the header is put into a url, where any others could have a meaning.
  if (!/^[\w.:[\]-]+$/.test(host)) return { status: 400, headers: {}, body: null }
  if (!hosts || hosts.has(host.replace(/:\d+$/, '').toLowerCase())) return undefined
  const headers = { 'content-type': 'application/json' }
  return { status: 421, headers, body: '{"error":"ERR this host is not served here"}' }
}
