import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { connect as connectTcp, createServer, type Server as NetServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import { Redis } from 'ioredis'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { type TcpTransport, type TcpTransportOptions, tcpStore, tcpTransport } from '../../adapters/tcp/index.ts'
import { freePort, type Server, startServer } from '../../scripts/servers.ts'
import type { StoreEvent } from '../../src/store/store.ts'
import { type Command, ReplyError } from '../../src/store/transport.ts'
import { certificate } from '../support/certificate.ts'
import { createTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'

// The TCP transport and its store, over a real Redis, a proxy in front of it, and fake servers: urls, logins, TLS, replies and
// their bounds, transactions, commands that wait, lost connections, callers that leave, the queue, subscriptions, close, RESP3.

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const url = (): string => process.env.REDIS8_URL as string
const code = (value: string, rest = {}) => expect.objectContaining({ code: value, ...rest })
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const read = (...args: (string | number | Uint8Array)[]): Command => ({ args, effect: 'read' })
const once = (...args: (string | number | Uint8Array)[]): Command => ({ args, effect: 'once' })

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})
const open = (options: Partial<TcpTransportOptions> = {}): TcpTransport => {
  const transport = tcpTransport({ url: url(), ...options })
  closing.push(() => transport.close())
  return transport
}
const proxied = async (to = url()): Promise<TcpProxy> => {
  const proxy = await createTcpProxy(to)
  closing.push(() => proxy.stop())
  return proxy
}
const client = (to = url()): Redis => {
  const redis = new Redis(to)
  closing.push(() => redis.disconnect())
  return redis
}
/** A fake server: `serve` handles each connection. Resolves to its url. */
const fake = async (serve: (socket: Socket) => void): Promise<string> => {
  const sockets = new Set<Socket>()
  const server: NetServer = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    serve(socket)
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  closing.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `redis://127.0.0.1:${(server.address() as { port: number }).port}`
}
const HELLO = '%1\r\n+proto\r\n:3\r\n+PONG\r\n'

describe('construction', () => {
  it('refuses a malformed url without showing it, and options that make no sense', () => {
    for (const bad of ['', 'localhost', 'http://localhost', 'redis://', 'redis://h/x', 'redis://:s3cret%zz@h']) {
      let error: unknown
      try {
        tcpTransport({ url: bad })
      } catch (caught) {
        error = caught
      }
      expect(error).toMatchObject({ code: 'INVALID_URL' })
      expect(String(error)).not.toContain('s3cret')
    }
    const bad: Partial<TcpTransportOptions>[] = [
      { protocol: 4 as 3 },
      { tls: {} },
      { maxQueue: 9999 },
      { maxQueue: Number.NaN },
      { idleMs: 0 },
      { linkTimeoutMs: -1 },
      { connectTimeoutMs: 1.5 },
      { maxReplyBytes: 0 },
    ]
    for (const options of bad) {
      expect(() => tcpTransport({ url: 'redis://h', ...options })).toThrow(code('INVALID_ARGUMENT'))
    }
  })

  it('takes a url alone', async () => {
    const store = tcpStore(process.env.REDIS8_URL as string)
    await store.ready()
    await store.close()
    expect(() => tcpStore('http://h')).toThrow(code('INVALID_URL'))
  })
  it('opens nothing before the first call', async () => {
    const proxy = await proxied()
    const transport = open({ url: proxy.url })
    await pause(50)
    expect(proxy.stats.accepted).toBe(0)
    expect(await transport.send(read('PING'))).toBe('PONG')
    expect(proxy.stats.accepted).toBe(1)
  })
})

