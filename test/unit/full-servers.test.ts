import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Engine } from 'hither/embedded'
import { afterEach, describe, expect, it } from 'vitest'
import { serveResp } from '../../adapters/node/resp-server.ts'
import { serve } from '../../adapters/node/serve.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})
/** Connects, writes at once, and leaves its own side open when the server ends the other. */
async function client(port: number, text = ''): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).on('error', () => {})
  closing.push(() => socket.destroy())
  if (text) socket.write(text)
  await once(socket, 'connect')
  return socket
}
const PING = '*1\r\n$4\r\nPING\r\n'
const REQUEST = 'GET /incr/n HTTP/1.1\r\nhost: h\r\n\r\n'
const sockets = (): number => process.getActiveResourcesInfo().filter((name) => name === 'TCPSocketWrap').length

describe('a gateway with as many connections as it takes', () => {
  it('runs nothing of a connection that it refuses, since the client may send it again', async () => {
    let runs = 0
    const handle = async () => ({ status: 200, headers: {}, body: `${++runs}` })
    const served = await serve(
      Object.assign(async () => new Response(), { handle }),
      { maxConnections: 1 },
    )
    closing.push(() => served.stop(0))
    const first = await client(served.port, REQUEST)
    expect(String(await once(first, 'data'))).toMatch(/^HTTP\/1.1 200 /)
    const refused = await client(served.port, REQUEST)
    expect(String(await once(refused, 'data'))).toMatch(/^HTTP\/1.1 503 .*\r\nretry-after: 1\r\n/)
    refused.write(REQUEST)
    first.write(REQUEST)
    expect(String(await once(first, 'data'))).toMatch(/^HTTP\/1.1 200 /)
    expect(runs).toBe(2)
  })
  it('keeps no socket of a client that it refused, and stops without it', async () => {
    const handle = async () => ({ status: 200, headers: {}, body: '' })
    const served = await serve(
      Object.assign(async () => new Response(), { handle }),
      { maxConnections: 1 },
    )
    closing.push(() => served.stop(0))
    const first = await client(served.port, REQUEST)
    await once(first, 'data')
    const before = sockets()
    const refused = await Promise.all(Array.from({ length: 10 }, () => client(served.port, REQUEST)))
    for (const socket of refused) expect(String(await once(socket, 'data'))).toMatch(/^HTTP\/1.1 503 /)
    // These are this side's.
    await expect.poll(sockets, { timeout: 5000 }).toBe(before + 10)
  })
})

describe('an embedded server with as many connections as it takes', () => {
  it('goes on when a client that it refuses resets its connection', async () => {
    const server = await serveResp(new Engine(), { maxConnections: 1 })
    closing.push(server.stop)
    const first = await client(server.port, PING)
    expect(String(await once(first, 'data'))).toBe('+PONG\r\n')
    // An error that nobody listens for ends a process.
    const fatal: unknown[] = []
    const onFatal = (error: unknown): void => void fatal.push(error)
    process.on('uncaughtException', onFatal)
    closing.push(() => process.off('uncaughtException', onFatal))
    for (let n = 0; n < 20; n++) (await client(server.port, PING)).resetAndDestroy()
    first.write(PING)
    expect(String(await once(first, 'data'))).toBe('+PONG\r\n')
    expect(fatal).toEqual([])
  })
  it('keeps no socket of a client that it refused, whether or not that closes its side', async () => {
    const server = await serveResp(new Engine(), { maxConnections: 1 })
    closing.push(server.stop)
    const first = await client(server.port, PING)
    await once(first, 'data')
    const before = sockets()
    const refused = await Promise.all(Array.from({ length: 10 }, () => client(server.port, PING)))
    for (const socket of refused) expect(String(await once(socket, 'data'))).toMatch(/^-ERR max number of clients/)
    for (const socket of refused.slice(5)) socket.end()
    // The first five are this side's.
    await expect.poll(sockets, { timeout: 10_000 }).toBe(before + 5)
    expect(refused.slice(0, 5).map(({ destroyed }) => destroyed)).toEqual([false, false, false, false, false])
  })
  it('closes a refused connection whose client goes on sending', async () => {
    const server = await serveResp(new Engine(), { maxConnections: 1 })
    closing.push(server.stop)
    const first = await client(server.port, PING)
    await once(first, 'data')
    const refused = await client(server.port, PING)
    const sending = setInterval(() => refused.write('x'), 100)
    closing.push(() => clearInterval(sending))
    let isClosed = false
    refused.resume().once('close', () => {
      isClosed = true
    })
    await expect.poll(() => isClosed, { timeout: 10_000 }).toBe(true)
  })
})
