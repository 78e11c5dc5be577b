import { execFileSync } from 'node:child_process'
import { type AddressInfo, createServer, type Server as NetServer } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { Cluster, Redis } from 'ioredis'
import { Redis as Redis5 } from 'ioredis5'
import { Redis as Valkey } from 'iovalkey'
import { afterEach, describe, expect, it } from 'vitest'
import { lost } from '../../adapters/ioredis/errors.ts'
import { connect, type IoredisLike, ioredisStore, ioredisTransport } from '../../adapters/ioredis/index.ts'
import { ask, startServer } from '../../scripts/servers.ts'
import { slotOf } from '../../src/store/hash-slot.ts'
import { ReplyError } from '../../src/store/transport.ts'
import { certificate } from '../support/certificate.ts'
import { onSources } from '../support/fork-source.ts'

// The adapter over ioredis 5 and 6 and over iovalkey: slots, databases, close, options that it refuses, `connect`, raw replies,
// large integers, clients that belong to the application, and endpoints that are wrong.

const safe = { enableOfflineQueue: false, maxRetriesPerRequest: 0 }
const manySafe = { enableOfflineQueue: false, retryDelayOnFailover: 0, redisOptions: { maxRetriesPerRequest: 0 } }
const url = (): string => process.env.REDIS8_URL as string

/** What the constructors of the three packages have in common: they take a port, a host, a url and options in the same order. */
type Make = new (...args: (string | number | object)[]) => IoredisLike
const makes: readonly Make[] = [Redis, Redis5, Valkey]

const clients: IoredisLike[] = []
const keep = <C extends IoredisLike>(client: C): C => {
  clients.push(client)
  return client
}
afterEach(() => {
  for (const client of clients.splice(0)) client.disconnect()
})

describe('slotOf', () => {
  it('agrees with the server, hash tags included', async () => {
    const port = Number((process.env.CLUSTER_NODES as string).split(',')[0]?.split(':')[1])
    const client = keep(new Redis(port, '127.0.0.1', safe))
    await new Promise((done) => client.once('ready', done))
    for (const key of ['', 'foo', '123456789', '{a}b', 'x{a}b', '{}b', '{a', 'a}', '{{a}}', 'x{}{a}', 'naïve€😀']) {
      expect([key, slotOf(key)]).toEqual([key, await client.call('CLUSTER', ['KEYSLOT', key])])
    }
  })
})

describe('a client that was let into another database than it asked for', () => {
  const refused = { code: 'STORE_REJECTED', command: 'SELECT' }
  it('is refused at every call: nothing is read from that one, nor written to it', async () => {
    const opens: (() => IoredisLike | Promise<IoredisLike>)[] = [
      ...makes.map((Made) => () => new Made(url(), { ...safe, db: 4711 })),
      () => connect(`${url()}/4711`),
      () => connect(`${url()}?db=4711`),
    ]
    for (const open of opens) {
      const store = ioredisStore(keep(await open()))
      await expect(store.set('ioredis:astray', 'x', 1000)).rejects.toMatchObject(refused)
      await expect(store.ready()).rejects.toMatchObject(refused)
      await expect(store.transport?.transaction([{ args: ['PING'], effect: 'read' }])).rejects.toMatchObject(refused)
      await expect(store.getMany(['ioredis:astray', 'b'])).rejects.toMatchObject(refused)
    }
  })
  it('until a connection is let into its own', async () => {
    const port = Number(new URL(url()).port)
    await ask(port, 'ACL SETUSER astray on >secret ~* +@all -select')
    const store = ioredisStore(keep(await connect(`redis://astray:secret@127.0.0.1:${port}/3`)))
    await expect(store.get('a')).rejects.toMatchObject({
      code: 'UNAUTHORIZED',
      message: expect.stringContaining('SELECT'),
    })
    await ask(port, 'ACL SETUSER astray +select')
    await ask(port, 'CLIENT KILL USER astray')
    await expect.poll(() => store.get('ioredis:none').catch(({ code }) => code)).toBeUndefined()
    await ask(port, 'ACL DELUSER astray')
  })
})

