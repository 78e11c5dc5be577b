import { type AtomicStore, type Codec, HitherError } from 'hither'
import { createIdempotency } from 'hither/idempotency'
import { memoryStore } from 'hither/memory'
import { createOnce } from 'hither/once'
import { createTokens } from 'hither/token'
import { describe, expect, it, vi } from 'vitest'
import { upstashStore } from '../../../adapters/upstash/index.ts'

const code = (code: string) => expect.objectContaining({ code })
const lost = new HitherError('STORE_UNAVAILABLE', 'lost', { maybeExecuted: true })

function watched(store = memoryStore()) {
  const keys: string[] = []
  const run: AtomicStore['run'] = (operation, key, args, call) => {
    keys.push(key)
    return store.run(operation, key, args, call)
  }
  const set: AtomicStore['set'] = (key, ...rest) => {
    keys.push(key)
    return store.set(key, ...rest)
  }
  return { store: { ...store, run, set }, keys }
}

describe('calls of one tick', () => {
  it('leave in one request, though each is hashed by itself', async () => {
    let requests = 0
    const store = upstashStore({
      url: 'https://example.com',
      token: 'not-a-secret',
      fetch: async (_, init) => {
        requests++
        const commands = JSON.parse(String(init?.body)) as unknown[]
        const results = commands.map(() => ({ result: null }))
        return Response.json(Array.isArray(commands[0]) ? results : results[0])
      },
    })
    const tokens = createTokens({ store, name: 'n', ttl: '1m' })
    const words = Array.from({ length: 300 }, (_, i) => `${i}`.padStart(43, 'x'))
    await tokens.consume('x'.repeat(43))
    requests = 0
    await Promise.all(words.map((word) => tokens.consume(word)))
    // One request. If a busy machine stops this run of microtasks for half a second, it may be two.
    expect(requests).toBeLessThan(4)
    await store.close()
  })
})

describe('one-time tokens', () => {
  it('take no option that makes no sense', () => {
    const good = { store: memoryStore(), name: 'n', ttl: '1m' } as const
    expect(() => createTokens({ ...good, other: 1 } as never)).toThrow(code('INVALID_ARGUMENT'))
    expect(() => createTokens({ ...good, ttl: undefined } as never)).toThrow(code('INVALID_DURATION'))
    expect(() => createTokens({ ...good, name: 'a:b' })).toThrow(code('INVALID_KEY'))
    expect(() => createTokens({ ...good, store: {} } as never)).toThrow(code('UNSUPPORTED'))
  })
  it('are nothing but what was issued: no other text reaches the store', async () => {
    const { store, keys } = watched()
    const tokens = createTokens({ store, name: 'n', ttl: '1m' })
    for (const text of ['', 'x', 'x'.repeat(42), 'x'.repeat(44), `${'x'.repeat(42)}:`, undefined, null, 7, {}]) {
      expect([await tokens.consume(text as string), await tokens.revoke(text as string)]).toEqual([undefined, false])
    }
    expect(keys).toEqual([])
    const token = await tokens.issue(1)
    expect(keys[0]).toMatch(/^:token:token:n:[\w-]{43}$/)
    expect(keys[0]).not.toContain(token)
    expect([await tokens.consume(token), await tokens.consume(token)]).toEqual([1, undefined])
  })
  it('have the data that was given, whatever the caller does to it afterwards', async () => {
    const tokens = createTokens<{ user: number }>({ store: memoryStore(), name: 'n', ttl: '1m' })
    const data = { user: 1 }
    const issued = [tokens.issue(data)]
    data.user = 2
    issued.push(tokens.issue(data))
    const found = issued.map(async (token) => tokens.consume(await token))
    expect(await Promise.all(found)).toEqual([{ user: 1 }, { user: 2 }])
  })
  it('are not issued for nothing', async () => {
    const { store, keys } = watched()
    const codec = { mark: 'X', encode: String, decode: (text: string) => text }
    for (const own of [{}, { codec }]) {
      const tokens = createTokens({ store, name: 'n', ttl: '1m', ...own })
      await expect(tokens.issue(undefined)).rejects.toEqual(code('UNENCODABLE'))
    }
    expect(keys).toEqual([])
  })
  it('end with their lifetime', async () => {
    let atMs = 1_795_000_000_000
    const tokens = createTokens({ store: memoryStore({ now: () => atMs }), name: 'n', ttl: '1m' })
    const [one, other] = [await tokens.issue(1), await tokens.issue(2)]
    atMs += 59_999
    expect(await tokens.consume(one)).toBe(1)
    atMs += 1
    expect(await tokens.consume(other)).toBe(undefined)
  })
  it('say that they may be gone, where the answer is lost', async () => {
    const store = memoryStore()
    const tokens = createTokens({ store: { ...store, run: () => Promise.reject(lost) }, name: 'n', ttl: '1m' })
    await expect(tokens.consume('x'.repeat(43))).rejects.toBe(lost)
  })
  it('give nothing of another codec, or of text that is none', async () => {
    const { store, keys } = watched()
    const codecOf = (mark: string): Codec => ({
      mark,
      encode: async (value) => JSON.stringify(value),
      decode: async (text) => JSON.parse(text),
    })
    const [a, b] = ['A', 'B'].map((mark) => createTokens({ store, name: 'n', ttl: '1m', codec: codecOf(mark) }))
    const plain = createTokens({ store, name: 'n', ttl: '1m' })
    const token = (await a?.issue('x')) as string
    const key = keys[0] as string
    for (const [tokens, text] of [
      [a, 'A"x"'],
      [b, undefined],
      [plain, undefined],
      [a, 'A{'],
      [plain, 'j{'],
      [plain, ''],
    ] as const) {
      await store.set(key, text ?? 'A"x"')
      expect(await tokens?.consume(token)).toBe(text === 'A"x"' ? 'x' : undefined)
    }
  })
})

