import { createServer, type Socket } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { memoryStore } from '../../../adapters/memory/index.ts'
import { unreached } from '../../../adapters/tcp/errors.ts'
import { tcpStore, tcpTransport, trackingFeed } from '../../../adapters/tcp/index.ts'
import { createNodes } from '../../../adapters/tcp/nodes.ts'
import { readOptions } from '../../../adapters/tcp/options.ts'
import { createCache } from '../../../src/index.ts'
import { nearTier } from '../../../src/near/index.ts'
import { createSessions } from '../../../src/session/index.ts'
import { slotOf } from '../../../src/store/hash-slot.ts'

// Over fake servers: each does one thing that a real one seldom does.

const closing: (() => unknown)[] = []
afterEach(async () => {
  vi.restoreAllMocks()
  for (const close of closing.splice(0).reverse()) await close()
})
const code = (value: string, rest = {}) => expect.objectContaining({ code: value, ...rest })
const get = { args: ['GET', 'k'], effect: 'read' as const }
const incr = { args: ['INCR', 'k'], effect: 'once' as const }
const GREETING: Readonly<Record<string, string>> = { HELLO: '%1\r\n+proto\r\n:3\r\n', PING: '+PONG\r\n' }

interface Played {
  readonly port: number
  readonly url: string
  /** The commands that were received, without those of the greeting. */
  readonly heard: string[]
  connections: number
}

/** A server that replies what `answer` returns, and nothing where that is undefined. */
async function play(answer: (args: readonly string[], socket: Socket) => string | undefined): Promise<Played> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    played.connections++
    sockets.add(socket)
    let text = ''
    socket.on('error', () => {})
    socket.on('data', (data) => {
      text += data.toString('latin1')
      for (let found = readCommand(text); found; found = readCommand(text)) {
        text = text.slice(found.length)
        const [name = ''] = found.args
        if (!GREETING[name]) played.heard.push(name)
        const reply = answer(found.args, socket) ?? GREETING[name]
        if (reply) socket.write(reply, 'latin1')
      }
    })
  })
  await new Promise<void>((done) => void server.listen(0, '127.0.0.1', done))
  closing.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { port } = server.address() as { port: number }
  const played: Played = { port, url: `redis://127.0.0.1:${port}`, heard: [], connections: 0 }
  return played
}

/** The first command of what was received; undefined while it is incomplete. */
function readCommand(text: string): { readonly args: string[]; readonly length: number } | undefined {
  const [head = '', count = ''] = /^\*(\d+)\r\n/.exec(text) ?? []
  let at = head.length
  const args: string[] = []
  while (head && args.length < Number(count)) {
    const [line = '', size = ''] = /^\$(\d+)\r\n/.exec(text.slice(at)) ?? []
    const from = at + line.length
    at = from + Number(size) + 2
    if (!line || text.length < at) return undefined
    args.push(text.slice(from, at - 2))
  }
  return head ? { args, length: at } : undefined
}

