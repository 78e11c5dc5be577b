import { createCache } from 'hither'
import { createCounter } from 'hither/counter'
import { embeddedStore } from 'hither/embedded'
import { createIdempotency } from 'hither/idempotency'
import { createLocks } from 'hither/lock'
import { memoryStore } from 'hither/memory'
import { createOnce } from 'hither/once'
import { createRateLimiter, fixedWindow } from 'hither/rate-limit'
import { createSessions } from 'hither/session'
import { brokenStore, manualClock } from 'hither/testing'
import { createTokens } from 'hither/token'
import { describe, expect, it } from 'vitest'

const code = (error: unknown): unknown => (error as { code?: unknown }).code

describe('brokenStore', () => {
  it('rejects at once when it is down, and getOrSet loads', async () => {
    const cache = createCache({ store: brokenStore('down'), ttl: '1m' })
    expect(await cache.getOrSet('user:7', () => 'loaded')).toBe('loaded')
    expect(code(await cache.get('user:7').catch((error) => error))).toBe('STORE_UNAVAILABLE')
  })
  it('ends each call at its deadline when it hangs', async () => {
    const cache = createCache({ store: brokenStore('hangs'), ttl: '1m', storeTimeout: 20 })
    expect(await cache.getOrSet('user:7', () => 'loaded')).toBe('loaded')
    expect(code(await cache.get('user:7').catch((error) => error))).toBe('TIMEOUT')
  })
  it('ends a call without a deadline when it hangs, as other stores do: those of locks, sessions and the like', async () => {
    const store = brokenStore('hangs', { timeoutMs: 20 })
    const sessions = createSessions({ store, secrets: [new Uint8Array(32)] })
    const tokens = createTokens({ store, name: 'reset', ttl: '1m' })
    const calls = [
      createLocks({ store }).acquire('a'),
      createLocks({ store }).run('a', () => 1, { wait: '1s' }),
      createCounter({ store, name: 'a' }).increment('a'),
      createOnce({ store, ttl: '1m' }).first('a'),
      createIdempotency({ store }).begin('a'),
      tokens.issue(1),
      tokens.consume('a'.repeat(43)),
      sessions.destroyAll('user:7'),
      sessions.list('user:7'),
      store.get('a', { deadline: undefined } as object),
    ]
    for (const call of calls.map((call) => call.catch(code))) expect(await call).toBe('TIMEOUT')
  })
  it('answers late when it is slow', async () => {
    const store = brokenStore('slow', { store: memoryStore(), delayMs: 5 })
    const cache = createCache({ store, ttl: '1m' })
    await cache.set('a', 1)
    expect(await cache.get('a')).toBe(1)
    expect(code(await store.get('a', { deadline: Date.now() + 1 }).catch((error) => error))).toBe('TIMEOUT')
  })
  it('rejects with the reason of a signal that aborts', async () => {
    const store = brokenStore('hangs')
    const abort = new AbortController()
    const waiting = store.get('a', { signal: abort.signal }).catch((error) => error)
    abort.abort(new Error('left'))
    expect(await waiting).toMatchObject({ message: 'left' })
    expect(await store.get('a', { signal: abort.signal }).catch((error) => error)).toMatchObject({ message: 'left' })
  })
  it('is mended, and broken again, by its fault', async () => {
    const store = brokenStore('down', { store: memoryStore() })
    const limiter = createRateLimiter({ store, algorithm: fixedWindow({ limit: 1, window: '1h' }), outage: 'closed' })
    expect((await limiter.limit('a')).success).toBe(false)
    store.fault = undefined
    expect((await limiter.limit('a')).success).toBe(true)
    store.fault = 'down'
    expect((await limiter.limit('b')).success).toBe(false)
  })
  it('refuses what is no fault and no delay', () => {
    expect(() => brokenStore('lost' as never)).toThrow("a store can be 'down', 'hangs' or 'slow'")
    expect(() => brokenStore('slow', { delayMs: Number.NaN })).toThrow('delayMs')
    expect(() => brokenStore('hangs', { timeoutMs: 0 })).toThrow('timeoutMs')
  })
})

describe('manualClock', () => {
  it('moves the lifetimes of a memory store', async () => {
    const clock = manualClock()
    const cache = createCache({ store: memoryStore({ now: clock.now }), ttl: '1m' })
    await cache.set('a', 1)
    clock.advance(59_999)
    expect(await cache.get('a')).toBe(1)
    clock.advance(1)
    expect(await cache.get('a')).toBe(undefined)
  })
  it('moves what is fresh and stale of a cache with grace, in memory and embedded, whatever year it begins in', async () => {
    for (const startMs of [undefined, 0, Date.now() + 1e11])
      for (const open of [memoryStore, embeddedStore]) {
        const clock = manualClock(startMs)
        const cache = createCache({ store: open({ now: clock.now }), ttl: '1m', grace: '1h' })
        await cache.set('a', 1)
        clock.advance(59_999)
        expect([await cache.get('a'), (await cache.getEntry('a')).age]).toEqual([1, 59_999])
        clock.advance(1)
        expect([await cache.get('a'), (await cache.getEntry('a')).status]).toEqual([undefined, 'stale'])
        expect(await cache.getOrSet('a', () => Promise.reject(new Error('down')))).toBe(1)
        clock.advance(3_600_000)
        expect((await cache.getEntry('a')).status).toBe('absent')
      }
  })
  it('refuses what is no number', () => {
    expect(() => manualClock(Number.NaN)).toThrow('finite number')
    expect(() => manualClock().advance(Number.POSITIVE_INFINITY)).toThrow('finite number')
  })
})
