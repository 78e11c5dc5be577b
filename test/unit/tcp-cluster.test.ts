import { afterEach, describe, expect, it } from 'vitest'
import { tcpStore, tcpTransport } from '../../adapters/tcp/index.ts'
import { createNodes } from '../../adapters/tcp/nodes.ts'
import { readOptions } from '../../adapters/tcp/options.ts'
import { readSlots } from '../../adapters/tcp/topology.ts'
import { firstKey, slotOf } from '../../src/store/hash-slot.ts'
import { ReplyError, type Wire } from '../../src/store/transport.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close()
})
const code = (value: string) => expect.objectContaining({ code: value })
const nodes = (): string[] => (process.env.CLUSTER_NODES as string).split(',').map((node) => `redis://${node}`)
const read = (...args: (string | number)[]) => ({ args, effect: 'read' as const })
const once = (...args: (string | number)[]) => ({ args, effect: 'once' as const })

describe('the table of slots', () => {
  const range = (from: number, to: number, ...all: Wire[]): Wire => [from, to, ...all]
  it('names the nodes of each slot, the primary first', () => {
    const table = readSlots([range(0, 1, ['a', 1, 'id'], ['b', 2, 'id']), range(3, 3, ['c', 3, 'id', []])], 'x', {})
    expect(table.slice(0, 4)).toEqual([['a:1', 'b:2'], ['a:1', 'b:2'], undefined, ['c:3']])
  })
  it('takes an empty host for the one that was asked, and goes through the NAT map', () => {
    const reply = [range(0, 0, ['', 1], [null, 2], ['?', 3], ['::1', 4])]
    expect(readSlots(reply, 'asked', { 'asked:2': { host: 'out', port: 20 } })[0]).toEqual([
      'asked:1',
      'out:20',
      'asked:3',
      '::1:4',
    ])
  })
  it('refuses what no server says, and a table that serves nothing', () => {
    const bad: Wire[] = [
      'x',
      1,
      null,
      [[0]],
      [[0, 1]],
      [[1, 0, ['a', 1]]],
      [[0, 16_384, ['a', 1]]],
      [[0, 1, ['a', 'b']]],
    ]
    for (const reply of bad) expect(() => readSlots(reply, 'x', {})).toThrow(code('BAD_REPLY'))
    expect(() => readSlots([], 'x', {})).toThrow(code('STORE_UNAVAILABLE'))
    expect(() => readSlots(new ReplyError('ERR no'), 'x', {})).toThrow(code('STORE_UNAVAILABLE'))
    const alone = new ReplyError('ERR This instance has cluster support disabled')
    expect(() => readSlots(alone, 'x', {})).toThrow(code('UNSUPPORTED'))
  })
})

