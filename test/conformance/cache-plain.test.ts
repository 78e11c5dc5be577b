import { spawn, spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ioredisStore } from '../../adapters/ioredis/index.ts'
import { memoryStore } from '../../adapters/memory/index.ts'
import { plain } from '../../src/cache/parts/format-plain.ts'
import { type CacheEvent, createCache, type PlainCache, type PlainCacheOptions } from '../../src/index.ts'
import { same } from '../support/same.ts'

/** Another program on the same Redis. It knows JSON and the protocol, but not this package. */
const PROGRAM = `
import json, socket, sys
host, port = sys.argv[1].split(':')
file = socket.create_connection((host, int(port))).makefile('rwb')
def command(*args):
    parts = [a if isinstance(a, bytes) else str(a).encode() for a in args]
    file.write(b'*%d\\r\\n' % len(parts) + b''.join(b'$%d\\r\\n%s\\r\\n' % (len(p), p) for p in parts))
    file.flush()
    line = file.readline()
    kind, rest = line[:1], line[1:-2]
    if kind == b'-': raise Exception(rest.decode())
    if kind == b':': return int(rest)
    if kind == b'+': return rest
    if int(rest) < 0: return None
    return file.read(int(rest) + 2)[:-2]
for line in sys.stdin:
    body, arg = json.loads(line)
    try:
        print(json.dumps(eval(body, globals(), {'arg': arg})), flush=True)
    except Exception as error:
        print(json.dumps(repr(error)), flush=True)
`
const code = (code: string) => expect.objectContaining({ code })
const python = spawnSync('python3', ['--version'])
const values: unknown[] = [
  ...['text', '', '123', 'null', 'žluťoučký 馬 👩‍👩‍👧', 'a"\\/\b\u0000\u2028', 'lone \ud800'],
  ...[0, 7, -7, 1.5, -1e-7, 1e21, 2 ** 53 - 1, true, false, null, [], {}],
  { list: [1, 'x', null, { deep: [[]] }], __proto: 1, ключ: 'значение', $: 'm', v: [] },
]

