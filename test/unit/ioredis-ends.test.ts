import { type AddressInfo, createServer, type Socket } from 'node:net'
import { afterEach, expect, it, vi } from 'vitest'
import { connect, ioredisStore } from '../../adapters/ioredis/index.ts'

// How a connection ends that has only just begun.

const ends: (() => void)[] = []
afterEach(() => {
  vi.restoreAllMocks()
  for (const end of ends.splice(0)) end()
})

/** A server whose reply to a command is `replyTo(name)`, or OK. Resolves to its url. */
async function play(replyTo: (name: string) => string | undefined = () => undefined): Promise<string> {
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    socket.on('data', (data) => {
      for (const [, name = ''] of data.toString().matchAll(/\*\d+\r\n\$\d+\r\n(\w+)/g))
        socket.write(replyTo(name.toUpperCase()) ?? '+OK\r\n')
    })
  })
  await new Promise<void>((done) => void server.listen(0, '127.0.0.1', done))
  ends.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `redis://127.0.0.1:${(server.address() as AddressInfo).port}`
}

it('a subscription that the server refuses is no outage', async () => {
  const store = ioredisStore(
    await connect(await play((name) => (name === 'SUBSCRIBE' ? '-NOPERM no channels\r\n' : undefined))),
  )
  const refused = { code: 'UNAUTHORIZED', retryable: false, message: expect.stringContaining('SUBSCRIBE') }
  await expect(store.subscribe?.('news', () => {})).rejects.toMatchObject(refused)
  await store.close()
})

it('a client that is ended while it connects prints nothing', async () => {
  const printed = vi.spyOn(console, 'error').mockImplementation(() => {})
  const url = await play()
  for (let i = 0; i < 40; i++) {
    const store = ioredisStore(await connect(url))
    const settled = Promise.allSettled([store.get('k')])
    await new Promise((next) => setTimeout(next, i / 10))
    await store.close()
    const [call] = await settled
    if (call.status === 'rejected') expect(['CLOSED', 'STORE_UNAVAILABLE']).toContain(call.reason.code)
  }
  await new Promise((next) => setTimeout(next, 50))
  expect(printed.mock.calls).toEqual([])
})
