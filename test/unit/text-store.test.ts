import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { kvStore } from '../../adapters/cloudflare/kv-store.ts'
import { runtimeCacheStore } from '../../adapters/vercel/runtime-cache-store.ts'
import type { Operation, Store } from '../../src/index.ts'
import { withoutOperations } from '../../src/store/without-operations.ts'

const code = (value: string, more: object = {}) => expect.objectContaining({ code: value, ...more })

/** A client of either kind, over a map. */
function createClient() {
  const values = new Map<string, string>()
  const sent: string[] = []
  let turn: Promise<void> = Promise.resolve()
  let fault: Error | undefined
  const call = async <T>(line: string, work: () => T): Promise<T> => {
    sent.push(line)
    await turn
    if (fault) throw fault
    return work()
  }
  const set = (key: string, value: string, options: object = {}): Promise<void> =>
    call(`set ${key} ${JSON.stringify(options)}`, () => void values.set(key, value))
  return {
    sent,
    get: (key: string): Promise<string | null> => call(`get ${key}`, () => values.get(key) ?? null),
    put: set,
    set,
    delete: (key: string): Promise<void> => call(`delete ${key}`, () => void values.delete(key)),
    /** From now on no call settles. */
    hang() {
      turn = new Promise(() => {})
    },
    fail(error: Error) {
      fault = error
    },
  }
}
type Client = ReturnType<typeof createClient>

const kinds: readonly (readonly [string, (client: Client) => Store])[] = [
  ["Workers' KV", (client) => kvStore(client)],
  ['the Runtime Cache', (client) => runtimeCacheStore(client)],
]

describe.each(kinds)('%s', (_, open) => {
  let client: Client
  let store: Store
  beforeEach(() => {
    client = createClient()
    store = open(client)
  })
  afterEach(() => void vi.useRealTimers())

  it('sends nothing for a key, a value or a lifetime that no store takes', async () => {
    for (const key of ['', 5, 'x\ud800', 'é'.repeat(513)]) {
      await expect(store.get(key as string)).rejects.toEqual(code('INVALID_KEY'))
      await expect(store.set(key as string, 'x')).rejects.toEqual(code('INVALID_KEY'))
      await expect(store.delete(['a', key as string])).rejects.toEqual(code('INVALID_KEY'))
    }
    for (const value of [5, 'x\ud800', undefined])
      await expect(store.set('a', value as string)).rejects.toEqual(code('INVALID_VALUE'))
    const tooLarge = 'é'.repeat(store.traits.maxValueBytes / 2 + 1)
    await expect(store.set('a', tooLarge)).rejects.toEqual(code('VALUE_TOO_LARGE'))
    for (const ttlMs of [0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, '60000'])
      await expect(store.set('a', 'x', ttlMs as number)).rejects.toEqual(code('INVALID_DURATION'))
    const keys = Array.from({ length: 10_001 }, (_, i) => `${i}`)
    await expect(store.getMany(keys)).rejects.toEqual(code('BATCH_TOO_LARGE'))
    expect(client.sent).toEqual([])
  })
  it('sends nothing once the signal has aborted, or past the deadline', async () => {
    const left = new Error('left')
    const calls: ((call: object) => Promise<unknown>)[] = [
      (call) => store.get('a', call),
      (call) => store.getMany(['a'], call),
      (call) => store.set('a', 'x', 1, call),
      (call) => store.delete(['a'], call),
      (call) => store.ready(call),
    ]
    for (const call of calls) {
      await expect(call({ signal: AbortSignal.abort(left) })).rejects.toBe(left)
      await expect(call({ deadline: Date.now() - 1 })).rejects.toEqual(code('TIMEOUT'))
    }
    expect(client.sent).toEqual([])
  })
  it('settles a call that the client does not answer, at its deadline or by its signal', async () => {
    vi.useFakeTimers()
    client.hang()
    const stop = new AbortController()
    const ends = [
      store.get('a'),
      store.get('a', { deadline: Date.now() + 1000 }),
      store.set('b', 'x', undefined, { signal: stop.signal }),
      store.set('c', 'x'),
      store.delete(['d']),
    ].map((end) => (end as Promise<unknown>).catch((error: unknown) => error))
    stop.abort('left')
    await vi.advanceTimersByTimeAsync(6000)
    const read = code('TIMEOUT', { maybeExecuted: false })
    const write = code('TIMEOUT', { maybeExecuted: true })
    expect(await Promise.all(ends)).toEqual([read, read, 'left', write, read])
  })
  it('says of a write that failed that it may have run', async () => {
    client.fail(new Error('down'))
    const write = code('STORE_UNAVAILABLE', { maybeExecuted: true, retryable: true })
    await expect(store.set('a', 'x')).rejects.toEqual(write)
    await expect(store.get('a')).rejects.toEqual(code('STORE_UNAVAILABLE', { maybeExecuted: false }))
  })
  it('acts in call order: what is written after a delete stays', async () => {
    await store.set('a', 'old')
    const [count, , value] = await Promise.all([store.delete(['a', 'a']), store.set('a', 'new'), store.get('a')])
    expect([count, value, await store.get('a')]).toEqual([1, 'new', 'new'])
  })
  it('is not made of what has not all that it needs', () => {
    for (const name of ['get', 'set', 'put', 'delete'])
      expect(() =>
        open({ ...client, [name]: undefined, ...(/set|put/.test(name) ? { set: 1, put: 1 } : {}) } as never),
      ).toThrow(code('INVALID_ARGUMENT'))
  })
  it('rejects after its end, and ends twice', async () => {
    await store.close()
    await store.close()
    const calls = [store.get('a'), store.getMany(['a']), store.set('a', 'x'), store.delete(['a']), store.ready()]
    for (const call of calls) await expect(call).rejects.toEqual(code('CLOSED'))
  })
})