describe('who may come in', () => {
  let secured: Server
  beforeAll(async () => {
    secured = await startServer('redis7', { args: ['--requirepass', 'pass word'] })
  })
  afterAll(() => secured.stop())
  const at = (user: string, db = ''): string => secured.url.replace('//', `//${user}`) + db
  const whoAmI = (given: string, protocol: 2 | 3 = 2): Promise<unknown> =>
    open({ url: given, protocol }).send(read('ACL', 'WHOAMI'))

  it('by password, by ACL user, into a database, over RESP2 and 3', async () => {
    const admin = open({ url: at(':pass%20word@') })
    await admin.send(once('ACL', 'SETUSER', 'app', 'on', '>s3:cret', '~*', '&*', '+@all'))
    for (const protocol of [2, 3] as const) {
      expect(await whoAmI(at(':pass%20word@'), protocol)).toBe('default')
      expect(await whoAmI(at('app:s3%3Acret@'), protocol)).toBe('app')
      const info = await open({ url: at('app:s3%3Acret@', '/5'), protocol }).send(read('CLIENT', 'INFO'))
      expect(info).toMatch(new RegExp(` db=5 .* resp=${protocol}\\b`))
    }
  })

  it('not with the wrong password, user or database, or none, and says so without them', async () => {
    for (const wrong of ['', ':s3cret@', 'nobody:s3cret@']) {
      const error = await whoAmI(at(wrong)).catch((caught: unknown) => caught)
      expect(error).toMatchObject({ code: 'UNAUTHORIZED', maybeExecuted: false, retryable: false })
      expect(String(error)).not.toMatch(/s3cret|nobody/)
    }
    await expect(whoAmI(at(':pass%20word@', '/99'))).rejects.toMatchObject({
      code: 'STORE_REJECTED',
      command: 'SELECT',
    })
  })

  it('a user that may not PING comes in, and what it may not do is UNAUTHORIZED', async () => {
    const admin = open({ url: at(':pass%20word@') })
    await admin.send(once('ACL', 'SETUSER', 'narrow', 'on', '>n', '~a*', 'resetchannels', '-@all', '+get'))
    const transport = open({ url: at('narrow:n@') })
    expect(await transport.send(read('GET', 'a'))).toBe(null)
    expect(await transport.send(read('GET', 'b'))).toMatchObject({ word: 'NOPERM' })
    await expect(transport.subscribe('c', () => {})).rejects.toMatchObject({ code: 'UNAUTHORIZED' })
  })

  it('a server that cannot save answers reads, and refuses writes by name', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'hither-unsaved-'))
    const args = ['--save', '3600 1', '--dir', dir, '--dbfilename', 'taken']
    const unsaved = await startServer('redis7', { args })
    mkdirSync(join(dir, 'taken'))
    try {
      const admin = open({ url: unsaved.url })
      await admin.send(once('SET', 'a', 'x'))
      await admin.send(once('BGSAVE'))
      await vi.waitFor(async () => {
        expect(await admin.send(read('INFO', 'persistence'))).toContain('rdb_last_bgsave_status:err')
      }, 5000)
      for (const protocol of [2, 3] as const) {
        const transport = open({ url: unsaved.url, protocol })
        expect(await transport.send(read('PING'))).toMatchObject({ word: 'MISCONF' })
        expect(await transport.send(read('GET', 'a'))).toBe('x')
        const store = tcpStore({ url: `${unsaved.url}/1`, protocol })
        closing.push(() => store.close())
        await store.ready()
        expect(await store.get('a')).toBe(undefined)
        await expect(store.set('a', 'y')).rejects.toMatchObject({ code: 'STORE_REJECTED', reply: 'MISCONF' })
      }
    } finally {
      await unsaved.stop()
      rmSync(dir, { recursive: true, force: true })
    }
  })

  it('a server that knows no HELLO is spoken to in RESP2', async () => {
    const old = await startServer('redis7', { args: ['--rename-command', 'HELLO', '', '--requirepass', 'old'] })
    try {
      for (const [user, expected] of [
        [':old@', 'PONG'],
        ['default:old@', 'PONG'],
        [':new@', 'UNAUTHORIZED'],
        ['', 'UNAUTHORIZED'],
      ]) {
        const transport = open({ url: `${old.url.replace('//', `//${user}`)}/2`, protocol: 3 })
        const answer = await transport.send(read('PING')).catch((error: { code: string }) => error.code)
        expect([user, answer]).toEqual([user, expected])
        if (answer === 'PONG') expect(await transport.send(read('CLIENT', 'INFO'))).toMatch(/ db=2 .*resp=2\b/)
      }
    } finally {
      await old.stop()
    }
  })
})

describe('TLS', () => {
  const secure = async (options = {}): Promise<string> => {
    const port = Number(new URL(url()).port)
    const server = createTlsServer({ ...certificate, ...options }, (socket) => {
      const behind = connectTcp(port, '127.0.0.1')
      for (const each of [socket, behind]) each.on('error', () => {})
      socket.pipe(behind).pipe(socket)
    })
    server.on('tlsClientError', () => {})
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
    closing.push(() => server.close())
    return `${(server.address() as { port: number }).port}`
  }

  it('proves the server by the given authority, by name and by address', async () => {
    const port = await secure()
    for (const host of ['localhost', '127.0.0.1']) {
      const transport = open({ url: `rediss://${host}:${port}/4`, tls: { ca: certificate.cert } })
      expect(await transport.send(read('CLIENT', 'INFO'))).toContain(' db=4 ')
      const large = new Uint8Array(300_000).fill(0xfe)
      await transport.send(once('SET', 'tcp:tls', large, 'PX', 60_000))
      expect(await transport.send(read('GET', 'tcp:tls'), { bytes: true })).toEqual(large)
    }
  })
  it('takes no certificate that nobody vouches for, nor one for another name', async () => {
    const port = await secure()
    const cases: [Partial<TcpTransportOptions>, RegExp][] = [
      [{}, /SELF_SIGNED.*tls\.ca/],
      [{ tls: { ca: certificate.cert, servername: 'elsewhere' } }, /ALTNAME_INVALID.*tls\.servername/],
    ]
    for (const [options, reason] of cases) {
      const transport = open({ url: `rediss://localhost:${port}`, ...options })
      await expect(transport.send(read('PING'))).rejects.toMatchObject({
        code: 'STORE_UNAVAILABLE',
        maybeExecuted: false,
        message: expect.stringMatching(reason),
      })
    }
    const open2 = open({ url: `rediss://localhost:${port}`, tls: { rejectUnauthorized: false } })
    expect(await open2.send(read('PING'))).toBe('PONG')
  })
  it('asks whether it is TLS, of a server that is silent at its greeting', async () => {
    const plain = url().replace('redis:', 'rediss:')
    const error = { code: 'STORE_UNAVAILABLE', message: expect.stringContaining('is it TLS?') }
    await expect(open({ url: plain, connectTimeoutMs: 300 }).send(read('PING'))).rejects.toMatchObject(error)
    await expect(open({ url: plain }).send(read('PING'), { deadline: Date.now() + 4900 })).rejects.toMatchObject(error)
  })
  it('asks so of a server that greets in plain text', async () => {
    const server = createServer((socket: Socket) => {
      socket.on('error', () => {})
      socket.write('-ERR this is plain text\r\n')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    await expect(open({ url: `rediss://127.0.0.1:${port}` }).send(read('PING'))).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringMatching(/is it TLS\? redis:\/\/ is for a server without$/),
    })
    server.close()
  })
  it('proves the client, where the server asks', async () => {
    const port = await secure({ requestCert: true, ca: certificate.cert })
    const transport = open({ url: `rediss://localhost:${port}`, tls: { ...certificate, ca: certificate.cert } })
    expect(await transport.send(read('PING'))).toBe('PONG')
    const without = open({ url: `rediss://localhost:${port}`, tls: { ca: certificate.cert } })
    await expect(without.send(read('PING'))).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringMatching(/ALERT.*tls\.cert and tls\.key$/),
    })
  })
})

