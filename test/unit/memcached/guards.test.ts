import { createServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { MemcachedStore } from '../../../adapters/memcached/index.ts'
import { type MemcachedStoreOptions, memcachedStore } from '../../../adapters/memcached/index.ts'
import { createRing } from '../../../adapters/memcached/ring.ts'
import { addFlags, condition, setFlags, wireKey } from '../../../adapters/memcached/wire.ts'
import type { Operation } from '../../../src/index.ts'

// How the store guards itself, against a fake server.

/** The fake server: takes each line, and returns what to write, nothing, or `end` to cut the connection. */
type Play = (line: string, socket: Socket) => string | undefined

const open: (() => Promise<void>)[] = []
afterEach(async () => {
  vi.restoreAllMocks()
  for (const close of open.splice(0)) await close()
})

async function serve(play: Play, options: Partial<MemcachedStoreOptions> = {}, login = '') {
  const lines: string[] = []
  const sockets = new Set<Socket>()
  let connections = 0
  const server: Server = createServer((socket) => {
    connections++
    sockets.add(socket)
    let rest = ''
    socket
      .on('error', () => {})
      .on('data', (data: Buffer) => {
        rest += data.toString('latin1')
        for (let end = rest.indexOf('\r\n'); end >= 0; end = rest.indexOf('\r\n')) {
          const line = rest.slice(0, end)
          rest = rest.slice(end + 2)
          lines.push(line)
          const reply = play(line, socket)
          if (reply === 'end') socket.destroy()
          else if (reply) socket.write(reply)
        }
      })
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  const store: MemcachedStore = memcachedStore({ servers: [`Memcached://${login}127.0.0.1:${port}`], ...options })
  open.push(async () => {
    await store.close()
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { store, lines, connections: () => connections }
}

/** The key and the request number of a command, as a server repeats them. */
const tail = (line: string): string => {
  const [, key = ''] = line.split(' ')
  return ` k${key}${line.includes(' b ') ? ' b' : ''} ${/O\d+/.exec(line)?.[0]}`
}
const hit = (line: string, value: string, flags = 0): string =>
  `VA ${value.length} f${flags}${tail(line)}\r\n${value}\r\n`
const FRAMED = 0x68697468
const append: Operation<readonly [text: string], string> = {
  name: 'test.append',
  effect: 'once',
  lua: '',
  apply: (current = '', [text]) => ({ next: current + text, ttl: 'none', reply: current + text }),
}

describe('TLS options of which no socket can be made', () => {
  it('are an error of each call, and end nothing later', async () => {
    const late: unknown[] = []
    const hear = (error: unknown): void => void late.push(error)
    process.on('uncaughtException', hear)
    const options = { servers: ['memcacheds://127.0.0.1:1'], tls: { ca: 5 }, connectTimeoutMs: 10 }
    const store = memcachedStore(options as never)
    const error = { code: 'INVALID_ARGUMENT', maybeExecuted: false, message: expect.stringContaining('check tls') }
    await expect(store.set('k', 'v')).rejects.toMatchObject(error)
    await expect(store.scan('*')[Symbol.asyncIterator]().next()).rejects.toMatchObject(error)
    // Node's error about a PFX file has no code.
    const pfx = memcachedStore({ ...options, tls: { pfx: new Uint8Array([1, 2]) } } as never)
    await expect(pfx.set('k', 'v')).rejects.toMatchObject(error)
    await pfx.close()
    // Node begins to connect before it refuses this name.
    const plain = createServer((socket) => socket.on('error', () => {}).end('ERROR\r\n')).listen(0, '127.0.0.1')
    open.push(async () => void plain.close())
    await new Promise((resolve) => plain.once('listening', resolve))
    const { port } = plain.address() as { port: number }
    const servers = [`memcacheds://127.0.0.1:${port}`]
    await expect(memcachedStore({ servers, tls: { servername: 5 } }).get('k')).rejects.toMatchObject(error)
    await new Promise((resolve) => setTimeout(resolve, 50))
    process.off('uncaughtException', hear)
    expect(late).toEqual([])
    await store.close()
  })
})

describe('a scan', () => {
  it('names no digest of a key that has ended since it was listed', async () => {
    const [ended, foreign] = ['E', 'F'].map((letter) => `~sha256:${letter.repeat(43)}`) as [string, string]
    const listed = ['a', ended, foreign].map((key) => `key=${key} exp=-1\r\n`).join('')
    const { store } = await serve((line) => {
      if (line.startsWith('lru_crawler')) return `${listed}END\r\n`
      return line.includes(ended) ? `EN${tail(line)}\r\n` : hit(line, 'by another program')
    })
    const keys: string[] = []
    for await (const key of store.scan('*')) keys.push(key)
    expect(keys).toEqual(['a', foreign])
  })
})

describe('a reply', () => {
  it('that names another request is nobody’s, and ends the connection', async () => {
    let first = true
    const { store, connections } = await serve((line) => {
      const reply = hit(line, 'v')
      if (!first) return reply
      first = false
      return reply.replace(/O\d+/, 'O999999')
    })
    await expect(store.get('k')).rejects.toMatchObject({ code: 'BAD_REPLY' })
    expect(await store.get('k')).toBe('v')
    expect(connections()).toBe(2)
  })
  it('that names another key is nobody’s', async () => {
    const { store } = await serve((line) => hit(line, 'v').replace(' kmine ', ' kyour '))
    await expect(store.get('mine')).rejects.toMatchObject({ code: 'BAD_REPLY' })
  })
  it('that nobody waits for ends the connection', async () => {
    const { store, connections } = await serve((line) => `${hit(line, 'v')}HD\r\n`)
    expect(await store.get('k')).toBe('v')
    expect(await store.get('k')).toBe('v')
    expect(connections()).toBe(2)
  })
  it('that names another key only by its form is nobody’s', async () => {
    const { store } = await serve((line) => hit(line, 'v').replace(' b ', ' c '))
    await expect(store.get('é')).rejects.toMatchObject({ code: 'BAD_REPLY' })
  })
  it('that the server is full says so by the word that Redis has for it', async () => {
    const { store } = await serve(() => 'SERVER_ERROR out of memory storing object\r\n')
    const full = { code: 'STORE_REJECTED', reply: 'OOM' }
    await expect(store.set('k', 'v')).rejects.toMatchObject(full)
  })
  it('with more behind its number is nobody’s', async () => {
    const { store } = await serve((line) => `EN${tail(line)}1\r\n`)
    await expect(store.get('k')).rejects.toMatchObject({ code: 'BAD_REPLY' })
  })
  it('without flags does not have those of the one before', async () => {
    const { store } = await serve((line) =>
      line.startsWith('mg framed') ? hit(line, '0 0 v', FRAMED) : `VA 1${tail(line)}\r\nv\r\n`,
    )
    expect(await store.getMany(['framed', 'plain'])).toEqual(['v', 'v'])
  })
  it('that says the command was not understood ends the connection', async () => {
    for (const error of ['ERROR\r\n', 'CLIENT_ERROR bad command line format\r\n']) {
      let first = true
      const { store, connections } = await serve((line) => {
        if (!first) return hit(line, 'v')
        first = false
        return error
      })
      await expect(store.get('k')).rejects.toMatchObject({ code: 'STORE_REJECTED' })
      expect(await store.get('k')).toBe('v')
      expect(connections()).toBe(2)
    }
  })
  it('with a length beyond every value, or none, is refused before it is kept', async () => {
    for (const size of ['999999999999', 'x', '-1']) {
      const { store } = await serve((line) => `VA ${size} f0${tail(line)}\r\n`, { timeoutMs: 2000 })
      await expect(store.get('k')).rejects.toMatchObject({ code: 'BAD_REPLY' })
    }
  })
  it('with a line that does not end is refused', async () => {
    const { store } = await serve(() => 'x'.repeat(5000), { timeoutMs: 2000 })
    await expect(store.get('k')).rejects.toMatchObject({ code: 'BAD_REPLY' })
  })
  it('in pieces is read as one that comes whole', async () => {
    const { store } = await serve((line, socket) => {
      const bytes = Buffer.from(`VA 7 f0${tail(line)}\r\nv\r\néü\r\n`)
      for (const byte of bytes) socket.write(Uint8Array.of(byte))
      return undefined
    })
    expect(await store.get('k')).toBe('v\r\néü')
  })
})

describe('a call', () => {
  it('that reads is sent six times at the most', async () => {
    const { store, lines } = await serve(() => 'end', { timeoutMs: 3500 })
    await expect(store.get('k')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', maybeExecuted: false })
    expect(lines.length).toBeLessThanOrEqual(6)
    expect(lines.length).toBeGreaterThan(1)
  }, 10_000)
  it('that writes is sent once, and says that it may have run', async () => {
    const { store, lines } = await serve(() => 'end')
    await expect(store.set('k', 'v')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', maybeExecuted: true })
    expect(lines.filter((line) => line.startsWith('ms')).length).toBe(1)
  })
  it('with a value that is too large is not sent', async () => {
    const { store, lines } = await serve(() => undefined, { maxValueBytes: 1000 })
    await expect(store.set('k', 'é'.repeat(501))).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' })
    await expect(store.setBytes('k', new Uint8Array(1001))).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' })
    expect(lines).toEqual([])
  })
  it('of an operation whose result is too large does not write it', async () => {
    const { store, lines } = await serve((line) => `${line.startsWith('mg') ? 'EN' : 'HD'}${tail(line)}\r\n`, {
      maxValueBytes: 1000,
    })
    const grow = { ...append, apply: () => ({ next: 'x'.repeat(1001), ttl: 'none', reply: '' }) } as typeof append
    await expect(store.run(grow, 'k', ['v'])).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' })
    expect(lines.filter((line) => line.startsWith('ms'))).toEqual([])
  })
  it('whose deadline passes before it is written is not sent', async () => {
    const { store, lines } = await serve((line) => hit(line, 'v'))
    await store.get('before')
    let aheadMs = 0
    const start = Date.now()
    vi.spyOn(Date, 'now').mockImplementation(() => start + aheadMs)
    const late = store.get('late', { deadline: start + 1000 }).catch((error: unknown) => error)
    aheadMs = 1001
    expect(await late).toMatchObject({ code: 'TIMEOUT', maybeExecuted: false })
    expect(lines.filter((line) => line.includes(' late '))).toEqual([])
  })
  it('whose deadline has passed takes no place in the queue', async () => {
    const { store } = await serve((line) => hit(line, 'v'), { maxQueue: 1 })
    const first = store.get('k')
    await expect(store.get('k', { deadline: Date.now() })).rejects.toMatchObject({ code: 'TIMEOUT' })
    expect(await first).toBe('v')
  })
  it('counts its time from when the run of microtasks that it was made in ends', async () => {
    const { store } = await serve((line) => hit(line, 'v'), { timeoutMs: 5000 })
    await store.get('before')
    let aheadMs = 0
    const start = Date.now()
    vi.spyOn(Date, 'now').mockImplementation(() => start + aheadMs)
    // The clock moves between two calls of one tick, as in a callback that blocks, and between that tick and the next call.
    const first = store.get('first')
    aheadMs = 6000
    expect(await Promise.all([first, store.get('second')])).toEqual(['v', 'v'])
    aheadMs = 12_000
    expect(await store.get('third')).toBe('v')
  })
  it('beyond the queue is refused', async () => {
    const { store } = await serve(() => undefined, { maxQueue: 3, timeoutMs: 300 })
    const calls = await Promise.allSettled(Array.from({ length: 5 }, () => store.get('k')))
    const codes = calls.map((call) => (call.status === 'rejected' ? call.reason.code : 'answered'))
    expect(codes).toEqual(['TIMEOUT', 'TIMEOUT', 'TIMEOUT', 'OVERLOADED', 'OVERLOADED'])
  })
  it('on a silent connection is tried on another', async () => {
    let first = true
    const { store, connections } = await serve(
      (line) => {
        if (!first) return hit(line, 'v')
        first = false
        return undefined
      },
      { linkTimeoutMs: 100, timeoutMs: 5000 },
    )
    expect(await store.get('k')).toBe('v')
    expect(connections()).toBe(2)
  })
  it('after a time without any goes on a new connection', async () => {
    const { store, connections } = await serve((line) => hit(line, 'v'), { idleMs: 1 })
    expect(await store.get('k')).toBe('v')
    const usedAt = Date.now()
    await expect.poll(() => Date.now() - usedAt).toBeGreaterThan(10)
    expect(await store.get('k')).toBe('v')
    expect(connections()).toBe(2)
  })
  it('waits until the login is answered', async () => {
    let isIn = false
    const early: string[] = []
    const { store } = await serve(
      (line, socket) => {
        if (line.startsWith('set :hither:login 0 -1 ')) return undefined
        if (line === 'ann secret') {
          setTimeout(() => {
            isIn = true
            socket.write('STORED\r\n')
          }, 50)
          return undefined
        }
        if (!isIn) early.push(line)
        return hit(line, 'v')
      },
      {},
      'ann:secret@',
    )
    expect(await store.get('k')).toBe('v')
    expect(early).toEqual([])
  })
})

describe('a server that has reached its -c', () => {
  const full: Play = (_line, socket) => void socket.end('ERROR Too many open connections\r\n')
  const refused = {
    code: 'STORE_UNAVAILABLE',
    retryable: true,
    maybeExecuted: false,
    message: expect.stringContaining('too many clients'),
  }

  it('is an outage, whether a user logs in or not, and has run nothing', async () => {
    for (const login of ['', 'ann:secret@']) {
      const { store } = await serve(full, {}, login)
      await expect(store.set('k', 'v')).rejects.toMatchObject(refused)
    }
  })
  it('is not asked again by each call', async () => {
    const { store, connections } = await serve(full)
    for (let i = 0; i < 20; i++) await expect(store.set('k', 'v')).rejects.toMatchObject(refused)
    expect(connections()).toBeLessThan(20)
  })
  it('is used as soon as it takes the client, also by the call that it refused', async () => {
    let refusals = 0
    const { store } = await serve((line, socket) => (refusals++ < 1 ? full(line, socket) : hit(line, 'v')))
    expect(await store.get('k')).toBe('v')
  })
  it('leaves an earlier run of a call in doubt', async () => {
    let isFull = false
    const { store } = await serve((line, socket) => {
      if (isFull) return full(line, socket)
      isFull = true
      return 'end'
    })
    await expect(store.delete(['k'])).rejects.toMatchObject({ ...refused, maybeExecuted: true, retryable: false })
  })
})

describe('a clock that is set back by an hour', () => {
  const setBack = (): void => {
    const read = Date.now.bind(Date)
    vi.spyOn(Date, 'now').mockImplementation(() => read() - 3_600_000)
  }
  it('keeps no server from being tried again', async () => {
    let isUp = false
    // It ends at the login, so that the connection was never open.
    const { store } = await serve((line) => (isUp ? (line === 'u p' ? 'STORED\r\n' : reply(line)) : 'end'), {}, 'u:p@')
    const reply = (line: string): string => (line.startsWith('mg ') ? hit(line, 'v') : '')
    await expect(store.get('k')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    isUp = true
    setBack()
    await new Promise((resolve) => setTimeout(resolve, 120))
    expect(await store.get('k')).toBe('v')
  })
  it('makes no call longer, and keeps no silent connection', async () => {
    const { store, lines } = await serve(() => undefined, { linkTimeoutMs: 600 })
    const late = expect(store.get('k', { deadline: Date.now() + 300 })).rejects.toMatchObject({ code: 'TIMEOUT' })
    await vi.waitFor(() => expect(lines.at(-1)).toMatch(/^mg/))
    setBack()
    await late
    vi.restoreAllMocks()
    const silent = expect(store.set('j', 'v')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', maybeExecuted: true })
    await vi.waitFor(() => expect(lines.some((line) => line.startsWith('ms'))).toBe(true))
    setBack()
    await expect(store.get('k', { deadline: Date.now() + 50 })).rejects.toMatchObject({ code: 'TIMEOUT' })
    await silent
  })
})

describe('an operation', () => {
  it('writes under the number that it has read, and again where that has changed', async () => {
    let reads = 0
    const { store, lines } = await serve((line) => {
      if (line.startsWith('mg')) return `VA 1 f0 t-1 c${41 + ++reads}${tail(line)}\r\n${reads}\r\n`
      if (line.startsWith('ms')) return `${reads === 1 ? 'EX' : 'HD'}${tail(line)}\r\n`
      return undefined
    })
    expect(await store.run(append, 'k', ['x'])).toBe('2x')
    const writes = lines.filter((line) => line.startsWith('ms'))
    expect(writes.map((line) => / C(\d+) /.exec(line)?.[1])).toEqual(['42', '43'])
  })
  it('is refused by a server that has no CAS numbers', async () => {
    const { store, lines } = await serve((line) => `VA 1 f0 t-1 c0${tail(line)}\r\nx\r\n`)
    await expect(store.run(append, 'k', ['y'])).rejects.toMatchObject({ code: 'UNSUPPORTED' })
    expect(lines.length).toBe(1)
  })
  it('writes only where there is nothing, where it has read nothing', async () => {
    const { store, lines } = await serve((line) => `${line.startsWith('mg') ? 'EN' : 'HD'}${tail(line)}\r\n`)
    expect(await store.run(append, 'k', ['x'])).toBe('x')
    expect(lines.find((line) => line.startsWith('ms'))).toContain(' ME ')
  })
  it('counts under a key in base64 as under compare-and-swap: the server would keep the key otherwise', async () => {
    const { store, lines } = await serve((line) => `${line.startsWith('mg') ? 'EN' : 'HD'}${tail(line)}\r\n`)
    const count: Operation<readonly [by: number, lifeMs: number], number> = {
      ...append,
      name: 'counter.add',
      apply: (_, [by]) => ({ next: `${by}`, ttl: 'none', reply: by }),
    }
    expect(await store.run(count, 'a b', [1, 0])).toBe(1)
    expect(lines.filter((line) => line.startsWith('ma'))).toEqual([])
  })
})

describe('a key that is too long', () => {
  const long = `long:${'k'.repeat(300)}`
  const framed = (key: string, endMs = 0): string => `${endMs.toString(36)} ${key.length} ${key}value`
  it('is stored under its digest, with itself before the value', async () => {
    let body = ''
    const { store, lines } = await serve((line) => {
      if (line.startsWith('ms ')) return undefined
      body = line
      return `HD${tail(lines.at(-2) as string)}\r\n`
    })
    await store.set(long, 'value')
    expect(lines[0]).toMatch(/^ms ~sha256:[\w-]{43} \d+ F\d+ k O\d+$/)
    expect(body).toBe(framed(long))
  })
  it('does not find what is stored for another key under the same digest, or without a frame', async () => {
    let reply = framed(long)
    let flags = FRAMED
    const { store } = await serve((line) => hit(line, reply, flags))
    expect(await store.get(long)).toBe('value')
    reply = framed(long.replace('long', 'else'))
    expect(await store.get(long)).toBeUndefined()
    reply = 'value'
    flags = 0
    expect(await store.get(long)).toBeUndefined()
  })
  it('is absent past the end in its frame', async () => {
    let endMs = Date.now() + 60_000
    const { store } = await serve((line) => hit(line, framed(long, endMs), FRAMED))
    expect(await store.get(long)).toBe('value')
    endMs = Date.now() - 1
    expect(await store.get(long)).toBeUndefined()
  })
})

describe('an argument', () => {
  const bad = [1.5, -1, Number.NaN, Number.POSITIVE_INFINITY, '1\r\nflush_all' as never, 2 ** 54]
  it('that is no whole number in its bounds becomes no command', () => {
    for (const number of bad) {
      expect(() => setFlags(number, { ttl: 0, flags: 0, only: undefined })).toThrow('in its bounds')
      expect(() => setFlags(1, { ttl: number, flags: 0, only: undefined })).toThrow('in its bounds')
      expect(() => setFlags(1, { ttl: 0, flags: number, only: undefined })).toThrow('in its bounds')
      expect(() => addFlags(1, number, undefined)).toThrow('in its bounds')
    }
  })
  it('that is no CAS number becomes no command', () => {
    for (const only of ['', 'x', '1 T0', '1\r\nflush_all', '1'.repeat(21)]) {
      expect(() => condition(only)).toThrow('digits')
    }
  })
  it('that is a key with a space, a control character or none goes in base64', () => {
    for (const key of ['a b', 'a\r\nb', 'a\0', '\u007f', 'é']) expect(wireKey(key)?.flag).toBe(' b')
    expect(wireKey('')).toBeUndefined()
  })
})

describe('several servers', () => {
  it('with failover, say of a delete that may have run that it may have, and run it on no other', async () => {
    const other = await serve(() => 'NF')
    const sockets: Socket[] = []
    const dying = createServer((socket) => {
      sockets.push(socket)
      socket
        .on('error', () => {})
        .on('data', () => {
          dying.close()
          socket.destroy()
        })
    })
    await new Promise<void>((resolve) => void dying.listen(0, '127.0.0.1', resolve))
    const name = `127.0.0.1:${(dying.address() as { port: number }).port}`
    const servers = [`memcached://${name}`, `memcached://${other.store.part('k')}`]
    const store = memcachedStore({ servers, failover: true, timeoutMs: 2000 })
    const key = Array.from({ length: 200 }, (_, i) => `k${i}`).find((each) => store.part(each) === name) as string
    await expect(store.delete([key])).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', maybeExecuted: true })
    expect(other.lines).toEqual([])
    await store.close()
  })
  it('keep a key on its own server while that is down, unless failover is on', async () => {
    const live = await serve((line) => hit(line, 'v'))
    expect(await live.store.get('k')).toBe('v')
    const dead = 'memcached://127.0.0.1:1'
    const url = `memcached://127.0.0.1:${live.store.part('k').split(':')[1]}`
    const names = [url, dead].map((each) => each.slice('memcached://'.length)).sort()
    const ring = createRing(names)
    const key = Array.from({ length: 200 }, (_, i) => `k${i}`).find((each) => names[ring.pick(each)] === '127.0.0.1:1')
    for (const failover of [false, true]) {
      const store = memcachedStore({ servers: [url, dead], failover, timeoutMs: 2000 })
      const found = () => store.get(key as string).catch((error: { code: string }) => error.code)
      const wanted = failover ? 'v' : 'STORE_UNAVAILABLE'
      expect([failover, await found(), await found()]).toEqual([failover, wanted, wanted])
      await expect(store.ready()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
      await store.close()
    }
  })
})
