import { createServer, type Server, type Socket } from 'node:net'
import { Redis } from 'ioredis'
import { afterEach, describe, expect, it } from 'vitest'
import { type IoredisLike, ioredisStore } from '../../adapters/ioredis/index.ts'

// A client that asks for a database which the server refuses: ioredis reports the error, and goes on in database 0.

const ends: (() => void)[] = []
afterEach(() => {
  for (const end of ends.splice(0)) end()
})

/** A server that refuses SELECT while `told.refuses` is set, and knows as much of Redis as a connection needs. */
async function play() {
  const sockets = new Set<Socket>()
  const told = { refuses: true }
  const answer = (name: string): string => {
    if (name === 'SELECT' && told.refuses) return '-ERR DB index is out of range\r\n'
    if (name === 'INFO') return '$18\r\nredis_version:8.0\n\r\n'
    return name === 'GET' || name === 'MGET' ? '$1\r\nx\r\n' : '+OK\r\n'
  }
  const server: Server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', (bytes: Buffer) => {
      for (const [, name = ''] of bytes.toString().matchAll(/\*\d+\r\n\$\d+\r\n(\w+)/g))
        socket.write(answer(name.toUpperCase()))
    })
  })
  await new Promise<void>((done) => void server.listen(0, '127.0.0.1', done))
  const cut = (): void => {
    for (const socket of sockets) socket.destroy()
    sockets.clear()
  }
  const { port } = server.address() as { port: number }
  const client: IoredisLike = new Redis({
    ...{ host: '127.0.0.1', port, db: 5, retryStrategy: () => 1 },
    ...{ enableOfflineQueue: false, maxRetriesPerRequest: 0, disableClientInfo: true },
  })
  ends.push(() => {
    client.disconnect()
    cut()
    server.close()
  })
  return { store: ioredisStore(client), client, told, cut }
}

const refused = { code: 'STORE_REJECTED', command: 'SELECT' }

describe('a client in a database that it did not ask for', () => {
  it('is refused at a first call, which waits for the connection, and at each after it', async () => {
    const { store } = await play()
    await expect(store.get('a')).rejects.toMatchObject(refused)
    await expect(store.get('a')).rejects.toMatchObject(refused)
    await expect(store.transport?.transaction([{ args: ['PING'], effect: 'read' }])).rejects.toMatchObject(refused)
  })
  it('is refused where it was ready before the first call', async () => {
    const { store, client } = await play()
    await new Promise((done) => client.on('ready', done))
    await expect(store.transport?.send({ args: ['GET', 'a'], effect: 'read' })).rejects.toMatchObject(refused)
    await expect(store.get('a')).rejects.toMatchObject(refused)
  })
  it('is used once the server lets it in', async () => {
    const { store, told, cut } = await play()
    await expect(store.get('a')).rejects.toMatchObject(refused)
    told.refuses = false
    cut()
    await expect.poll(() => store.get('a').catch(({ code }) => code)).toBe('x')
  })
})