describe('plain values on one Redis with a Python program', { timeout: 60_000 }, () => {
  const url = new URL(process.env.REDIS7_URL ?? '')
  const events: CacheEvent[] = []
  let redis: Redis
  let cache: PlainCache
  beforeAll(() => {
    redis = new Redis(url.href, { enableOfflineQueue: false, maxRetriesPerRequest: 0 })
    cache = createCache({
      store: ioredisStore(redis),
      format: plain(),
      storeTimeout: '20s',
      onEvent: (event) => events.push(event),
    })
  })
  afterAll(async () => {
    program.kill()
    await cache.close()
    redis.disconnect()
  })
  const program = spawn('python3', ['-c', PROGRAM, url.host], { stdio: ['pipe', 'pipe', 'inherit'] })
  program.on('error', () => {})
  const lines = createInterface(program.stdout)[Symbol.asyncIterator]()
  /** Evaluates a Python expression, in which `arg` is the argument passed here, and resolves to its value. */
  const run = async (expression: string, arg: unknown = null): Promise<unknown> => {
    program.stdin.write(`${JSON.stringify([expression, arg])}\n`)
    return JSON.parse((await lines.next()).value as string)
  }

  if (python.status !== 0) {
    it('needs python3, which is not here', () => expect(python.status).not.toBe(0))
    console.log('skipped: plain values on one Redis with a Python program: there is no python3 on this machine')
    return
  }

  it('Python reads what the cache writes', async () => {
    for (const [i, value] of values.entries()) await cache.set(`py:${i}`, value, { ttl: '1m' })
    const read = await run(`[json.loads(command('GET', 'py:%d' % i)) for i in range(arg)]`, values.length)
    expect(same(read, values)).toBe(true)
    expect(await run(`command('PTTL', 'py:0')`)).toBeGreaterThan(1000)
  })
  it('the cache reads what Python writes, escaped or not', async () => {
    const written = values.filter((value) => value !== 'lone \ud800')
    await run(`[command('SET', 'py:a%d' % i, json.dumps(v)) and 1 for i, v in enumerate(arg)]`, written)
    await run(
      `[command('SET', 'py:b%d' % i, json.dumps(v, ensure_ascii=False, indent=2).encode()) and 1 for i, v in enumerate(arg)]`,
      written,
    )
    for (const [i, value] of written.entries()) {
      expect(same(await cache.get(`py:a${i}`), value)).toBe(true)
      expect(same(await cache.get(`py:b${i}`), value)).toBe(true)
    }
    expect((await cache.getMany(written.map((_, i) => `py:a${i}`))).size).toBe(written.length)
    expect(await cache.getOrSet('py:a0', () => 'not loaded')).toBe('text')
    expect(await cache.take('py:a0')).toBe('text')
    expect(await cache.has('py:a0')).toBe(false)
    await cache.delete(written.flatMap((_, i) => [`py:a${i}`, `py:b${i}`]))
  })
  it('what is no JSON is a miss, and told', async () => {
    await run(`command('SET', 'py:nan', json.dumps([float('nan')])) and 1`)
    await run(`command('SET', 'py:inf', json.dumps(float('inf'))) and 1`)
    await run(`command('SET', 'py:raw', bytes([255, 254, 32])) and 1`)
    for (const key of ['py:nan', 'py:inf', 'py:raw']) {
      events.length = 0
      expect(await cache.get(key)).toBeUndefined()
      expect(events.map(({ type }) => type)).toEqual(['decode-failed', 'miss'])
      expect(await cache.getOrSet(key, () => 'loaded')).toBe('loaded')
      expect(await cache.get(key)).toBe('loaded')
    }
    await cache.delete(['py:nan', 'py:inf', 'py:raw'])
  })
  it('counts together with INCRBY, the lifetime kept', async () => {
    expect(await cache.increment('py:n', 5, { ttl: '1m' })).toBe(5)
    expect(await run(`command('INCRBY', 'py:n', 37)`)).toBe(42)
    expect(await cache.decrement('py:n', 2)).toBe(40)
    expect(await run(`json.loads(command('GET', 'py:n'))`)).toBe(40)
    expect(await cache.ttl('py:n')).toBeGreaterThan(1000)
    expect(await cache.get('py:n')).toBe(40)
    await run(`command('SET', 'py:n', 9007199254740991) and 1`)
    await expect(cache.increment('py:n')).rejects.toEqual(code('OVERFLOW'))
    await run(`command('SET', 'py:n', '1.5') and 1`)
    await expect(cache.increment('py:n')).rejects.toEqual(code('WRONG_TYPE'))
    await cache.delete('py:n')
  })
  it('a list of another program is absent, and no counter', async () => {
    await run(`command('RPUSH', 'py:list', 'theirs')`)
    expect(await cache.get('py:list')).toBeUndefined()
    expect(await cache.getEntry('py:list')).toMatchObject({ status: 'absent' })
    expect(await cache.ttl('py:list')).toBeUndefined()
    expect(await cache.touch('py:list')).toBe(false)
    expect(await cache.take('py:list')).toBeUndefined()
    await expect(cache.increment('py:list')).rejects.toEqual(code('WRONG_TYPE'))
    await expect(cache.add('py:list', 1)).rejects.toEqual(code('STORE_REJECTED'))
    expect(await run(`command('LLEN', 'py:list')`)).toBe(1)
    await cache.set('py:list', 'ours')
    expect(await cache.get('py:list')).toBe('ours')
    await cache.delete('py:list')
  })
  it('touches, adds and ends a value by the lifetime of the server', async () => {
    await run(`command('SET', 'py:t', '1', 'PX', 600000) and 1`)
    expect(await cache.add('py:t', 2)).toBe(false)
    expect(await cache.ttl('py:t')).toBeGreaterThan(60_000)
    expect((await cache.getEntry('py:t')).ttl).toBeGreaterThan(60_000)
    expect(await cache.touch('py:t', { ttl: '1m' })).toBe(true)
    expect(await cache.ttl('py:t')).toBeLessThanOrEqual(60_000)
    expect(await cache.touch('py:t')).toBe(true)
    expect(await run(`command('PTTL', 'py:t')`)).toBe(-1)
    expect(await cache.ttl('py:t')).toBe(Number.POSITIVE_INFINITY)
    expect(await cache.delete('py:t')).toBe(1)
    expect(await cache.touch('py:t')).toBe(false)
    expect(await cache.add('py:t', 2, { ttl: '1m' })).toBe(true)
    expect(await run(`command('PTTL', 'py:t')`)).toBeGreaterThan(1000)
    expect(await cache.delete('py:t')).toBe(1)
  })
})