describe('close', () => {
  it('leaves no timer', async () => {
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
    const before = timers()
    const store = ioredisStore(await connect(url()))
    await store.set('ioredis:closed', 'x', 1000)
    await store.close()
    expect(timers()).toBeLessThanOrEqual(before)
  })
  it('leaves none that a process would wait for, where nothing listens', async () => {
    const client = await connect('redis://127.0.0.1:1')
    await new Promise((done) => client.on('close', done))
    const store = ioredisStore(client)
    const { setTimeout: set } = globalThis
    const longest: number[] = []
    globalThis.setTimeout = ((run: () => void, ms = 0, ...more: unknown[]) => {
      longest.push(ms)
      return set(run, ms, ...more)
    }) as typeof set
    try {
      await store.close()
    } finally {
      globalThis.setTimeout = set
    }
    expect(Math.max(0, ...longest)).toBeLessThanOrEqual(100)
  })
})

describe('the replies of one call', () => {
  it('have a common bound: past it each is an error in its place', async () => {
    const transport = ioredisTransport(keep(new Redis(url(), safe)))
    await transport.send({ args: ['SET', 'ioredis:mb', 'x'.repeat(8 * 1024 * 1024), 'PX', 60_000], effect: 'once' })
    const get = { args: ['GET', 'ioredis:mb'], effect: 'read' } as const
    const replies = await transport.sendMany([...Array.from({ length: 9 }, () => get), { ...get, args: ['PING'] }])
    const errors = replies.map((reply) => (reply instanceof ReplyError ? reply.word : 'text'))
    expect(errors).toEqual([...Array.from({ length: 7 }, () => 'text'), 'TOOLARGE', 'TOOLARGE', 'TOOLARGE'])
  })
})

describe('construction', () => {
  it('refuses an option that there is not, by name', () => {
    expect(() => ioredisStore({} as never, { timeout: 5 } as never)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.stringContaining('timeout') }),
    )
  })
  const lazy = { ...safe, lazyConnect: true }
  const single: [string, Record<string, unknown>][] = [
    ['enableOfflineQueue', { enableOfflineQueue: true }],
    ['maxRetriesPerRequest', { maxRetriesPerRequest: 20 }],
    ['maxRetriesPerRequest', { maxRetriesPerRequest: null }],
    ['enableAutoPipelining', { enableAutoPipelining: true }],
    ['keyPrefix', { keyPrefix: 'app:' }],
    ['stringNumbers', { stringNumbers: true }],
    ['readOnly', { readOnly: true }],
    ['role', { sentinels: [{ host: '127.0.0.1', port: 1 }], name: 'x', role: 'slave' }],
    ['mode', { monitor: true }],
  ]
  for (const [setting, options] of single) {
    it(`names ${setting} of ${JSON.stringify(options)}`, () => {
      for (const Made of makes) {
        const client = keep(new Made({ ...lazy, ...options }))
        expect(() => ioredisStore(client)).toThrow(
          expect.objectContaining({ code: 'UNSAFE_CLIENT', message: expect.stringContaining(setting) }),
        )
      }
    })
  }
  it('names all that is wrong at once', () => {
    const client = keep(new Redis({ lazyConnect: true }))
    expect(() => ioredisStore(client as unknown as IoredisLike)).toThrow(
      /enableOfflineQueue to false.*; set maxRetriesPerRequest to 0/,
    )
  })
  it('names replyMapping', () => {
    const client = keep(new Redis({ ...lazy, replyMapping: 'resp3' }))
    expect(() => ioredisStore(client as unknown as IoredisLike)).toThrow(
      expect.objectContaining({ code: 'UNSAFE_CLIENT' }),
    )
  })
  const many: [string, Record<string, unknown>][] = [
    ['enableOfflineQueue', { enableOfflineQueue: true }],
    ['retryDelayOnFailover', { retryDelayOnFailover: 100 }],
    ['redisOptions.maxRetriesPerRequest', { redisOptions: {} }],
    ['redisOptions.enableOfflineQueue', { redisOptions: { maxRetriesPerRequest: 0, enableOfflineQueue: false } }],
    ['scaleReads', { scaleReads: 'slave' }],
    ['keyPrefix', { redisOptions: { maxRetriesPerRequest: 0, keyPrefix: 'a:' } }],
  ]
  for (const [setting, options] of many) {
    it(`names ${setting} of a Cluster`, () => {
      const client = keep(new Cluster([{ host: '127.0.0.1', port: 1 }], { ...manySafe, lazyConnect: true, ...options }))
      expect(() => ioredisStore(client)).toThrow(
        expect.objectContaining({ code: 'UNSAFE_CLIENT', message: expect.stringContaining(`set ${setting} to`) }),
      )
    })
  }
  it('accepts the settings it asks for', () => {
    for (const Made of makes) ioredisStore(keep(new Made(lazy)))
    ioredisStore(keep(new Cluster([{ host: '127.0.0.1', port: 1 }], { ...manySafe, lazyConnect: true })))
  })
  it('refuses what is no client', () => {
    for (const value of [undefined, null, {}, 'redis://x', new Map()]) {
      expect(() => ioredisStore(value as unknown as IoredisLike)).toThrow(
        expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
      )
    }
  })
})

