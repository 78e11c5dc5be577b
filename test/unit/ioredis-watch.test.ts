import { type AddressInfo, createServer, type Socket } from 'node:net'
import { Redis } from 'ioredis'
import { expect, it } from 'vitest'
import { ioredisStore } from '../../adapters/ioredis/index.ts'

it('no transaction runs on a connection that was opened again: its WATCH is forgotten', async () => {
  const heard: string[] = []
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    const at = heard.push('') - 1
    sockets.push(socket)
    socket.on('error', () => {})
    socket.on('data', (data) => {
      heard[at] = `${heard[at]}${data}`
      for (const _ of String(data).match(/^\*/gm) ?? []) socket.write('+OK\r\n')
    })
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const client = new Redis((server.address() as AddressInfo).port, '127.0.0.1', {
    enableOfflineQueue: false,
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => 1,
  })
  await new Promise((done) => client.once('ready', done))
  const store = ioredisStore(client)
  const own = await store.transport.exclusive?.({})
  await own?.send({ args: ['WATCH', 'k'], effect: 'read' })
  const at = heard.findIndex((text) => text.includes('watch') || text.includes('WATCH'))
  sockets[at]?.destroy()
  await expect.poll(() => sockets.length, { timeout: 10_000 }).toBe(3)
  for (let tries = 0; tries < 10; tries++) {
    const run = own?.transaction([{ args: ['SET', 'k', 'v'], effect: 'once' }])
    await expect(run).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true, maybeExecuted: false })
    await new Promise((done) => setTimeout(done, 5))
  }
  expect(heard.join('')).not.toMatch(/multi|exec\b/i)
  own?.release(false)
  await store.close()
  client.disconnect()
  for (const socket of sockets) socket.destroy()
  await new Promise((done) => server.close(done))
})

it('a call that waits is none of a single client whose server is a node of a Cluster', async () => {
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    socket.on('error', () => {})
    sockets.push(socket)
    socket.on('data', (data) => {
      const reply = /blpop/i.test(`${data}`) ? '-MOVED 1 127.0.0.1:1' : '+OK'
      for (const _ of `${data}`.match(/^\*/gm) ?? []) socket.write(`${reply}\r\n`)
    })
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const client = new Redis((server.address() as AddressInfo).port, '127.0.0.1', {
    enableOfflineQueue: false,
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
  })
  await new Promise((done) => client.once('ready', done))
  const store = ioredisStore(client)
  const waiting = store.transport.wait?.({ args: ['BLPOP', 'k', 1], effect: 'once' })
  await expect(waiting).rejects.toMatchObject({ code: 'UNSUPPORTED' })
  await store.close()
  client.disconnect()
  for (const socket of sockets) socket.destroy()
  await new Promise((done) => server.close(done))
})