const open = (options: Parameters<typeof tcpTransport>[0]) => {
  const transport = tcpTransport(options)
  closing.push(() => transport.close())
  return transport
}
const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`

describe('a redirect', () => {
  const other = () => play(([name]) => (name === 'GET' ? bulk('other') : name === 'ASKING' ? '+OK\r\n' : undefined))

  it('is followed a few times, and no more', async () => {
    const server: Played = await play(([name]) =>
      name === 'GET'
        ? `-MOVED ${slotOf('k')} 127.0.0.1:${server.port}\r\n`
        : name === 'CLUSTER'
          ? '-ERR no table\r\n'
          : undefined,
    )
    expect(await open({ url: server.url }).send(get, { deadline: Date.now() + 3000 })).toMatchObject({ word: 'MOVED' })
    expect(server.heard.filter((name) => name === 'GET')).toHaveLength(7)
  })
  it('by MOVED is learned', async () => {
    const to = await other()
    const from = await play(([name]) =>
      name === 'GET'
        ? `-MOVED ${slotOf('k')} 127.0.0.1:${to.port}\r\n`
        : name === 'CLUSTER'
          ? '-ERR no table\r\n'
          : undefined,
    )
    const transport = open({ url: from.url })
    expect([await transport.send(get), await transport.send(get)]).toEqual(['other', 'other'])
    expect(from.heard.filter((name) => name === 'GET')).toHaveLength(1)
  })
  it('by ASK goes with ASKING, and is not learned', async () => {
    const to = await other()
    const from = await play(([name]) => (name === 'GET' ? `-ASK ${slotOf('k')} 127.0.0.1:${to.port}\r\n` : undefined))
    const transport = open({ url: from.url })
    expect([await transport.send(get), await transport.send(get)]).toEqual(['other', 'other'])
    expect(to.heard).toEqual(['ASKING', 'GET', 'ASKING', 'GET'])
    expect(from.heard).toEqual(['GET', 'GET'])
  })
  it('is looked for elsewhere, where a node that is cut off from the others says that the Cluster is down', async () => {
    const slots = (port: number) => `*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:${port}\r\n`
    const left = await play(([name]) =>
      name === 'CLUSTER' ? slots(left.port) : name === 'GET' ? '-CLUSTERDOWN no\r\n' : undefined,
    )
    const other = await play(([name]) =>
      name === 'CLUSTER' ? slots(other.port) : name === 'GET' ? '+other\r\n' : undefined,
    )
    const transport = tcpTransport({ url: [left.url, other.url] })
    closing.push(() => transport.close())
    expect(await transport.send(get)).toBe('other')
  })
  it('goes through the NAT map', async () => {
    const to = await other()
    const from = await play(([name]) => (name === 'GET' ? `-ASK ${slotOf('k')} inner.invalid:7000\r\n` : undefined))
    const natMap = { 'inner.invalid:7000': { host: '127.0.0.1', port: to.port } }
    expect(await open({ url: from.url, natMap }).send(get)).toBe('other')
  })
})

it('says of a list of urls that none is a node of a Cluster', async () => {
  const { url } = await play(([name]) =>
    name === 'CLUSTER' ? '-ERR This instance has cluster support disabled\r\n' : undefined,
  )
  await expect(open({ url: [url] }).send(get)).rejects.toMatchObject({ code: 'UNSUPPORTED', retryable: false })
})

it('listens and publishes at a node of the Cluster, once its own has left', async () => {
  const confirmed = (name: string) => `*3\r\n${bulk('subscribe')}${bulk(name)}:1\r\n`
  let ports: number[] = []
  const range = (from: number, to: number, port: number) =>
    `*3\r\n:${from}\r\n:${to}\r\n*2\r\n${bulk('127.0.0.1')}:${port}\r\n`
  const table = () =>
    ports[1]
      ? `*2\r\n${range(0, 8191, ports[0] as number)}${range(8192, 16_383, ports[1])}`
      : `*1\r\n${range(0, 16_383, ports[0] as number)}`
  const node = async (): Promise<Played> => {
    const self: Played = await play(([name = '', key = '']) => {
      if (name === 'CLUSTER') return table()
      if (name === 'SUBSCRIBE') return confirmed(key)
      if (name === 'GET')
        return ports.includes(self.port) ? '$-1\r\n' : `-MOVED ${slotOf(key)} 127.0.0.1:${ports[0]}\r\n`
      return name === 'PUBLISH' ? ':1\r\n' : undefined
    })
    return self
  }
  const [a, b] = [await node(), await node()]
  ports = [a.port, b.port]
  const transport = open({ url: [a.url, b.url] })
  await transport.send(get)
  const gaps: number[] = []
  await transport.subscribe(
    'news',
    () => {},
    () => gaps.push(1),
  )
  const say = { args: ['PUBLISH', 'news', '1'], effect: 'once' as const }
  await transport.send(say)
  expect(a.heard).toEqual(expect.arrayContaining(['SUBSCRIBE', 'PUBLISH']))
  ports = [b.port]
  // After a MOVED the table is read again, unless it was just read.
  let reads = 0
  const read = async () => {
    await transport.send({ args: ['GET', `k${reads++}`], effect: 'read' })
    return b.heard
  }
  await expect.poll(read, { timeout: 20_000 }).toContain('SUBSCRIBE')
  await expect.poll(() => gaps.length, { timeout: 20_000 }).toBe(2)
  a.heard.length = 0
  await transport.send(say)
  expect([a.heard.includes('PUBLISH'), b.heard.includes('PUBLISH')]).toEqual([false, true])
})

it('asks again for a channel that is refused when the link is back, and the others go on', async () => {
  const open: Socket[] = []
  const replies = [':confirmed', ':confirmed', ':confirmed', '-BUSY Redis is busy running a script.\r\n']
  const confirmed = (name: string) => `*3\r\n${bulk('subscribe')}${bulk(name)}:1\r\n`
  const server = await play(([name, channel = ''], socket) => {
    if (name !== 'SUBSCRIBE') return undefined
    open[server.connections - 1] = socket
    const reply = replies.shift()
    return reply?.startsWith('-') ? reply : reply && confirmed(channel)
  })
  const transport = tcpTransport({ url: server.url })
  closing.push(() => transport.close())
  const heard: Record<string, string[]> = { other: [], denied: [] }
  for (const [channel, items] of Object.entries(heard))
    await transport.subscribe(
      channel,
      (text) => items.push(text),
      () => items.push('gap'),
    )
  const say = (channel: string) => open.at(-1)?.write(`*3\r\n${bulk('message')}${bulk(channel)}${bulk('1')}`)
  open[0]?.destroy()
  // The second gap says that messages arrive again, though one channel has none.
  await expect.poll(() => heard.other, { timeout: 20_000 }).toEqual(['gap', 'gap'])
  say('other')
  await expect.poll(() => heard, { timeout: 20_000 }).toEqual({ other: ['gap', 'gap', '1'], denied: ['gap', 'gap'] })
  replies.push(':confirmed')
  await expect.poll(() => heard.denied, { timeout: 20_000 }).toEqual(['gap', 'gap', 'gap'])
  say('denied')
  await expect.poll(() => heard.denied, { timeout: 20_000 }).toEqual(['gap', 'gap', 'gap', '1'])
})

it('takes the refusal of a PING for that of no subscription', async () => {
  let isPinged = false
  let isGreeted = false
  const server = await play(([name, channel = '']) => {
    if (name === 'PING' && isGreeted) {
      isPinged = true
      return ''
    }
    if (name !== 'SUBSCRIBE') return undefined
    isGreeted = true
    const refusal = channel === 'second' ? '-BUSY Redis is busy running a script.\r\n' : ''
    return `${refusal}*3\r\n${bulk('subscribe')}${bulk(channel)}:1\r\n`
  })
  const transport = tcpTransport({ url: server.url })
  closing.push(() => transport.close())
  await transport.subscribe('first', () => {})
  await expect.poll(() => isPinged, { timeout: 20_000 }).toBe(true)
  expect(await transport.subscribe('second', () => {})).toBeTypeOf('function')
})

it('asks again for the changes of keys, where a script of somebody held the server up', async () => {
  const replies = ['-BUSY Redis is busy running a script.\r\n', '+OK\r\n']
  const server = await play(([name]) => (name === 'CLIENT' ? replies.shift() : undefined))
  const events: string[] = []
  const feed = trackingFeed({ url: server.url, onEvent: ({ type }) => events.push(type) })
  const cache = createCache({ store: memoryStore(), near: nearTier({ feed }), ttl: '1m' })
  closing.push(() => cache.close())
  await cache.set('k', 1)
  await cache.get('k')
  await expect.poll(() => server.heard, { timeout: 20_000 }).toEqual(['CLIENT', 'CLIENT'])
  expect(events).toEqual([])
})

describe('reads of replicas', () => {
  /** A Cluster of a primary and a replica, which answers what `answer` gives. */
  const over = async (answer: () => string | undefined) => {
    const address = (port: number) => `*2\r\n$9\r\n127.0.0.1\r\n:${port}\r\n`
    let hasReplica = true
    const replica = await play(([name], socket) => {
      if (name !== 'GET') return name === 'READONLY' ? '+OK\r\n' : undefined
      const reply = answer()
      if (reply === '') socket.destroy()
      return reply
    })
    const primary = await play(([name]) => {
      const both = hasReplica ? address(replica.port) : ''
      if (name === 'CLUSTER') return `*1\r\n*${hasReplica ? 4 : 3}\r\n:0\r\n:16383\r\n${address(primary.port)}${both}`
      return name === 'GET' ? '+primary\r\n' : undefined
    })
    const transport = tcpTransport({ url: [primary.url], reads: 'replica' })
    closing.push(() => transport.close())
    return { transport, has: (value: boolean) => (hasReplica = value) }
  }
  it.each([
    ['ends', ''],
    ['loads', '-LOADING it loads\r\n'],
    ['has lost its primary', '-MASTERDOWN it is down\r\n'],
  ])('go to the primary where the replica %s, and leave it alone for a while', async (_, reply) => {
    let asked = 0
    const { transport } = await over(() => {
      asked++
      return reply
    })
    expect([await transport.send(get), await transport.send(get), asked]).toEqual(['primary', 'primary', 1])
  })
  it('go to the primary after one that the replica did not answer in time', async () => {
    const { transport } = await over(() => undefined)
    await expect(transport.send(get, { deadline: Date.now() + 100 })).rejects.toThrow(code('TIMEOUT'))
    expect(await transport.send(get)).toBe('primary')
  })
  it('go to the replica after one whose deadline had passed before it was sent', async () => {
    const { transport } = await over(() => '+replica\r\n')
    expect(await transport.send(get)).toBe('replica')
    await expect(transport.send(get, { deadline: Date.now() - 1 })).rejects.toThrow(code('TIMEOUT'))
    expect(await transport.send(get)).toBe('replica')
  })
  it('find a replica that has come after the table was learned', async () => {
    const { transport, has } = await over(() => '+replica\r\n')
    has(false)
    expect(await transport.send(get)).toBe('primary')
    has(true)
    const read = performance.now.bind(performance)
    vi.spyOn(performance, 'now').mockImplementation(() => read() + 11_000)
    await expect.poll(() => transport.send(get), { timeout: 3000 }).toBe('replica')
  })
})

describe('a connection', () => {
  it('that ends says of each command whether it may have run, and the next call opens another', async () => {
    const server = await play(([name], socket) => {
      if (name === 'INCR' && server.connections === 1) socket.destroy()
      return name === 'INCR' ? ':1\r\n' : undefined
    })
    const transport = open({ url: server.url })
    await expect(transport.send(incr)).rejects.toEqual(code('STORE_UNAVAILABLE', { maybeExecuted: true }))
    expect(await transport.send(incr)).toBe(1)
    expect(server.connections).toBe(2)
  })
  it('that never opens ran nothing', async () => {
    const server = await play((_, socket) => void socket.destroy())
    await expect(open({ url: server.url }).send(incr)).rejects.toEqual(
      code('STORE_UNAVAILABLE', { maybeExecuted: false }),
    )
    expect(server.heard).toEqual([])
  })
  it('that the server refuses and ends says why', async () => {
    const server = await play((args, socket) => {
      if (args[0] === 'HELLO') socket.end('-ERR max number of clients reached\r\n')
      return ''
    })
    const message = expect.stringContaining('raise its maxclients')
    await expect(open({ url: server.url }).send(incr)).rejects.toEqual(
      code('STORE_UNAVAILABLE', { retryable: true, maybeExecuted: false, message }),
    )
  })
  it('whose server is silent at the greeting is given up', async () => {
    const hushed = createServer((socket) => void socket.on('error', () => {}))
    await new Promise<void>((done) => void hushed.listen(0, '127.0.0.1', done))
    closing.push(() => hushed.close())
    const { port } = hushed.address() as { port: number }
    const transport = open({ url: `redis://127.0.0.1:${port}`, connectTimeoutMs: 50 })
    await expect(transport.send(incr, { deadline: Date.now() + 3000 })).rejects.toEqual(code('STORE_UNAVAILABLE'))
  })
  it('that nobody used for long is replaced', async () => {
    const server = await play(([name]) => (name === 'INCR' ? ':1\r\n' : undefined))
    const transport = open({ url: server.url, idleMs: 1 })
    await transport.send(incr)
    const usedAt = Date.now()
    await expect.poll(() => Date.now() - usedAt).toBeGreaterThan(10)
    await transport.send(incr)
    expect(server.connections).toBe(2)
  })
  it('that is silent while a reply is due is given up', async () => {
    const server = await play(() => undefined)
    const transport = open({ url: server.url, linkTimeoutMs: 50 })
    await expect(transport.send(incr, { deadline: Date.now() + 3000 })).rejects.toEqual(
      code('STORE_UNAVAILABLE', { maybeExecuted: true }),
    )
  })
  it('ends a call at its deadline', async () => {
    const server = await play(() => undefined)
    const transport = open({ url: server.url })
    await expect(transport.send(incr, { deadline: Date.now() + 200 })).rejects.toEqual(code('TIMEOUT'))
  })
  it('to a primary that became a replica takes no further command', async () => {
    const server = await play(([name]) => {
      if (name !== 'INCR') return undefined
      return server.connections === 1 ? '-READONLY no\r\n' : ':1\r\n'
    })
    const transport = open({ url: server.url })
    expect(await transport.send(incr)).toMatchObject({ word: 'READONLY' })
    expect(await transport.send(incr)).toBe(1)
  })
  it('is ended by a reply that nobody waits for', async () => {
    const server = await play(([name]) => (name === 'INCR' ? ':1\r\n:2\r\n' : undefined))
    const transport = open({ url: server.url })
    expect(await transport.send(incr)).toBe(1)
    await expect.poll(() => transport.send(incr), { timeout: 3000 }).toBe(1)
    expect(server.connections).toBeGreaterThan(1)
  })
})