describe('connect', () => {
  it('refuses a malformed url without showing it', async () => {
    for (const bad of ['', 'localhost', 'http://localhost:6379', 'redis://', 'redis://h/x', 'redis://:s3cret%zz@h']) {
      const error = await connect(bad).catch((caught: unknown) => caught)
      expect(error).toMatchObject({ code: 'INVALID_URL' })
      expect(String(error)).not.toContain('s3cret')
    }
    await expect(connect([])).rejects.toMatchObject({ code: 'INVALID_URL' })
  })
  it('makes a client that works, and close() ends it', async () => {
    const client = await connect(url())
    const store = ioredisStore(client)
    await store.ready()
    await store.close()
    await store.close()
    await until(() => client.status === 'end')
    await expect(store.get('k')).rejects.toMatchObject({ code: 'CLOSED' })
  })
  it('makes a Cluster of several urls', async () => {
    const urls = (process.env.CLUSTER_NODES as string).split(',').map((node) => `redis://${node}`)
    const store = ioredisStore(await connect(urls))
    await Promise.all(Array.from({ length: 50 }, (_, i) => store.set(`ioc:${i}`, `${i}`, 60_000)))
    expect(await store.getMany(['ioc:7', 'ioc:8'])).toEqual(['7', '8'])
    const seen = new Set<string>()
    for await (const key of store.scan?.('ioc:*') ?? []) seen.add(key)
    expect(seen.size).toBe(50)
    await store.close()
  })
  it('names ioredis when it is not installed', () => {
    const program = `
      import { registerHooks } from 'node:module'
      registerHooks({ resolve(name, context, next) {
        if (name === 'ioredis') throw new Error('Cannot find package')
        return next(name, context)
      } })
      const { connect } = await import(${JSON.stringify(new URL('../../adapters/ioredis/index.ts', import.meta.url).href)})
      const error = await connect('redis://127.0.0.1:1').catch((caught) => caught)
      console.log(error.code, error.message)`
    const args = [...onSources, '--input-type=module', '-e', program]
    const out = execFileSync(process.execPath, args, { encoding: 'utf8' })
    expect(out).toMatch(/^UNSUPPORTED .*npm install ioredis/)
  })
})

describe('raw replies', () => {
  for (const Made of makes) {
    it(`arrive as the server gave them: ${Made === Redis ? 'ioredis 6' : Made === Redis5 ? 'ioredis 5' : 'iovalkey'}`, async () => {
      const transport = ioredisTransport(keep(new Made(url(), { ...safe, protocol: 2 })))
      const send = (...args: (string | number | Uint8Array)[]): Promise<unknown> =>
        transport.send({ args, effect: 'once' })
      await send('DEL', 'raw:h', 'raw:z', 'raw:s')
      await send('HSET', 'raw:h', 'a', 1)
      await send('ZADD', 'raw:z', 1.5, 'm')
      await send('SET', 'raw:s', new Uint8Array([0, 255, 13, 10]))
      expect(await send('HGETALL', 'raw:h')).toEqual(['a', '1'])
      expect(await send('ZRANGE', 'raw:z', 0, -1, 'WITHSCORES')).toEqual(['m', '1.5'])
      const call = { bytes: true }
      expect(await transport.send({ args: ['GET', 'raw:s'], effect: 'read' }, call)).toEqual(
        new Uint8Array([0, 255, 13, 10]),
      )
      expect(await send('EVAL', "return {1, 'x', false, {2, redis.error_reply('ERR in')}}", 0)).toEqual([
        1,
        'x',
        null,
        [2, new ReplyError('ERR in')],
      ])
      const [ok, wrong, got] = await transport.sendMany([
        { args: ['SET', 'raw:s', 'x'], effect: 'once' },
        { args: ['LPUSH', 'raw:s', 'x'], effect: 'once' },
        { args: ['GET', 'raw:s'], effect: 'read' },
      ])
      expect([ok, (wrong as ReplyError).word, got]).toEqual(['OK', 'WRONGTYPE', 'x'])
      expect(
        await transport.transaction([
          { args: ['INCRBY', 'raw:n', 1], effect: 'once' },
          { args: ['DEL', 'raw:n'], effect: 'repeat' },
        ]),
      ).toEqual([1, 1])
      await expect(transport.transaction([{ args: ['NOSUCH'], effect: 'once' }])).rejects.toMatchObject({
        code: 'STORE_REJECTED',
        command: 'NOSUCH',
        maybeExecuted: false,
      })
      await transport.close()
    })
  }
})