describe('plain values', () => {
  const open = (options: object = {}) => {
    const store = memoryStore()
    return createCache({ store, format: plain(), ...options } as PlainCacheOptions)
  }
  it.each([{ grace: '1h' }, { namespace: 'shop' }, { codec: { mark: 'Q', encode: String, decode: String } }])(
    'have no place for %o',
    (options) => {
      expect(() => open(options)).toThrow(code('INVALID_ARGUMENT'))
    },
  )
  it('take no grace at a call, and no namespace as a view', async () => {
    const cache = open() as PlainCache<'frozen'> & { namespace(name: string): unknown }
    const options = { grace: '1h' } as object
    await expect(cache.set('k', 1, options)).rejects.toEqual(code('INVALID_ARGUMENT'))
    await expect(cache.add('k', 1, options)).rejects.toEqual(code('INVALID_ARGUMENT'))
    await expect(cache.touch('k', options)).rejects.toEqual(code('INVALID_ARGUMENT'))
    await expect(cache.getOrSet('k', () => 1, options)).rejects.toEqual(code('INVALID_ARGUMENT'))
    expect(() => cache.namespace('n')).toThrow(code('INVALID_ARGUMENT'))
    expect(await cache.get('k')).toBeUndefined()
  })
  it.each([
    new Date(1),
    1n,
    Number.NaN,
    -0,
    [undefined],
    new Map(),
    new Set(),
    new Uint8Array(1),
    { a: { $: new Date(1) } },
  ])('refuse %o, which JSON does not have', async (value) => {
    const cache = open()
    await expect(cache.set('k', value)).rejects.toEqual(code('UNENCODABLE'))
    await expect(cache.getOrSet('k', () => value)).rejects.toEqual(code('UNENCODABLE'))
    expect(await cache.has('k')).toBe(false)
  })
  it('keep the key as given, and refuse what is none', async () => {
    const store = memoryStore()
    const cache = createCache({ store, format: plain() })
    await cache.set('user:1', { $: 1 })
    expect(await store.get('user:1')).toBe('{"$":1}')
    expect(await cache.get('user:1')).toEqual({ $: 1 })
    for (const key of ['', 'k'.repeat(1025), 'a\ud800', 7 as never]) {
      await expect(cache.get(key)).rejects.toEqual(code('INVALID_KEY'))
      await expect(cache.set(key, 1)).rejects.toEqual(code('INVALID_KEY'))
      await expect(cache.getOrSet(key, () => 1)).rejects.toEqual(code('INVALID_KEY'))
    }
  })
  it('load once for callers of one process, and not into a key deleted meanwhile', async () => {
    const cache = open()
    const door = Promise.withResolvers<string>()
    let runs = 0
    const load = () => {
      runs++
      return door.promise
    }
    const early = Array.from({ length: 100 }, () => cache.getOrSet('k', load))
    while (runs === 0) await new Promise((resolve) => setTimeout(resolve, 1))
    expect(await cache.delete('k')).toBe(0)
    expect(await cache.getOrSet('k', () => 'new')).toBe('new')
    await cache.delete('k')
    door.resolve('old')
    expect(new Set(await Promise.all(early))).toEqual(new Set(['old']))
    expect(runs).toBe(1)
    expect(await cache.get('k')).toBeUndefined()
    expect(cache.stats().inFlight).toBe(0)
  })
})