describe('a clock that is set back by an hour', () => {
  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
  const setBack = (): void => {
    const read = Date.now.bind(Date)
    vi.spyOn(Date, 'now').mockImplementation(() => read() - 3_600_000)
  }
  it('keeps no server from being tried again', async () => {
    let isUp = false
    const { url } = await play(([name], socket) => {
      if (!isUp) socket.destroy()
      return name === 'GET' ? '$1\r\nv\r\n' : undefined
    })
    const transport = tcpTransport({ url })
    closing.push(() => transport.close())
    await expect(transport.send(get)).rejects.toThrow(code('STORE_UNAVAILABLE'))
    isUp = true
    setBack()
    await pause(120)
    expect(await transport.send(get)).toBe('v')
  })
  it('keeps no table of slots from being learned anew', async () => {
    const { url, heard } = await play(([name]) =>
      name === 'CLUSTER' ? '*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:1\r\n' : undefined,
    )
    const nodes = createNodes(readOptions({ url: [url] }))
    closing.push(() => nodes.close())
    await nodes.refresh()
    setBack()
    await pause(120)
    await nodes.refresh()
    expect(heard).toEqual(['CLUSTER', 'CLUSTER'])
  })
  it('makes no call longer, and keeps no silent connection', async () => {
    const { url, heard } = await play(() => undefined)
    const transport = tcpTransport({ url, linkTimeoutMs: 600 })
    closing.push(() => transport.close())
    const late = transport.send(get, { deadline: Date.now() + 300 })
    await vi.waitFor(() => expect(heard).toEqual(['GET']))
    setBack()
    await expect(late).rejects.toThrow(code('TIMEOUT'))
    vi.restoreAllMocks()
    const silent = transport.send(incr)
    await vi.waitFor(() => expect(heard).toEqual(['GET', 'INCR']))
    setBack()
    const again = transport.send(get, { deadline: Date.now() + 50 })
    const ended = expect(silent).rejects.toThrow(code('STORE_UNAVAILABLE', { maybeExecuted: true }))
    await expect(again).rejects.toThrow(code('TIMEOUT'))
    await ended
  })
})