describe('integers beyond 2^53', () => {
  it('arrive whole from a client with stringNumbers, beside numbers and text that looks like one', async () => {
    for (const Made of makes) {
      const transport = ioredisTransport(keep(new Made(url(), { ...safe, protocol: 2, stringNumbers: true })))
      const send = (bytes: boolean, ...args: string[]): Promise<unknown> =>
        transport.send({ args, effect: 'once' }, { bytes })
      expect(await send(false, 'SET', 'exact', '-9223372036854775807')).toBe('OK')
      expect(await send(false, 'DECR', 'exact')).toBe(-9223372036854775808n)
      expect(await send(false, 'GET', 'exact')).toBe('-9223372036854775808')
      expect(await send(true, 'GET', 'exact')).toEqual(new TextEncoder().encode('-9223372036854775808'))
      const script = "return {7, '7', {9007199254740991, -1}, false, redis.error_reply('ERR in')}"
      expect(await send(false, 'EVAL', script, '0')).toEqual([
        7,
        '7',
        [9007199254740991, -1],
        null,
        new ReplyError('ERR in'),
      ])
      expect(await send(false, 'DEL', 'exact')).toBe(1)
      await transport.close()
    }
  })
})

describe('a borrowed client', () => {
  it('is left as it was by close()', async () => {
    const client = keep(new Redis(url(), safe))
    const before = client.eventNames().map((name) => [name, client.listenerCount(name)])
    const store = ioredisStore(client)
    await store.set('ioredis:mine', 'x', 60_000)
    expect(client.listenerCount('error')).toBe(1)
    await store.close()
    expect(client.status).toBe('ready')
    expect(
      client
        .eventNames()
        .map((name) => [name, client.listenerCount(name)])
        .filter(([, n]) => n !== 0),
    ).toEqual(before.filter(([name]) => name !== 'ready' && name !== 'close'))
  })
  it('may be lazy', async () => {
    for (const Made of makes) {
      const store = ioredisStore(keep(new Made(url(), { ...safe, lazyConnect: true })))
      expect(await store.get('ioredis:none')).toBeUndefined()
    }
  })
  it('hears messages of a channel until it ends', async () => {
    const store = ioredisStore(keep(new Redis(url(), safe)))
    const got: string[] = []
    const end = await store.subscribe?.('ioredis:ch', (message) => got.push(message))
    await store.publish?.('ioredis:ch', 'one')
    await until(() => got.length === 1)
    await end?.()
    expect(await store.publish?.('ioredis:ch', 'two')).toBe(0)
    expect(got).toEqual(['one'])
    await store.close()
  })
  it('has no subscription left that nobody ended when the store is closed', async () => {
    const client = keep(new Redis(url(), safe))
    const early = ioredisStore(client)
    const started = early.subscribe?.('ioredis:left', () => {})
    await early.close()
    await expect(started).rejects.toMatchObject({ code: 'CLOSED' })
    const store = ioredisStore(client)
    await store.subscribe?.('ioredis:left', () => {})
    expect(await client.publish('ioredis:left', 'x')).toBe(1)
    await store.close()
    for (let left = 200; (await client.publish('ioredis:left', 'x')) > 0; left--) {
      expect(left).toBeGreaterThan(0)
      await new Promise((next) => setTimeout(next, 10))
    }
  })
})

