import { createServer, type Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { afterAll, expect, it } from 'vitest'
import { natsStore } from '../../../adapters/nats/index.ts'
import { certificate } from '../../support/certificate.ts'

// Connections that are refused, and what their errors say to do.

const sockets: Socket[] = []
const server = createServer((socket) => {
  sockets.push(socket)
  const info = { server_id: 'S', version: '2.15.0', max_payload: 1024, headers: true, proto: 1, tls_required: true }
  socket.on('error', () => {}).write(`INFO ${JSON.stringify(info)}\r\n`)
  new TLSSocket(socket, { isServer: true, ...certificate }).on('error', () => {})
})
await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
const { port } = server.address() as { readonly port: number }
afterAll(() => {
  for (const socket of sockets) socket.destroy()
  server.close()
})

it.each([
  ['an unknown authority', `tls://localhost:${port}`, {}, 'check connect.tls.ca'],
  [
    'another name',
    `tls://localhost:${port}`,
    { ca: certificate.cert, servername: 'other.example' },
    'connect.tls.servername',
  ],
  ['no server', 'tls://127.0.0.1:1', {}, 'check that the server runs'],
])('says what to do: %s', async (_, servers, tls, what) => {
  const store = natsStore({ servers, bucket: 'b', connect: { tls } })
  await expect(store.get('k')).rejects.toMatchObject({
    code: 'STORE_UNAVAILABLE',
    message: expect.stringContaining(what),
    maybeExecuted: false,
  })
  await store.close()
})