describe('replies', () => {
  it('keep bytes, text, numbers and errors apart, beyond 2^53 too', async () => {
    const transport = open()
    const bytes = new Uint8Array([0, 255, 13, 10, 128])
    await transport.send(once('SET', 'tcp:bytes', bytes, 'PX', 60_000))
    await transport.send(once('SET', 'tcp:big', '9007199254740992', 'PX', 60_000))
    const [raw, length] = await transport.sendMany([read('GET', 'tcp:bytes'), read('STRLEN', 'tcp:bytes')], {
      bytes: true,
    })
    expect([raw, length]).toEqual([bytes, 5])
    expect(raw).not.toHaveProperty('readUInt8')
    expect(await transport.send(once('INCR', 'tcp:big'))).toBe(9007199254740993n)
    expect(await transport.send(once('INCR', 'tcp:bytes'))).toBeInstanceOf(ReplyError)
    expect(await transport.sendMany([])).toEqual([])
  })

  it('are answered in order to 10,000 at once, in one connection', async () => {
    const transport = open()
    const values = await Promise.all(Array.from({ length: 10_000 }, (_, i) => transport.send(read('ECHO', i))))
    expect(values).toEqual(Array.from({ length: 10_000 }, (_, i) => `${i}`))
  })

  it('above the limit are an error in their place, and hurt no other', async () => {
    const transport = open({ maxReplyBytes: 1000 })
    await transport.send(once('MSET', 'tcp:small', 's', 'tcp:large', 'x'.repeat(1001)))
    expect(await transport.send(read('MGET', 'tcp:large', 'tcp:small'))).toEqual([
      expect.objectContaining({ word: 'TOOLARGE' }),
      's',
    ])
    const store = tcpStore({ url: url(), maxValueBytes: 1000, maxReplyBytes: 1000 })
    closing.push(() => store.close())
    const outcomes = await Promise.allSettled(['tcp:small', 'tcp:large', 'tcp:none'].map((key) => store.get(key)))
    expect(outcomes).toMatchObject([
      { value: 's' },
      { reason: { code: 'STORE_REJECTED', reply: 'TOOLARGE' } },
      { value: undefined },
    ])
  })

  it('of a node of a Cluster lead to the other nodes, in batches and transactions too', async () => {
    const nodes = (process.env.CLUSTER_NODES as string).split(',')
    const transport = open({ url: `redis://${nodes[0]}` })
    const keys = Array.from({ length: 30 }, (_, i) => `tcp:lead:${i}`)
    const set = await transport.sendMany(keys.map((key) => once('SET', key, key, 'PX', 60_000)))
    expect(set).toEqual(keys.map(() => 'OK'))
    expect(await Promise.all(keys.map((key) => transport.send(read('GET', key))))).toEqual(keys)
    for (const key of keys.slice(0, 9)) {
      expect(await transport.transaction([once('INCR', `{${key}}n`), read('GET', key)])).toEqual([1, key])
      expect(await transport.send(once('DEL', `{${key}}n`))).toBe(1)
    }
    expect(transport.cluster).toBe(true)
  })
})