describe('a reply', () => {
  it('that is too long is an error in its place, and hurts no other', async () => {
    const server = await play(([name, key]) => (name === 'GET' ? bulk(key === 'k' ? 'x'.repeat(50) : 'y') : undefined))
    const transport = open({ url: server.url, maxReplyBytes: 10 })
    const replies = await Promise.all([transport.send(get), transport.send({ ...get, args: ['GET', 'short'] })])
    expect(replies).toEqual([expect.objectContaining({ word: 'TOOLARGE' }), 'y'])
  })
  it('to many commands has a common bound', async () => {
    const server = await play(([name]) => (name === 'GET' ? bulk('0123456789') : undefined))
    const replies = await open({ url: server.url, maxCallBytes: 30 }).sendMany([get, get, get])
    expect(replies).toEqual(['0123456789', expect.anything(), expect.objectContaining({ word: 'TOOLARGE' })])
  })
})

describe('Sentinels', () => {
  it('are asked one after another, and a server that is no primary is not used', async () => {
    const roleOf = (role: string) => (args: readonly string[]) =>
      args[0] === 'ROLE' ? `*1\r\n${bulk(role)}` : args[0] === 'GET' ? bulk(role) : undefined
    const [primary, replica] = [await play(roleOf('master')), await play(roleOf('slave'))]
    let named = replica
    const knows = await play(([name]) =>
      name === 'SENTINEL' ? `*2\r\n${bulk('127.0.0.1')}${bulk(`${named.port}`)}` : undefined,
    )
    const ignorant = await play(([name]) => (name === 'SENTINEL' ? '*-1\r\n' : undefined))
    const transport = open({ sentinel: { urls: [ignorant.url, knows.url], name: 'main' } })
    await expect(transport.send(get)).rejects.toEqual(code('STORE_UNAVAILABLE', { maybeExecuted: false }))
    expect(replica.heard).not.toContain('GET')
    named = primary
    await expect.poll(() => transport.send(get).catch(() => undefined), { timeout: 3000 }).toBe('master')
  })
  const named = (port: () => number) => () => `*2\r\n$9\r\n127.0.0.1\r\n$${`${port()}`.length}\r\n${port()}\r\n`
  const sentinelOf = (answer: () => string) => play(([name]) => (name === 'SENTINEL' ? answer() : undefined))
  const server = (role: string) =>
    play(([name]) =>
      name === 'ROLE' ? `*1\r\n$${role.length}\r\n${role}\r\n` : name === 'GET' ? `+${role}\r\n` : undefined,
    )
  it('of which one names a wrong server are asked for another, also by several connections at once', async () => {
    const [primary, replica] = [await server('master'), await server('slave')]
    for (const wrong of [replica.port, 1]) {
      const all = [await sentinelOf(named(() => wrong)), await sentinelOf(named(() => primary.port))]
      const transport = tcpTransport({ sentinel: { urls: all.map(({ url }) => url), name: 'main' }, connections: 2 })
      closing.push(() => transport.close())
      const keys = ['a', 'b', 'c', 'd']
      const ask = () => Promise.all(keys.map((key) => transport.send({ args: ['GET', key], effect: 'read' })))
      await expect.poll(() => ask().catch(() => []), { timeout: 3000 }).toEqual(keys.map(() => 'master'))
    }
  })
  it('that refuse the credentials say so, unless another knows', async () => {
    const primary = await server('master')
    const refuses = await play(([name]) => (name === 'HELLO' ? '-NOAUTH Authentication required.\r\n' : undefined))
    const forbids = await sentinelOf(() => '-NOPERM this user has no permissions\r\n')
    const fails = await play((_, socket) => void socket.destroy())
    const knows = await sentinelOf(named(() => primary.port))
    const over = (...all: { readonly url: string }[]) => {
      const transport = tcpTransport({ sentinel: { urls: all.map(({ url }) => url), name: 'main' } })
      closing.push(() => transport.close())
      return transport.send(get)
    }
    await expect(over(refuses, fails)).rejects.toThrow(code('UNAUTHORIZED', { retryable: false }))
    await expect(over(forbids)).rejects.toThrow(code('UNAUTHORIZED'))
    await expect(over(fails)).rejects.toThrow(code('STORE_UNAVAILABLE'))
    expect(await over(refuses, knows)).toBe('master')
    expect(await over(await sentinelOf(() => '*-1\r\n'), knows)).toBe('master')
  })
})