describe('bad endpoints', () => {
  for (const Made of makes) {
    const name = Made === Redis ? 'ioredis 6' : Made === Redis5 ? 'ioredis 5' : 'iovalkey'
    it(`a wrong password is UNAUTHORIZED, and shown nowhere: ${name}`, async () => {
      const server = await startServer('redis8', { args: ['--requirepass', 'right-one'] })
      try {
        for (const password of ['s3cret', '']) {
          const store = ioredisStore(keep(new Made(server.port, '127.0.0.1', { ...safe, password })))
          for (let i = 0; i < 2; i++) {
            const error = await store.get('k').catch((caught: unknown) => caught)
            expect(error).toMatchObject({ code: 'UNAUTHORIZED', maybeExecuted: false })
            expect(JSON.stringify(error) + String((error as Error).cause)).not.toContain('s3cret')
          }
          await store.close()
        }
      } finally {
        await server.stop()
      }
    })
    it(`an unreachable host is STORE_UNAVAILABLE, and nothing ran: ${name}`, async () => {
      const store = ioredisStore(keep(new Made(1, '127.0.0.1', { ...safe, retryStrategy: () => 50 })))
      for (let i = 0; i < 3; i++) {
        await expect(store.set('k', 'v')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', maybeExecuted: false })
      }
    })
    it(`a server that is not Redis is BAD_REPLY: ${name}`, async () => {
      const server = await listen((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
      const store = ioredisStore(keep(new Made((server.address() as AddressInfo).port, '127.0.0.1', safe)))
      await expect(store.get('k')).rejects.toMatchObject({ code: 'BAD_REPLY' })
      server.close()
    })
    it(`a server that says nothing is TIMEOUT, and nothing was sent: ${name}`, async () => {
      const server = await listen(() => {})
      const client = keep(new Made((server.address() as AddressInfo).port, '127.0.0.1', safe))
      const transport = ioredisTransport(client)
      await expect(
        transport.send({ args: ['SET', 'k', 'v'], effect: 'once' }, { deadline: Date.now() + 100 }),
      ).rejects.toMatchObject({ code: 'TIMEOUT', maybeExecuted: false })
      client.disconnect()
      server.close()
    })
  }
  it('a certificate for another name is said to be that, also by a Cluster, and servername mends it', async () => {
    const server = createTlsServer(certificate, (socket) =>
      socket.on('error', () => {}).on('data', () => socket.write('+OK\r\n')),
    )
    server.on('tlsClientError', () => {})
    await new Promise<void>((done) => server.listen(0, '127.0.0.2', done))
    const at = `rediss://127.0.0.2:${(server.address() as AddressInfo).port}`
    for (const cluster of [true, false]) {
      const client = keep(await connect(at, { cluster, client: { tls: { ca: certificate.cert } } }))
      client.on('error', () => {})
      const error = await ioredisStore(client)
        .get('k')
        .catch((caught) => caught)
      expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE', maybeExecuted: false })
      expect(error.message).toContain('servername')
      expect(error.message).toContain('dnsLookup')
      client.disconnect()
    }
    const tls = { ca: certificate.cert, servername: 'localhost' }
    const single = keep(await connect(at, { client: { tls, enableReadyCheck: false } }))
    expect(await ioredisTransport(single).send({ args: ['PING'], effect: 'read' })).toBe('OK')
    single.disconnect()
    server.close()
  })
  it('a Cluster none of whose nodes answers is STORE_UNAVAILABLE', async () => {
    const store = ioredisStore(keep(new Cluster([{ host: '127.0.0.1', port: 1 }], manySafe)))
    await expect(store.set('k', 'v')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', maybeExecuted: false })
  })
})

function listen(serve: (socket: import('node:net').Socket) => void): Promise<NetServer> {
  return new Promise((done) => {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      serve(socket)
    }).listen(0, '127.0.0.1', () => done(server))
  })
}

async function until(done: () => boolean): Promise<void> {
  for (let i = 0; i < 200 && !done(); i++) await new Promise((next) => setTimeout(next, 10))
  expect(done()).toBe(true)
}

it.each([
  ['CERT_HAS_EXPIRED', 'check tls.ca'],
  ['EMFILE', 'ulimit -n'],
  ['ECONNREFUSED', 'host and port'],
])('says what to look at where a connection fails: %s', (code, what) => {
  expect(lost(Object.assign(new Error(), { code }), false, 'reconnecting').message).toContain(what)
})

describe('a server without TLS that is called by TLS', () => {
  it('is asked about, where it greets in plain text', async () => {
    const server = createServer((socket) => {
      socket.on('error', () => {})
      socket.write('-ERR this is plain text\r\n')
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    const client = await connect(`rediss://127.0.0.1:${port}`)
    await expect(ioredisStore(client).get('k')).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringContaining('is it TLS? redis:// is for a server without'),
    })
    client.disconnect()
    server.close()
  })
})
