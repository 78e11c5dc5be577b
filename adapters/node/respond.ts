import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Gateway, GatewayAnswer } from 'hither/gateway'
import { discard, toBody } from './request-body.ts'

export interface ResponderState {
  /** Whether the server takes no new connection, so that each ends with its answer. */
  readonly isStopping: () => boolean
  /** Ends each stream of events. */
  readonly eventStreams: Set<() => void>
  /** Names that a request may call the server by; undefined: any. */
  readonly hosts: ReadonlySet<string> | undefined
}

/** Answers one request of node:http by the gateway. Rejects where the answer ended half-way. */
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
  // The connection of a body that was refused half-way ends with the answer: what follows is no request.
  if (isUnread || state.isStopping()) outgoing.setHeader('connection', 'close')
  if (body instanceof ReadableStream) return sendStream(body, outgoing, state)
  if (method !== 'HEAD') outgoing.setHeader('content-length', body === null ? 0 : Buffer.byteLength(body))
  if (!isUnread) return void outgoing.end(body ?? '')
  outgoing.flushHeaders()
  outgoing.write(body ?? '')
  await discard(incoming)
  outgoing.end()
}

/** A large answer, whose length is known, or events without an end. */
async function sendStream(
  body: ReadableStream<Uint8Array>,
  outgoing: ServerResponse,
  { eventStreams }: ResponderState,
): Promise<void> {
  if (outgoing.hasHeader('content-length')) return pump(body.getReader(), outgoing)
  // It ends with its stream, so that a gateway that stops does not wait for the client.
  outgoing.setHeader('connection', 'close')
  const reader = body.getReader()
  const end = (): void => void reader.cancel().catch(() => {})
  eventStreams.add(end)
  try {
    await pump(reader, outgoing)
  } finally {
    eventStreams.delete(end)
  }
}

/** Sends as fast as the client reads, until either ends: no more is taken from the stream while the socket is full. */
async function pump(reader: ReadableStreamDefaultReader<Uint8Array>, outgoing: ServerResponse): Promise<void> {
  const end = (): void => void reader.cancel().catch(() => {})
  outgoing.on('close', end)
  try {
    // Its client may have left while the stream was opened.
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
  // A host is a host: what else the header may hold would become a part of a url.
  if (!/^[\w.:[\]-]+$/.test(host)) return { status: 400, headers: {}, body: null }
  if (!hosts || hosts.has(host.replace(/:\d+$/, '').toLowerCase())) return undefined
  const headers = { 'content-type': 'application/json' }
  return { status: 421, headers, body: '{"error":"ERR this host is not served here"}' }
}