describe('the first key of a command', () => {
  it('is found where it stands', () => {
    expect(firstKey(['GET', 'k'])).toBe('k')
    expect(firstKey(['EVALSHA', 'sha', 1, 'k', 'a'])).toBe('k')
    expect(firstKey(['XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 'k', '>'])).toBe('k')
    expect(firstKey(['BLMPOP', 0, 1, 'k', 'LEFT'])).toBe('k')
    expect(firstKey(['OBJECT', 'ENCODING', 'k'])).toBe('k')
    expect(firstKey(['PING'])).toBe('')
  })
})

describe('options', () => {
  it('of a Cluster are checked at construction', () => {
    const invalid = [
      { url: [] },
      { url: ['redis://a', 'redis://u:p@b'] },
      { url: ['redis://a', 'rediss://b'] },
      { url: ['redis://a/1'] },
      { url: ['unix:///tmp/x'] },
    ]
    for (const options of invalid) expect(() => tcpStore(options)).toThrow(code('INVALID_URL'))
    const url = 'redis://127.0.0.1:1'
    const sentinel = { urls: ['redis://127.0.0.1:1'], name: 'main' }
    const wrong = [
      { url, connections: 0 },
      { url, connections: 65 },
      { url, connections: 1.5 },
      { url, reads: 'replicas' },
      { url, natMap: 'x' },
      { url, sentinel },
      { sentinel: { ...sentinel, name: '' } },
      { sentinel: { ...sentinel, port: 1 } },
      { sentinel: { ...sentinel, db: -1 } },
      { sentinel, tls: {} },
    ]
    for (const options of wrong) expect(() => tcpStore(options as never)).toThrow(code('INVALID_ARGUMENT'))
    expect(() => tcpStore({ sentinel: { urls: [], name: 'main' } })).toThrow(code('INVALID_URL'))
  })
})

describe('the nodes', () => {
  it('that a redirect alone has told of: a slot that is not known yet goes to any of them', () => {
    const plan = readOptions({ url: 'redis://127.0.0.1:7000' })
    const nodes = createNodes(plan)
    closing.push(() => nodes.close())
    nodes.move(slotOf('a'), '127.0.0.1:7001')
    expect(nodes.route(read('GET', 'a')).node.name).toBe('127.0.0.1:7001')
    expect(nodes.route(read('GET', 'b')).node.name).toMatch(/^127\.0\.0\.1:700[01]$/)
  })
})

describe('a Cluster', () => {
  it('is one store by any of its nodes, and says which node serves a key', async () => {
    const store = tcpStore({ url: ['redis://127.0.0.1:1', ...nodes().slice(1)] })
    closing.push(() => store.close())
    const keys = Array.from({ length: 60 }, (_, i) => `own:${i}`)
    await Promise.all(keys.map((key) => store.set(key, key, 60_000)))
    expect(await store.getMany(keys)).toEqual(keys)
    const parts = new Set(keys.map((key) => store.part?.(key)))
    expect([...parts].toSorted()).toEqual((process.env.CLUSTER_NODES as string).split(',').toSorted())
    const found = new Set<string>()
    for await (const key of store.scan?.('own:*') ?? []) found.add(key)
    expect(keys.every((key) => found.has(key))).toBe(true)
    expect(await store.delete(keys)).toBe(60)
  })
  it('keeps the order of calls on one key before it is known who serves it', async () => {
    const transport = tcpTransport({ url: nodes() })
    closing.push(() => transport.close())
    const replies = Promise.all([
      transport.send(once('SET', 'own:order', 1, 'PX', 60_000)),
      transport.sendMany([once('INCR', 'own:order'), read('GET', 'own:order')]),
      transport.transaction([once('INCR', 'own:order'), once('INCR', 'own:order')]),
      transport.send(read('GET', 'own:order')),
    ])
    expect(await replies).toEqual(['OK', [2, '2'], [3, 4], '4'])
  })
  it('ends a call at its deadline or its signal while no node is found', async () => {
    const transport = tcpTransport({ url: ['redis://127.0.0.1:1'] })
    closing.push(() => transport.close())
    await expect(transport.send(read('GET', 'x'))).rejects.toEqual(code('STORE_UNAVAILABLE'))
    const gone = new AbortController()
    gone.abort(new Error('left'))
    await expect(transport.send(read('GET', 'x'), { signal: gone.signal })).rejects.toThrow('left')
  })
  it('waits on a key of its own node, and lends connections to it', async () => {
    const transport = tcpTransport({ url: nodes() })
    closing.push(() => transport.close())
    for (const key of ['own:q1', 'own:q2', 'own:q3']) {
      const waiting = transport.send(once('BLPOP', key, 0))
      await transport.send(once('RPUSH', key, 'x'))
      expect(await waiting).toEqual([key, 'x'])
      const connection = await transport.exclusive({}, key)
      expect(await connection.send(read('WATCH', key))).toBe('OK')
      expect(await connection.transaction([once('SET', key, 1, 'PX', 1000)])).toEqual(['OK'])
      connection.release(false)
    }
  })
  it('hears at any node what is published at any other', async () => {
    const transport = tcpTransport({ url: nodes() })
    closing.push(() => transport.close())
    const heard: string[] = []
    const end = await transport.subscribe('own:news', (message) => void heard.push(message))
    const others = await Promise.all(nodes().map((url) => tcpTransport({ url })))
    for (const other of others) {
      closing.push(() => other.close())
      await other.send(once('PUBLISH', 'own:news', 'x'))
    }
    await expect.poll(() => heard, { timeout: 20_000 }).toEqual(['x', 'x', 'x'])
    await end()
  })
  it('serves no database but 0', async () => {
    expect(slotOf('{a}b')).toBe(slotOf('a'))
    const transport = tcpTransport({ url: `${nodes()[0]}/1` })
    closing.push(() => transport.close())
    await expect(transport.send(read('PING'))).rejects.toEqual(code('STORE_REJECTED'))
  })
})