describe('the replies of one call', () => {
  const MB = 1024 * 1024
  it('have a common bound: past it each is an error in its place', async () => {
    const transport = open({ maxCallBytes: 3.5 * MB })
    await transport.send(once('SET', 'tcp:mb', 'x'.repeat(MB), 'PX', 60_000))
    const get = read('GET', 'tcp:mb')
    const sizes = (await transport.sendMany(Array.from({ length: 6 }, () => get))).map((reply) =>
      reply instanceof ReplyError ? reply.word : (reply as string).length,
    )
    expect(sizes).toEqual([MB, MB, MB, 'TOOLARGE', 'TOOLARGE', 'TOOLARGE'])
    // The bound holds for one call. Six calls may have 1 MB each, and small replies stay below it.
    const others = await Promise.all(Array.from({ length: 6 }, () => transport.send(get)))
    expect(others.every((reply) => (reply as string).length === MB)).toBe(true)
    expect(await transport.sendMany(Array.from({ length: 10_000 }, () => read('PING')))).toHaveLength(10_000)
    for (const bad of [0, -1, 1.5]) expect(() => open({ maxCallBytes: bad })).toThrow(code('INVALID_ARGUMENT'))
  })
  it('are dropped as they come once its caller has left, and those behind it are answered', async () => {
    const late: string[] = []
    const transport = open({ onEvent: ({ command }) => void late.push(command) })
    await transport.send(once('SET', 'tcp:mb', 'x'.repeat(MB), 'PX', 60_000))
    const gone = new AbortController()
    const many = transport.sendMany(
      Array.from({ length: 200 }, () => read('GET', 'tcp:mb')),
      { signal: gone.signal },
    )
    const behind = transport.send(read('ECHO', 'behind'))
    setTimeout(() => gone.abort(), 20)
    await expect(many).rejects.toMatchObject({ name: 'AbortError' })
    let most = 0
    const watch = setInterval(() => {
      most = Math.max(most, process.memoryUsage().heapUsed + process.memoryUsage().external)
    }, 1)
    const start = process.memoryUsage().heapUsed + process.memoryUsage().external
    expect(await behind).toBe('behind')
    clearInterval(watch)
    // 200 MB came, and most of it was freed as it came.
    expect(most - start).toBeLessThan(150 * MB)
    expect(late).toEqual(['GET'])
  })
})

describe('a transaction', () => {
  it('is contiguous among calls, whole or not at all', async () => {
    const transport = open()
    await transport.send(once('SET', 'tcp:text', 'x'))
    const [result] = await Promise.all([
      transport.transaction([once('SET', 'tcp:n', 1), once('INCR', 'tcp:n'), once('LPUSH', 'tcp:text', 1)]),
      ...Array.from({ length: 50 }, () => transport.send(read('GET', 'tcp:n'))),
    ])
    expect(result).toEqual(['OK', 2, expect.objectContaining({ word: 'WRONGTYPE' })])
    await expect(transport.transaction([once('SET', 'tcp:n', 5), once('NOSUCH')])).rejects.toMatchObject({
      code: 'STORE_REJECTED',
      command: 'NOSUCH',
      maybeExecuted: false,
    })
    expect(await transport.send(read('GET', 'tcp:n'))).toBe('2')
  })

  it('under WATCH has a connection of its own, and fails when the key changed', async () => {
    const transport = open()
    await expect(transport.send(read('WATCH', 'tcp:w'))).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    const own = await transport.exclusive()
    await own.send(read('WATCH', 'tcp:w'))
    await transport.send(once('SET', 'tcp:w', 'other'))
    await expect(own.transaction([once('SET', 'tcp:w', 'mine')])).rejects.toMatchObject({ reply: 'null' })
    expect(await own.transaction([once('SET', 'tcp:w', 'mine')])).toEqual(['OK'])
    own.release(false)
  })

  it('is not run on a connection that was opened anew, which watches nothing', async () => {
    const proxy = await proxied()
    const transport = open({ url: proxy.url })
    const own = await transport.exclusive()
    await own.send(read('WATCH', 'tcp:w'))
    proxy.cut()
    await pause(50)
    await expect(own.transaction([once('SET', 'tcp:w', 'mine')])).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      maybeExecuted: false,
    })
    own.release(false)
    const next = await transport.exclusive()
    expect(await next.send(read('PING'))).toBe('PONG')
    next.release(false)
  })

  it('takes what is given back, waits for it where all are lent, and gives up at its deadline or abort', async () => {
    const proxy = await proxied()
    const transport = open({ url: proxy.url })
    const own = await Promise.all(Array.from({ length: 4 }, () => transport.exclusive()))
    await Promise.all(own.map((each) => each.send(read('PING'))))
    expect(proxy.stats.open).toBe(4)
    await expect(transport.exclusive({ deadline: Date.now() + 30 })).rejects.toMatchObject({ code: 'TIMEOUT' })
    const abort = new AbortController()
    const aborted = transport.exclusive({ signal: abort.signal })
    abort.abort(new Error('left'))
    await expect(aborted).rejects.toThrow('left')
    const fifth = transport.exclusive()
    own[0]?.release(false)
    expect(await (await fifth).send(read('PING'))).toBe('PONG')
    for (const each of own) each.release(false)
    ;(await fifth).release(false)
    expect(proxy.stats.accepted).toBe(4)
  })
})

describe('what a shared connection must not be told', () => {
  it.each([
    ...['SUBSCRIBE', 'PSUBSCRIBE', 'SSUBSCRIBE', 'UNSUBSCRIBE', 'MONITOR', 'SYNC', 'PSYNC', 'HELLO', 'AUTH', 'SELECT'],
    ...['RESET', 'QUIT', 'MULTI', 'EXEC', 'DISCARD', 'WATCH', 'UNWATCH', 'WAIT', 'WAITAOF', 'CLIENT'],
  ])('%s', async (name) => {
    const transport = open()
    const command = once(name, 'reply', 'off')
    const refused = code('UNSUPPORTED', { maybeExecuted: false })
    await expect(transport.send(command)).rejects.toEqual(refused)
    await expect(transport.sendMany([command])).rejects.toEqual(refused)
    if (!/WATCH|WAIT/.test(name)) await expect(transport.transaction([command])).rejects.toEqual(refused)
    expect(await transport.send(read('CLIENT', 'GETNAME'))).toBe(null)
  })
})