it.each(['WRONGPASS invalid username-password pair', 'NOAUTH Authentication required.'])(
  'says that a server refuses the credentials also where it ends the connection: %s',
  async (said) => {
    const { url } = await play((_, socket) => {
      socket.end(`-${said}\r\n`)
      return undefined
    })
    await expect(open({ url }).send(get)).rejects.toMatchObject({ code: 'UNAUTHORIZED', retryable: false })
  },
)

it.each([
  ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', 'tls.cert'],
  ['ERR_SSL_TLSV1_ALERT_UNKNOWN_CA', 'tls.cert'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'tls.ca'],
  ['EMFILE', 'ulimit -n'],
  ['ECONNREFUSED', 'host and port'],
])('says what to look at where a connection fails: %s', (reason, what) => {
  expect(unreached('not connected', reason).message).toContain(what)
})

describe('TLS options of which no socket can be made', () => {
  const options = { url: 'rediss://127.0.0.1:1', tls: { ca: 5 } } as never
  const error = { code: 'INVALID_ARGUMENT', maybeExecuted: false, message: expect.stringContaining('check tls') }
  it('are an error of each call, which says so', async () => {
    const transport = open(options)
    await expect(transport.send(get)).rejects.toMatchObject(error)
    await expect(transport.subscribe('c', () => {})).rejects.toMatchObject(error)
    await expect(transport.send({ args: ['BLPOP', 'k', 1], effect: 'once' })).rejects.toMatchObject(error)
    // Node's error about a PFX file has no code.
    const pfx = { url: 'rediss://127.0.0.1:1', tls: { pfx: new Uint8Array([1, 2]) } } as never
    await expect(open(pfx).send(get)).rejects.toMatchObject(error)
  })
})