it("Workers' KV keeps a value for a minute at least, and takes neither . nor .. for a key", async () => {
  const client = createClient()
  const store = kvStore(client)
  await store.set('a', 'x', 1)
  await store.set('a', 'x', 60_001)
  await store.set('a', 'x')
  expect(client.sent).toEqual(['set a {"expirationTtl":60}', 'set a {"expirationTtl":61}', 'set a {}'])
  for (const key of ['.', '..']) await expect(store.get(key)).rejects.toEqual(code('INVALID_KEY'))
})

it("the Runtime Cache gives nothing of another key, though Vercel's client keeps both under one hash of 32 bits", async () => {
  const values = new Map<string, unknown>()
  /** The hash of `getCache()` of `@vercel/functions` 3.9.9, unless it is given another `keyHashFunction`. */
  const hash = (key: string): string => {
    let sum = 5381
    for (let i = 0; i < key.length; i++) sum = (sum * 33) ^ key.charCodeAt(i)
    return (sum >>> 0).toString(16)
  }
  const store = runtimeCacheStore({
    get: async (key) => values.get(hash(key)),
    set: async (key, value) => void values.set(hash(key), value),
    delete: async (key) => void values.delete(hash(key)),
  })
  const [mine, yours] = ['session:ABP', 'session:AA3']
  expect(hash(mine)).toBe(hash(yours))
  await store.set(yours, 'secret')
  expect(await store.getMany([mine, yours])).toEqual([undefined, 'secret'])
  await store.set(mine, 'own "')
  expect(await store.getMany([mine, yours])).toEqual(['own "', undefined])
})

describe('an operation over a store that runs none', () => {
  const keep: Operation<[], number> = {
    name: 'keep',
    effect: 'once',
    lua: '',
    apply: (text) => ({ next: `${text}!`, ttl: 'keep', reply: 1 }),
  }
  it('writes no lifetime that ends while it decides', async () => {
    const values = new Map<string, string>()
    const lives: (number | undefined)[] = []
    const store = withoutOperations({
      ...runtimeCacheStore(createClient()),
      get: async (key) => values.get(key),
      async set(key, value, ttlMs) {
        values.set(key, value)
        lives.push(ttlMs)
      },
    })
    const at = Date.now()
    // Each look at the clock is a millisecond later.
    let looks = 0
    vi.spyOn(Date, 'now').mockImplementation(() => at + looks++)
    for (let lifeMs = 1; lifeMs < 9; lifeMs++) {
      await store.set('k', 'v', lifeMs)
      await store.run(keep, 'k', [])
    }
    vi.restoreAllMocks()
    expect(lives.every((ttlMs) => ttlMs === undefined || ttlMs > 0)).toBe(true)
  })
})