describe('a command that waits', () => {
  it('holds nobody up', async () => {
    const transport = open()
    const waiting = ['BLPOP', 'BRPOP'].map((name) => transport.send(once(name, 'tcp:list', 5)))
    const stream = transport.send(read('XREAD', 'BLOCK', 5000, 'STREAMS', 'tcp:stream', '$'))
    await expect(transport.sendMany([once('BLPOP', 'tcp:list', 1), read('PING')])).rejects.toEqual(code('UNSUPPORTED'))
    expect(await transport.send(read('PING'))).toBe('PONG')
    await pause(100)
    await transport.send(once('RPUSH', 'tcp:list', 'a', 'b'))
    expect(await Promise.all(waiting)).toEqual(expect.arrayContaining([['tcp:list', 'a']]))
    await transport.send(once('XADD', 'tcp:stream', '*', 'f', 'v'))
    expect(await stream).toEqual([['tcp:stream', [[expect.any(String), ['f', 'v']]]]])
    await transport.send(once('DEL', 'tcp:list', 'tcp:stream'))
  })

  it('takes nothing for a caller that left', async () => {
    const transport = open()
    const abort = new AbortController()
    const left = transport.send(once('BLPOP', 'tcp:left', 0), { signal: abort.signal })
    const late = transport.send(once('BLPOP', 'tcp:left', 0), { deadline: Date.now() + 100 })
    await pause(50)
    abort.abort(new Error('left'))
    await expect(left).rejects.toThrow('left')
    await expect(late).rejects.toMatchObject({ code: 'TIMEOUT', maybeExecuted: true })
    await pause(50)
    expect(await transport.send(once('RPUSH', 'tcp:left', 'a'))).toBe(1)
    expect(await transport.send(once('DEL', 'tcp:left'))).toBe(1)
  })

  it('may wait longer than a silent connection is kept', async () => {
    const transport = open({ linkTimeoutMs: 100 })
    expect(await transport.send(once('BLPOP', 'tcp:none', 0.4))).toBe(null)
  })
})

