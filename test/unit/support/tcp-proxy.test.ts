import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ask, type Server, startServer } from '../../../scripts/servers.ts'
import { createTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts'

let server: Server
beforeAll(async () => {
  server = await startServer('redis7')
})
afterAll(() => server.stop())

const encode = (...args: string[]): string =>
  `*${args.length}\r\n${args.map((arg) => `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`).join('')}`

/** Writes `text`. Resolves to all that was received until the connection closed, or `ms` passed. */
function exchange(port: number, text: string, ms = 1000): Promise<{ text: string; closed: boolean }> {
  return new Promise((resolve) => {
    let got = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(text))
    const done = (closed: boolean) => (): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve({ text: got, closed })
    }
    const timer = setTimeout(done(false), ms)
    socket.on('data', (data) => {
      got += data.toString()
    })
    socket.on('error', () => undefined).on('close', done(true))
  })
}

async function proxied(work: (proxy: TcpProxy) => Promise<void>): Promise<void> {
  const proxy = await createTcpProxy(server.url)
  try {
    await work(proxy)
  } finally {
    await proxy.stop()
  }
}
const read = (key: string): Promise<string> => ask(server.port, `GET ${key}`)

describe('the TCP fault proxy', () => {
  it('passes everything on', () =>
    proxied(async (proxy) => {
      const big = 'x'.repeat(300_000)
      const { text } = await exchange(proxy.port, encode('set', 'pass', big) + encode('GET', 'pass') + encode('QUIT'))
      expect(text).toBe(`+OK\r\n$300000\r\n${big}\r\n+OK\r\n`)
      await expect.poll(() => proxy.stats).toMatchObject({ accepted: 1, open: 0, commands: 3, dropped: 0 })
    }))

  it('loses a reply after the command ran', () =>
    proxied(async (proxy) => {
      proxy.dropReplies(1)
      expect(await exchange(proxy.port, encode('CLIENT', 'ID') + encode('INCR', 'n1'))).toEqual({
        text: '',
        closed: true,
      })
      expect(await read('n1')).toBe('1')
      expect(proxy.stats.dropped).toBe(1)
      expect((await exchange(proxy.port, encode('INCR', 'n1'), 100)).text).toBe(':2\r\n')
    }))

  it('runs all of a write, and what came before, before it cuts', () =>
    proxied(async (proxy) => {
      proxy.dropReplies((command) => command[0] === 'INCR' && command[1] === 'n2')
      const many = encode('SET', 'a2', '1') + encode('incr', 'n2') + encode('SET', 'c2', '3') + '*2\r\n$3\r\nGE'
      expect((await exchange(proxy.port, many)).closed).toBe(true)
      expect([await read('a2'), await read('n2'), await read('c2')]).toEqual(['1', '1', '3'])
      expect((await exchange(proxy.port, encode('GET', 'n2'), 100)).text).toBe('$1\r\n1\r\n')
    }))

  it('loses a transaction at its EXEC', () =>
    proxied(async (proxy) => {
      for (const which of [1, (command: readonly string[]) => command[0] === 'INCR']) {
        await ask(server.port, 'DEL n3')
        proxy.dropReplies(which)
        const text = encode('MULTI') + encode('INCR', 'n3') + encode('INCR', 'n3') + encode('EXEC')
        expect(await exchange(proxy.port, text)).toEqual({ text: '', closed: true })
        expect(await read('n3')).toBe('2')
        await proxy.pass()
      }
      expect(proxy.stats.dropped).toBe(2)
    }))

  it('loses the reply of a command that came in pieces', () =>
    proxied(async (proxy) => {
      proxy.dropReplies(1)
      const socket = connect(proxy.port, '127.0.0.1')
      socket.setNoDelay(true)
      socket.on('error', () => undefined)
      const closed = new Promise((resolve) => socket.on('close', resolve))
      for (const byte of encode('INCR', 'n4')) {
        socket.write(byte)
        await new Promise((resolve) => setImmediate(resolve))
      }
      await closed
      expect(await read('n4')).toBe('1')
    }))

  it('refuses, cuts, and passes again on the same port', () =>
    proxied(async (proxy) => {
      const held = exchange(proxy.port, encode('PING'), 5000)
      while (proxy.stats.commands === 0) await new Promise((resolve) => setTimeout(resolve, 5))
      await proxy.refuse()
      expect((await held).closed).toBe(true)
      await expect(ask(proxy.port, 'PING')).rejects.toMatchObject({ code: 'ECONNREFUSED' })
      await proxy.pass()
      expect(await ask(proxy.port, 'PING')).toBe('+PONG')
      const again = exchange(proxy.port, encode('PING'), 5000)
      while (proxy.stats.commands < 3) await new Promise((resolve) => setTimeout(resolve, 5))
      proxy.cut()
      expect((await again).closed).toBe(true)
      expect(await ask(proxy.port, 'PING')).toBe('+PONG')
    }))

  it('stalls without closing, and moves on', () =>
    proxied(async (proxy) => {
      proxy.stall()
      const held = exchange(proxy.port, encode('SET', 'stalled', '1') + encode('QUIT'), 5000)
      await new Promise((resolve) => setTimeout(resolve, 100))
      expect(await read('stalled')).toBe('$-1')
      expect(proxy.stats.open).toBe(1)
      await proxy.pass()
      expect((await held).text).toBe('+OK\r\n+OK\r\n')
    }))

  it('delays and slices without changing the order', () =>
    proxied(async (proxy) => {
      proxy.slice()
      proxy.latency(30)
      const from = performance.now()
      const text = encode('ECHO', 'one') + encode('ECHO', 'two') + encode('QUIT')
      expect((await exchange(proxy.port, text)).text).toBe('$3\r\none\r\n$3\r\ntwo\r\n+OK\r\n')
      expect(performance.now() - from).toBeGreaterThan(55)
    }))
})