describe('an option of tcpStore', () => {
  const urls = ['redis://127.0.0.1:1']
  it.each([
    [{ url: 'rediss://h', tls: 5 }],
    [{ url: 'rediss://h', tls: null }],
    [{ url: urls, natMap: [] }],
    [{ url: urls, natMap: { 'a:1': 5 } }],
    [{ url: urls, natMap: { 'a:1': null } }],
    [{ url: urls, natMap: { 'a:1': { host: '', port: 1 } } }],
    [{ url: urls, natMap: { 'a:1': { host: 'b', port: '1' } } }],
    [{ url: urls, natMap: { 'a:1': { host: 'b', port: 65_536 } } }],
    [{ sentinel: { name: 'main' } }],
    [{ sentinel: { urls: 5, name: 'main' } }],
    // Only a Cluster has replicas to read. With Sentinels the option would be silently ignored.
    [{ sentinel: { urls, name: 'main' }, reads: 'replica' }],
  ])('refuses %j', (options) => {
    expect(() => tcpStore(options as never)).toThrow(code('INVALID_ARGUMENT'))
  })
  it('takes a NAT map of a Cluster', () => {
    tcpStore({ url: urls, natMap: { 'a:1': { host: 'b', port: 65_535 } } })
  })
})

it('reads of replicas are no place for sessions', () => {
  const store = tcpStore({ url: ['redis://127.0.0.1:1'], reads: 'replica' })
  closing.push(() => store.close())
  expect(() => createSessions({ store, secrets: [new Uint8Array(32)] })).toThrow(code('UNSUPPORTED'))
})

describe('reads of one tick', () => {
  it('are answered apart over nodes, and over several connections', async () => {
    const apart = (options: Parameters<typeof tcpStore>[0]): boolean | undefined => {
      const store = tcpStore(options)
      closing.push(() => store.close())
      return store.traits.readsApart
    }
    const url = 'redis://127.0.0.1:1'
    expect([url, { url, connections: 2 }, [url, 'redis://127.0.0.1:2']].map(apart)).toEqual([false, true, true])
  })
})
