import { afterEach, describe, expect, it } from 'vitest'
import { memoryStore } from '../../../adapters/memory/index.ts'
import { createCounter } from '../../../src/counter/index.ts'
import { createLocks } from '../../../src/lock/index.ts'
import { createOnce } from '../../../src/once/index.ts'
import { createSessions } from '../../../src/session/index.ts'
import { createTokens } from '../../../src/token/index.ts'

// Ten thousand callers of one key at once, and foreign code that has put names on Object.prototype.

const CALLERS = 10_000
const crowd = <T>(call: (i: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: CALLERS }, (_, i) => call(i)))
const cookieOf = (setCookie: string | undefined): string => setCookie?.split(';')[0] ?? ''
const request = (cookie = ''): Request => new Request('https://a.example/', { headers: { cookie } })

describe('ten thousand callers at once', () => {
  it('a counter lets as many past as its bound', async () => {
    const counter = createCounter({ store: memoryStore(), name: 'n', ttl: '1m', max: 4321 })
    const counts = (await crowd(() => counter.increment('k'))).filter((count) => count !== undefined)
    expect(counts.length).toBe(4321)
    expect(new Set(counts).size).toBe(4321)
    expect(await counter.get('k')).toBe(4321)
  })
  it('one is the first, one gets the data of a token, one has the lock', async () => {
    const store = memoryStore()
    const once = createOnce({ store, ttl: '1m' })
    expect((await crowd(() => once.first('k'))).filter(Boolean).length).toBe(1)
    const tokens = createTokens<number>({ store, name: 't', ttl: '1m' })
    const token = await tokens.issue(7)
    expect((await crowd(() => tokens.consume(token))).filter((data) => data !== undefined)).toEqual([7])
    const locks = createLocks({ store, ttl: '10m' })
    const held = (await crowd(() => locks.acquire('k', { renew: false }))).filter((lock) => lock !== undefined)
    expect(held.length).toBe(1)
    expect(await held[0]?.release()).toBe(true)
  })
  it('a session is opened by all, and ended for all', async () => {
    const sessions = createSessions<{ n: number }>({ store: memoryStore(), secrets: [new Uint8Array(32).fill(1)] })
    const session = await sessions.open(request())
    session.set('n', 7)
    const cookie = cookieOf(await session.save())
    const open = await crowd(() => sessions.open(request(cookie)))
    expect(open.every((one) => one.get('n') === 7)).toBe(true)
    await session.destroy()
    const saved = await crowd(async (i) => {
      open[i]?.set('n', i)
      return open[i]?.save()
    })
    expect(saved.filter((value) => value !== undefined)).toEqual([])
    expect((await sessions.open(request(cookie))).isNew).toBe(true)
  })
})

describe('names on Object.prototype', () => {
  const names = ['user', 'value', 'raw', 'fields', 'dead', 'entry', 'live', 'known', 'reply'] as const
  afterEach(() => {
    for (const name of names) Reflect.deleteProperty(Object.prototype, name)
  })
  it('are no field of a session, and change no count, token or lock', async () => {
    for (const name of names) {
      Object.defineProperty(Object.prototype, name, { value: 'stranger', configurable: true, writable: true })
    }
    const store = memoryStore()
    const sessions = createSessions({ store, secrets: [new Uint8Array(32).fill(1)] })
    const session = await sessions.open(request())
    expect(session.get('user')).toBe(undefined)
    session.set('n', 1)
    const again = await sessions.open(request(cookieOf(await session.save())))
    expect([again.get('n'), again.get('user'), again.flash('value')]).toEqual([1, undefined, undefined])
    const counter = createCounter({ store, name: 'n', ttl: '1m' })
    expect([await counter.increment('user'), await counter.get('raw')]).toEqual([1, 0])
    const tokens = createTokens<object>({ store, name: 't', ttl: '1m' })
    expect(await tokens.consume(await tokens.issue({ a: 1 }))).toEqual({ a: 1 })
    expect(await tokens.consume('user')).toBe(undefined)
    const locks = createLocks({ store })
    const lock = await locks.acquire('user')
    expect([await locks.acquire('user'), await lock?.release()]).toEqual([undefined, true])
  })
})