describe('a connection', () => {
  it('that is silent while a reply is awaited is given up', async () => {
    const proxy = await proxied()
    const transport = open({ url: proxy.url, linkTimeoutMs: 100 })
    await transport.send(read('PING'))
    proxy.stall()
    await expect(transport.send(once('INCR', 'tcp:silent'))).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      retryable: true,
      maybeExecuted: true,
    })
    await proxy.pass()
    expect(await transport.send(read('PING'))).toBe('PONG')
    expect(proxy.stats.accepted).toBe(2)
  })

  it('may answer late after it was quiet for long: only silence on a call counts', async () => {
    const proxy = await proxied()
    const transport = open({ url: proxy.url, linkTimeoutMs: 1000 })
    await transport.send(read('PING'))
    await pause(1200)
    proxy.latency(150)
    expect(await transport.send(read('PING'))).toBe('PONG')
  })

  it('is not given up by a process that was held up itself', async () => {
    const transport = open({ linkTimeoutMs: 100 })
    await transport.send(read('PING'))
    const answer = transport.send(read('CLIENT', 'ID'))
    await new Promise(setImmediate)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 400)
    expect(await answer).toBe(await transport.send(read('CLIENT', 'ID')))
  })

  it('that takes too long to open is given up, and nothing ran', async () => {
    const silent = await fake(() => {})
    await expect(open({ url: silent, connectTimeoutMs: 100 }).send(once('INCR', 'x'))).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      maybeExecuted: false,
      message: expect.stringContaining('ETIMEDOUT'),
    })
  })

  it('that nobody used for a while is replaced first', async () => {
    const proxy = await proxied()
    const transport = open({ url: proxy.url, idleMs: 1000 })
    for (let i = 0; i < 3; i++) await transport.send(read('PING'))
    expect(proxy.stats.accepted).toBe(1)
    // A connection that the other side has silently forgotten: nothing is received on it any more.
    proxy.stall()
    await pause(1100)
    const answer = transport.send(once('INCR', 'tcp:idle'), { deadline: Date.now() + 2000 })
    await pause(20)
    await proxy.pass()
    expect(await answer).toEqual(expect.any(Number))
    expect(proxy.stats.accepted).toBe(2)
  })

  it('that cannot be had is not tried for by every call', async () => {
    let attempts = 0
    const shut = await fake((socket) => {
      attempts++
      socket.destroy()
    })
    const transport = open({ url: shut })
    const refused = { code: 'STORE_UNAVAILABLE', retryable: true, maybeExecuted: false }
    for (let i = 0; i < 100; i++) await expect(transport.send(once('INCR', 'x'))).rejects.toMatchObject(refused)
    expect(attempts).toBeGreaterThan(0)
    expect(attempts).toBeLessThan(50)
  })

  it('is tried for again by a later call', async () => {
    const port = await freePort()
    const transport = open({ url: `redis://127.0.0.1:${port}` })
    await expect(transport.send(read('PING'))).rejects.toEqual(code('STORE_UNAVAILABLE'))
    const server = await startServer('redis7', { port })
    try {
      await expect.poll(() => transport.send(read('PING')).catch(() => 'away'), { timeout: 5000 }).toBe('PONG')
    } finally {
      await server.stop()
    }
  })

  it('is refused options that do not exist', () => {
    for (const make of [tcpStore, tcpTransport]) {
      const wrong = { url: 'redis://127.0.0.1', timeout: 5 } as never
      expect(() => make(wrong)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
      for (const none of [undefined, null] as never[])
        expect(() => make(none)).toThrow(expect.objectContaining({ name: 'HitherError' }))
    }
  })
  it('to what is no Redis, or answers unasked, is BAD_REPLY', async () => {
    const web = await fake((socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    await expect(open({ url: web }).send(read('PING'))).rejects.toMatchObject({
      code: 'BAD_REPLY',
      maybeExecuted: false,
    })
    const talker = await fake((socket) => void socket.once('data', () => socket.write(`${HELLO}+OK\r\n+more\r\n`)))
    await expect(open({ url: talker }).send(once('INCR', 'x'))).rejects.toMatchObject({ code: 'BAD_REPLY' })
    const endless = await fake(
      (socket) =>
        void socket.once('data', () => {
          socket.write(HELLO)
          socket.once('data', () => socket.write('x'.repeat(70_000)))
        }),
    )
    const transport = open({ url: endless })
    await expect(transport.send(once('INCR', 'x'))).rejects.toMatchObject({ code: 'BAD_REPLY', maybeExecuted: true })
  })

  it('to a server that still loads, or is full, is STORE_UNAVAILABLE', async () => {
    for (const said of ['%1\r\n+proto\r\n:2\r\n-LOADING Redis is loading\r\n', '-DENIED protected mode\r\n+PONG\r\n']) {
      const server = await fake((socket) => void socket.once('data', () => socket.write(said)))
      await expect(open({ url: server }).send(once('INCR', 'x'))).rejects.toMatchObject({
        code: 'STORE_UNAVAILABLE',
        retryable: true,
        maybeExecuted: false,
        message: expect.stringMatching(/LOADING|DENIED/),
      })
    }
    const server = await startServer('redis7', { args: ['--maxclients', '1'] })
    const only = open({ url: server.url })
    try {
      await only.send(read('PING'))
      await expect(open({ url: server.url }).send(once('INCR', 'x'))).rejects.toMatchObject({
        code: 'STORE_UNAVAILABLE',
        retryable: true,
        maybeExecuted: false,
        message: expect.stringMatching(/maxclients/),
      })
    } finally {
      await only.close()
      await server.stop()
    }
  })

  it('to a primary that became a replica is left for a new one', async () => {
    const server = await startServer('redis7')
    const proxy = await proxied(server.url)
    try {
      const transport = open({ url: proxy.url })
      expect(await transport.send(once('SET', 'a', 1))).toBe('OK')
      await transport.send(once('REPLICAOF', '127.0.0.1', 1))
      const [set, get] = await Promise.all([transport.send(once('SET', 'a', 2)), transport.send(read('GET', 'a'))])
      expect([set, get]).toEqual([expect.objectContaining({ word: 'READONLY' }), '1'])
      expect(proxy.stats.accepted).toBe(1)
      await transport.send(read('PING'))
      expect(proxy.stats.accepted).toBe(2)
      await expect.poll(() => proxy.stats.open, { timeout: 20_000 }).toBe(1)
    } finally {
      await server.stop()
    }
  })

  it('that comes back does not send again what may have run', async () => {
    const proxy = await proxied()
    const transport = open({ url: proxy.url })
    await transport.send(once('SET', 'tcp:twice', 0))
    proxy.dropReplies(1)
    await expect(transport.send(once('INCR', 'tcp:twice'))).rejects.toMatchObject({ maybeExecuted: true })
    expect(await transport.send(read('GET', 'tcp:twice'))).toBe('1')
  })
})

describe('a caller that leaves', () => {
  it('gets its reason, and the late reply is counted and reaches nobody', async () => {
    const proxy = await proxied()
    const events: StoreEvent[] = []
    const transport = open({
      url: proxy.url,
      onEvent: (event) => {
        events.push(event)
        throw new Error('a listener that fails')
      },
    })
    await transport.send(read('PING'))
    proxy.latency(500)
    const abort = new AbortController()
    const left = transport.send(read('ECHO', 'left'), { signal: abort.signal })
    const stayed = transport.send(read('ECHO', 'stayed'))
    await pause(20)
    abort.abort(new Error('the caller left'))
    await expect(left).rejects.toThrow('the caller left')
    expect(await stayed).toBe('stayed')
    expect(events).toEqual([{ type: 'late-reply', command: 'ECHO' }])
  })

  it('before its command is written, takes it back', async () => {
    const proxy = await proxied()
    proxy.stall()
    const transport = open({ url: proxy.url })
    const abort = new AbortController()
    const left = transport.send(once('SET', 'tcp:taken', 'back'), { signal: abort.signal })
    const late = transport.send(once('SET', 'tcp:taken', 'back'), { deadline: Date.now() + 50 })
    const others = Array.from({ length: 10 }, (_, i) => transport.send(read('ECHO', i)))
    const stayed = transport.send(read('GET', 'tcp:taken'))
    abort.abort(new Error('left'))
    await expect(left).rejects.toThrow('left')
    await expect(late).rejects.toMatchObject({ code: 'TIMEOUT', maybeExecuted: false })
    await proxy.pass()
    expect(await stayed).toBe(null)
    expect(await Promise.all(others)).toEqual(others.map((_, i) => `${i}`))
  })

  it('has left before the call: nothing is sent', async () => {
    const proxy = await proxied()
    const transport = open({ url: proxy.url })
    await expect(transport.send(read('PING'), { signal: AbortSignal.abort('gone') })).rejects.toBe('gone')
    await expect(transport.send(read('PING'), { deadline: Date.now() - 1 })).rejects.toEqual(code('TIMEOUT'))
    expect(proxy.stats.accepted).toBe(0)
  })
})

describe('the queue', () => {
  it('is bounded, never below a public batch, and is free again after', async () => {
    const proxy = await proxied()
    const transport = open({ url: proxy.url, maxQueue: 10_000 })
    await transport.send(read('PING'))
    proxy.stall()
    const call = { deadline: Date.now() + 400 }
    const batch = transport.sendMany(
      Array.from({ length: 9999 }, (_, i) => read('ECHO', i)),
      call,
    )
    const last = transport.send(read('PING'))
    await expect(transport.send(once('INCR', 'x'))).rejects.toMatchObject({
      code: 'OVERLOADED',
      retryable: true,
      maybeExecuted: false,
    })
    await expect(batch).rejects.toEqual(code('TIMEOUT'))
    await proxy.pass()
    expect(await last).toBe('PONG')
    expect(await transport.sendMany(Array.from({ length: 10_000 }, (_, i) => read('ECHO', i)))).toHaveLength(10_000)
  })

  it('is not filled by callers that have left', async () => {
    const proxy = await proxied()
    proxy.stall()
    const transport = open({ url: proxy.url, maxQueue: 10_000, connectTimeoutMs: 60_000 })
    for (let round = 0; round < 3; round++) {
      const abort = new AbortController()
      const calls = Array.from({ length: 9000 }, () => transport.send(read('PING'), { signal: abort.signal }))
      abort.abort(new Error('left'))
      const outcomes = await Promise.allSettled(calls)
      expect(outcomes.filter((each) => each.status === 'rejected' && each.reason.message === 'left')).toHaveLength(9000)
    }
    const stayed = transport.sendMany(Array.from({ length: 9000 }, (_, i) => read('ECHO', i)))
    await proxy.pass()
    expect(await stayed).toHaveLength(9000)
    expect(await transport.sendMany(Array.from({ length: 10_000 }, (_, i) => read('ECHO', i)))).toHaveLength(10_000)
  })

  it('hands no more to a socket that is full: what waits was not sent, and is taken back', async () => {
    const proxy = await proxied()
    const transport = open({ url: proxy.url })
    await transport.send(read('PING'))
    proxy.stall()
    const value = new Uint8Array(1_000_000)
    const calls = Array.from({ length: 60 }, (_, i) =>
      transport.send(once('SET', `tcp:full:${i}`, value, 'PX', 60_000), { deadline: Date.now() + 1000 }),
    )
    const reasons = (await Promise.allSettled(calls)).map((each) => (each.status === 'rejected' ? each.reason : each))
    for (const reason of reasons) expect(reason).toMatchObject({ code: 'TIMEOUT' })
    const maybe = reasons.map(({ maybeExecuted }) => maybeExecuted)
    expect(maybe[0]).toBe(true)
    expect(maybe.at(-1)).toBe(false)
    const sent = maybe.indexOf(false)
    await proxy.pass()
    const keys = Array.from({ length: 60 }, (_, i) => `tcp:full:${i}`)
    expect(await transport.send(read('EXISTS', ...keys))).toBe(sent)
  })
})

describe('a subscription', () => {
  it('hears what is published, each channel its own, until it ends', async () => {
    const transport = open()
    const heard: string[] = []
    const publish = (channel: string, text: string): Promise<unknown> => transport.send(once('PUBLISH', channel, text))
    const ends = await Promise.all([
      transport.subscribe('tcp:a', (text) => heard.push(`a ${text}`)),
      transport.subscribe('tcp:a', (text) => heard.push(`also a ${text}`)),
      transport.subscribe('tcp:b', (text) => heard.push(`b ${text}`)),
    ])
    expect(await publish('tcp:a', 'žluť')).toBe(1)
    await publish('tcp:b', '2')
    await expect.poll(() => heard, { timeout: 20_000 }).toEqual(['a žluť', 'also a žluť', 'b 2'])
    await ends[0]?.()
    await ends[0]?.()
    await publish('tcp:a', '3')
    await expect.poll(() => heard.slice(3), { timeout: 20_000 }).toEqual(['also a 3'])
    await ends[1]?.()
    await expect.poll(() => publish('tcp:a', '4'), { timeout: 20_000 }).toBe(0)
    expect(await publish('tcp:b', '5')).toBe(1)
    await expect.poll(() => heard.slice(4), { timeout: 20_000 }).toEqual(['b 5'])
    await ends[2]?.()
    await expect.poll(() => publish('tcp:b', '6'), { timeout: 20_000 }).toBe(0)
    const again = await transport.subscribe('tcp:b', (text) => heard.push(`again ${text}`))
    await publish('tcp:b', '7')
    await expect.poll(() => heard.slice(5), { timeout: 20_000 }).toEqual(['again 7'])
    await again()
  })

  it('says that messages may be missing when its link is cut, and once more when it hears again', async () => {
    const proxy = await proxied()
    const events: string[] = []
    const transport = open({ url: proxy.url, onEvent: ({ type }) => events.push(type) })
    const direct = open()
    const heard: string[] = []
    await transport.subscribe(
      'tcp:gap',
      (text) => heard.push(text),
      () => heard.push('gap'),
    )
    await direct.send(once('PUBLISH', 'tcp:gap', '1'))
    await expect.poll(() => heard, { timeout: 20_000 }).toEqual(['1'])
    proxy.cut()
    await expect.poll(() => heard, { timeout: 5000 }).toEqual(['1', 'gap', 'gap'])
    expect(await direct.send(once('PUBLISH', 'tcp:gap', '2'))).toBe(1)
    await expect.poll(() => heard, { timeout: 20_000 }).toEqual(['1', 'gap', 'gap', '2'])
    expect(events).toEqual(['feed-gap', 'feed-gap'])
  })

  it('finds out by itself that its link is dead', async () => {
    const proxy = await proxied()
    const transport = open({ url: proxy.url })
    let gaps = 0
    await transport.subscribe(
      'tcp:dead',
      () => {},
      () => gaps++,
    )
    await pause(1200)
    expect([gaps, proxy.stats.accepted]).toEqual([0, 1])
    proxy.stall()
    await expect.poll(() => gaps, { timeout: 5000 }).toBe(1)
    await proxy.pass()
    await expect.poll(() => gaps, { timeout: 10_000 }).toBe(2)
  })

  it('that cannot begin rejects, and can be tried again', async () => {
    const proxy = await proxied()
    await proxy.refuse()
    const transport = open({ url: proxy.url })
    await expect(transport.subscribe('tcp:c', () => {})).rejects.toEqual(code('STORE_UNAVAILABLE'))
    await proxy.pass()
    const end = await transport.subscribe('tcp:c', () => {})
    await end()
  })
})

describe('close', () => {
  it('lets what is under way be answered, and rejects what comes later', async () => {
    const proxy = await proxied()
    const transport = tcpTransport({ url: proxy.url })
    await transport.send(read('PING'))
    await transport.subscribe('tcp:close', () => {})
    proxy.latency(50)
    const under = transport.send(read('ECHO', 'under way'))
    await pause(10)
    const done = transport.close()
    await expect(transport.send(read('PING'))).rejects.toEqual(code('CLOSED'))
    await expect(transport.sendMany([read('PING')])).rejects.toEqual(code('CLOSED'))
    await expect(transport.transaction([])).rejects.toEqual(code('CLOSED'))
    await expect(transport.exclusive()).rejects.toEqual(code('CLOSED'))
    await expect(transport.send(once('BLPOP', 'x', 0))).rejects.toEqual(code('CLOSED'))
    await expect(transport.subscribe('x', () => {})).rejects.toEqual(code('CLOSED'))
    expect(await under).toBe('under way')
    await done
    await transport.close()
    await expect.poll(() => proxy.stats.open, { timeout: 20_000 }).toBe(0)
  })

  it('waits for no server that is silent, nor for one that is still being reached', async () => {
    const silent = await fake(() => {})
    const transport = tcpTransport({ url: silent })
    const waiting = transport.send(read('PING'))
    await Promise.all([transport.close(), expect(waiting).rejects.toEqual(code('CLOSED', { maybeExecuted: false }))])
    const proxy = await proxied()
    const second = tcpTransport({ url: proxy.url })
    await second.send(read('PING'))
    proxy.stall()
    const lost = second.send(once('INCR', 'tcp:closing'))
    await pause(10)
    await Promise.all([second.close(), expect(lost).rejects.toEqual(code('CLOSED', { maybeExecuted: true }))])
  })
})

describe('RESP3', () => {
  it('answers as RESP2 does where a reply has one shape, and connects the same', async () => {
    const two = open({ protocol: 2 })
    const three = open({ protocol: 3 })
    const redis = client()
    await redis.del('tcp:h', 'tcp:s', 'tcp:z')
    await redis.hset('tcp:h', { a: '1', b: 'ž' })
    await redis.sadd('tcp:s', 'x')
    await redis.zadd('tcp:z', 1.5, 'm')
    const commands = [
      ['HGETALL', 'tcp:h'],
      ['SMEMBERS', 'tcp:s'],
      ['SISMEMBER', 'tcp:s', 'x'],
      ['ZSCORE', 'tcp:z', 'm'],
      ['ZINCRBY', 'tcp:z', 0, 'm'],
      ['GET', 'tcp:none'],
      ['LRANGE', 'tcp:none', 0, -1],
      ['CONFIG', 'GET', 'port'],
      ['EVAL', 'redis.setresp(3) return {map={a=1}}', 0],
      ['EVAL', 'return {1,false,"a"}', 0],
      ['NOSUCH'],
    ].map((args): Command => ({ args, effect: 'read' }))
    expect(await three.sendMany(commands)).toEqual(await two.sendMany(commands))
    for (const transport of [two, three]) {
      expect(await transport.send(read('HGETALL', 'tcp:h'), { bytes: true })).toEqual(
        ['a', '1', 'b', 'ž'].map((text) => new TextEncoder().encode(text)),
      )
    }
  })
})