describe('once', () => {
  it('takes no option that makes no sense, and no key that is none', async () => {
    const good = { store: memoryStore(), ttl: '1m' } as const
    expect(() => createOnce({ ...good, other: 1 } as never)).toThrow(code('INVALID_ARGUMENT'))
    expect(() => createOnce({ ...good, ttl: 0 })).toThrow(code('INVALID_DURATION'))
    expect(() => createOnce({ ...good, namespace: 'a:b' })).toThrow(code('INVALID_KEY'))
    expect(() => createOnce({ ttl: '1m' } as never)).toThrow(code('UNSUPPORTED'))
    for (const key of ['', 7, undefined])
      await expect(createOnce(good).first(key as string)).rejects.toEqual(code('INVALID_KEY'))
  })
  it('finds what it has written itself, where the call was sent again', async () => {
    const store = memoryStore()
    const twice: AtomicStore['run'] = async (operation, key, args, call) => {
      await store.run(operation, key, args, call)
      return store.run(operation, key, args, call)
    }
    const once = createOnce({ store: { ...store, run: twice }, ttl: '1m' })
    expect([await once.first('k'), await once.first('k')]).toEqual([true, false])
  })
})

describe('idempotency', () => {
  it('takes no option that makes no sense, and no key that is none', async () => {
    const good = { store: memoryStore() } as const
    expect(() => createIdempotency({ ...good, other: 1 } as never)).toThrow(code('INVALID_ARGUMENT'))
    expect(() => createIdempotency({ ...good, ttl: 0 })).toThrow(code('INVALID_DURATION'))
    expect(() => createIdempotency({ ...good, hold: 0 })).toThrow(code('INVALID_DURATION'))
    expect(() => createIdempotency({ ...good, namespace: 'a:b' })).toThrow(code('INVALID_KEY'))
    expect(() => createIdempotency({} as never)).toThrow(code('UNSUPPORTED'))
    for (const key of ['', 7, undefined])
      await expect(createIdempotency(good).begin(key as string)).rejects.toEqual(code('INVALID_ARGUMENT'))
    for (const wrong of [{ scop: 'u' }, { scope: 7 }, { fingerprint: null }, null, 'u'])
      await expect(createIdempotency(good).begin('k', wrong as never)).rejects.toEqual(code('INVALID_ARGUMENT'))
  })
  it('tells apart scopes and keys that would be alike when joined', async () => {
    const { store, keys } = watched()
    const idempotency = createIdempotency({ store })
    for (const [scope, key] of [
      ['a', 'b'],
      ['a","b', 'b'],
      ['', 'ab'],
      ['ab', 'x'],
      ['a', 'bx'],
    ] as const)
      expect((await idempotency.begin(key, { scope })).outcome).toBe('first')
    expect(new Set(keys).size).toBe(5)
    expect(keys[0]).toMatch(/^:idempotency:idempotency:[\w-]{43}$/)
  })
  it('lets a key go that it cannot know to have', async () => {
    const inner = memoryStore()
    const verbs: unknown[] = []
    const store: AtomicStore = {
      ...inner,
      async run(operation, key, args, call) {
        verbs.push(args[0])
        const reply = await inner.run(operation, key, args, call)
        if (verbs.length === 1) throw lost
        return reply
      },
    }
    const idempotency = createIdempotency({ store, wait: 0 })
    await expect(idempotency.begin('k')).rejects.toBe(lost)
    expect(verbs).toEqual(['begin', 'release'])
    expect((await idempotency.begin('k')).outcome).toBe('first')
  })
  it('ends with its signal while the store is slow, and frees what it has claimed after all', async () => {
    const store = memoryStore()
    const gate = Promise.withResolvers<void>()
    const verbs: unknown[] = []
    const run: AtomicStore['run'] = async (operation, key, args, call) => {
      verbs.push(args[0])
      if (verbs.length === 1) await gate.promise
      return store.run(operation, key, args, call)
    }
    const idempotency = createIdempotency({ store: { ...store, run }, wait: 0 })
    const controller = new AbortController()
    const slow = idempotency.begin('k', { signal: controller.signal })
    await vi.waitFor(() => expect(verbs).toEqual(['begin']))
    controller.abort(new Error('gone'))
    await expect(slow).rejects.toThrow('gone')
    // A release that ran before the step `begin` would leave the key claimed.
    expect(verbs).toEqual(['begin'])
    gate.resolve()
    await vi.waitFor(() => expect(verbs).toEqual(['begin', 'release']))
    await vi.waitFor(async () => expect((await idempotency.begin('k')).outcome).toBe('first'))
  })
  it('ends a wait with its signal', async () => {
    const { store, keys } = watched()
    const idempotency = createIdempotency({ store, wait: '1h' })
    await expect(idempotency.begin('k', { signal: AbortSignal.abort(new Error('before')) })).rejects.toThrow('before')
    // Aborted while the key is hashed.
    const early = new AbortController()
    const hashing = idempotency.begin('k', { signal: early.signal })
    early.abort(new Error('meanwhile'))
    await expect(hashing).rejects.toThrow('meanwhile')
    expect(keys).toEqual([])
    await idempotency.begin('k')
    const controller = new AbortController()
    const waiting = idempotency.begin('k', { signal: controller.signal })
    controller.abort(new Error('gone'))
    await expect(waiting).rejects.toThrow('gone')
  })
  it('waits no longer where the clock is set back meanwhile', async () => {
    const { store, keys } = watched()
    const idempotency = createIdempotency({ store, wait: 100 })
    await idempotency.begin('k')
    const waiting = idempotency.begin('k')
    await vi.waitFor(() => expect(keys.length).toBeGreaterThan(1))
    const before = Date.now()
    const now = vi.spyOn(Date, 'now').mockReturnValue(before - 3_600_000)
    expect((await waiting).outcome).toBe('running')
    now.mockRestore()
  })
  it('knows a key while its request is at work, also past a shorter lifetime', async () => {
    let nowMs = 1
    const idempotency = createIdempotency({ store: memoryStore({ now: () => nowMs }), ttl: '1s', wait: 0, hold: '1m' })
    const first = await idempotency.begin('k')
    nowMs += 59_000
    expect((await idempotency.begin('k')).outcome).toBe('running')
    expect(first.outcome === 'first' && (await first.complete('done'))).toBe(true)
    nowMs += 999
    expect((await idempotency.begin('k')).outcome).toBe('replay')
    nowMs += 1
    expect((await idempotency.begin('k')).outcome).toBe('first')
  })
  it('forgets a key with its lifetime', async () => {
    const now = vi.spyOn(Date, 'now').mockReturnValue(1_795_000_000_000)
    const idempotency = createIdempotency({ store: memoryStore(), ttl: '1m', wait: 0 })
    const first = await idempotency.begin('k')
    if (first.outcome === 'first') await first.complete('r')
    now.mockReturnValue(1_795_000_059_999)
    expect((await idempotency.begin('k')).outcome).toBe('replay')
    now.mockReturnValue(1_795_000_060_000)
    expect((await idempotency.begin('k')).outcome).toBe('first')
    now.mockRestore()
  })
})
