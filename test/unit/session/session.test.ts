import { type AtomicStore, HitherError, StoreRejectedError } from 'hither'
import { memoryStore } from 'hither/memory'
import { createSessions, hashedEntries, type SessionsOptions } from 'hither/session'
import { manualClock } from 'hither/testing'
import { describe, expect, it, vi } from 'vitest'

const secrets = [crypto.getRandomValues(new Uint8Array(32))]
const cookieOf = (setCookie: string | undefined): string => setCookie?.split(';')[0] ?? ''
const request = (cookie = ''): Request => new Request('https://a.example/', { headers: { cookie } })
const code = (code: string) => expect.objectContaining({ code })

describe('createSessions', () => {
  it('refuses options that make no sense, without the secret in its message', () => {
    const bad = (options: Partial<SessionsOptions<object>>) => () =>
      createSessions({ store: memoryStore(), secrets, ...options })
    for (const wrong of [[], ['short'], [new Uint8Array(31)], ['*'.repeat(60)], 'text' as never]) {
      expect(bad({ secrets: wrong })).toThrow(code('INVALID_ARGUMENT'))
      expect(bad({ secrets: wrong })).not.toThrow('short')
    }
    expect(bad({ store: {} as never })).toThrow(code('UNSUPPORTED'))
    expect(bad({ idle: '0s' })).toThrow(code('INVALID_DURATION'))
    expect(bad({ namespace: 'a b' })).toThrow(code('INVALID_KEY'))
    expect(bad({ cookie: { name: 'a b' } })).toThrow(code('INVALID_ARGUMENT'))
    expect(bad({ cookie: { sameSite: 'None' as never } })).toThrow(code('INVALID_ARGUMENT'))
    expect(bad({ ttl: '1m' } as never)).toThrow('createSessions has no option ttl')
  })
  it('refuses a store whose reads may be behind: a session that has ended would be opened there', () => {
    const store = memoryStore()
    const behind = { ...store, traits: { ...store.traits, consistency: 'eventual' as const } }
    for (const store of [behind, {} as never]) {
      expect(() => createSessions({ store, secrets })).toThrow(code('UNSUPPORTED'))
      expect(() => hashedEntries({ store })).toThrow(code('UNSUPPORTED'))
    }
    // The consistency of Upstash's own replicas: a store sees its own writes.
    const own = { ...store, traits: { ...store.traits, consistency: 'session' as const } }
    expect(createSessions({ store: own, secrets })).toBeDefined()
  })
  it('sends a cookie without Secure on this machine alone', async () => {
    const sessions = createSessions({ store: memoryStore(), secrets, insecure: true })
    const local = await sessions.open(new Request('http://localhost:3000/'))
    local.set('a', 1)
    expect(await local.save()).toMatch(/^session=[\w.-]+; Max-Age=43200; Path=\/; HttpOnly; SameSite=Lax$/)
    await expect(sessions.open(new Request('http://shop.example/'))).rejects.toEqual(code('INSECURE_URL'))
    await expect(sessions.open({ headers: new Headers({ host: 'shop.example' }) })).rejects.toEqual(
      code('INSECURE_URL'),
    )
  })
  it('ends a session that is idle, and one at its absolute end whatever happens', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    try {
      const sessions = createSessions<{ n?: number }>({ store: memoryStore(), secrets, idle: '10m', absolute: '1h' })
      const open = async () => sessions.open(request(cookie))
      const first = await sessions.open(request())
      first.set('n', 1)
      let cookie = cookieOf(await first.save())
      for (let minutes = 8; minutes < 60; minutes += 8) {
        vi.advanceTimersByTime(8 * 60_000)
        const session = await open()
        expect([minutes, session.isNew]).toEqual([minutes, false])
        await session.save()
      }
      vi.advanceTimersByTime(5 * 60_000)
      expect((await open()).isNew).toBe(true)
      const second = await sessions.open(request())
      second.set('n', 1)
      cookie = cookieOf(await second.save())
      vi.advanceTimersByTime(10 * 60_000 - 1)
      expect((await open()).isNew).toBe(false)
      vi.advanceTimersByTime(1)
      expect((await open()).isNew).toBe(true)
    } finally {
      vi.useRealTimers()
    }
  })
  it('keeps the absolute end through a rotation', async () => {
    const clock = manualClock(Date.now())
    const store = memoryStore({ now: clock.now })
    const sessions = createSessions<{ n?: number }>({ store, secrets, idle: '1h', absolute: '1h' })
    const first = await sessions.open(request())
    first.set('n', 1)
    const cookie = cookieOf(await first.save())
    clock.advance(50 * 60_000)
    const second = await sessions.open(request(cookie))
    await second.rotate()
    const rotated = cookieOf(await second.save())
    expect((await sessions.open(request(rotated))).get('n')).toBe(1)
    clock.advance(10 * 60_000)
    expect((await sessions.open(request(rotated))).isNew).toBe(true)
  })
  it('lists the sessions of a process whose clock is hours behind the store', async () => {
    const clock = manualClock(Date.now() + 7_200_000)
    const sessions = createSessions<{ n?: number }>({ store: memoryStore({ now: clock.now }), secrets, absolute: '1h' })
    for (const n of [1, 2]) {
      const session = await sessions.open(request())
      session.set('n', n)
      session.bind('user:7')
      await session.save()
      clock.advance(1000)
    }
    expect(await sessions.list('user:7')).toHaveLength(2)
  })
  it('stores nothing for a session that is rotated without a word in it, and has no old id', async () => {
    const store = memoryStore()
    const written: string[] = []
    const run: AtomicStore['run'] = (operation, key, ...rest) => {
      written.push(operation.name)
      return store.run(operation, key, ...rest)
    }
    const sessions = createSessions<Record<string, unknown>>({ store: { ...store, run }, secrets })
    const visitor = await sessions.open(request())
    await visitor.rotate()
    expect([visitor.isNew, await visitor.save(), written]).toEqual([true, undefined, []])
    visitor.set('n', 1)
    const cookie = cookieOf(await visitor.save())
    const emptied = await sessions.open(request(cookie))
    emptied.delete('n')
    await emptied.save()
    // Rotates twice: the client holds the old id until it is sent the new one.
    await emptied.rotate()
    await emptied.rotate()
    expect((await sessions.open(request(cookieOf(await emptied.save())))).isNew).toBe(false)
  })
  it('serves what is only read where the server refuses to extend the idle time', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    try {
      const store = memoryStore()
      let failure: Error | undefined
      const run: AtomicStore['run'] = async (...step) => {
        if (failure) throw failure
        return store.run(...step)
      }
      const sessions = createSessions<{ n?: number }>({ store: { ...store, run }, secrets, idle: '30m' })
      const made = await sessions.open(request())
      made.set('n', 1)
      const cookie = cookieOf(await made.save())
      vi.advanceTimersByTime(60_000)
      const read = await sessions.open(request(cookie))
      const onlyReads = 'CLUSTERDOWN The cluster is down and only accepts read commands'
      for (const reply of [{ word: 'CLUSTERDOWN', message: onlyReads }, 'OOM']) {
        failure = new StoreRejectedError('EVAL', reply)
        expect([await read.save(), read.get('n')]).toEqual([undefined, 1])
      }
      read.set('n', 2)
      await expect(read.save()).rejects.toBe(failure)
      failure = new HitherError('TIMEOUT', 'no answer', { retryable: true })
      await expect((await sessions.open(request(cookie))).save()).rejects.toBe(failure)
      failure = undefined
      expect(await read.save()).toMatch(/^__Host-session=/)
    } finally {
      vi.useRealTimers()
    }
  })
  it('extends the idle time once a minute, or once a tenth of it', async () => {
    vi.useFakeTimers({ toFake: ['Date'] })
    try {
      const store = memoryStore()
      const runs: string[] = []
      const counted = {
        ...store,
        run: ((operation, ...rest) => {
          runs.push(operation.name)
          return store.run(operation, ...rest)
        }) as typeof store.run,
      }
      const sessions = createSessions<{ n?: number }>({ store: counted, secrets })
      const first = await sessions.open(request())
      first.set('n', 1)
      const cookie = cookieOf(await first.save())
      const visit = async (): Promise<number> => {
        runs.length = 0
        await (await sessions.open(request(cookie))).save()
        return runs.length
      }
      vi.advanceTimersByTime(59_000)
      expect(await visit()).toBe(0)
      vi.advanceTimersByTime(1000)
      expect([await visit(), await visit()]).toEqual([1, 0])
      expect(runs).toEqual([])
    } finally {
      vi.useRealTimers()
    }
  })
  it('reads nothing for a cookie that is not ours, and once for one that is', async () => {
    const store = memoryStore()
    let gets = 0
    const counted = {
      ...store,
      get: ((...args) => {
        gets++
        return store.get(...args)
      }) as typeof store.get,
    }
    const sessions = createSessions<{ n?: number }>({ store: counted, secrets })
    await sessions.open(request())
    await sessions.open(request(`__Host-session=${'a'.repeat(32)}..${'b'.repeat(43)}`))
    expect(gets).toBe(0)
    const first = await sessions.open(request())
    first.set('n', 1)
    await sessions.open(request(cookieOf(await first.save())))
    expect(gets).toBe(1)
  })
  it('sends the cookie, signed by the current secret, with each save that changes something', async () => {
    const store = memoryStore()
    const next = crypto.getRandomValues(new Uint8Array(32))
    const first = await createSessions<{ n?: number }>({ store, secrets }).open(request())
    first.set('n', 1)
    const cookie = cookieOf(await first.save())
    const both = createSessions<{ n?: number }>({ store, secrets: [next, ...secrets] })
    expect(await (await both.open(request(cookie))).save()).toBe(undefined)
    const again = await both.open(request(cookie))
    again.set('n', 2)
    const renewed = cookieOf(await again.save())
    expect(await again.save()).toBe(undefined)
    expect(renewed.slice(0, 47)).toBe(cookie.slice(0, 47))
    const only = createSessions<{ n?: number }>({ store, secrets: [next] })
    expect((await only.open(request(cookie))).isNew).toBe(true)
    const opened = await only.open(request(renewed))
    expect(opened.get('n')).toBe(2)
    opened.bind('user:7')
    const bound = cookieOf(await opened.save())
    expect(bound).not.toBe(renewed)
    const last = await only.open(request(bound))
    last.delete('n')
    expect(cookieOf(await last.save())).toBe(bound)
  })
  it('saves what was read back and changed in place after it was saved', async () => {
    const sessions = createSessions<{ cart?: string[]; note?: string[] }>({ store: memoryStore(), secrets })
    const first = await sessions.open(request())
    first.set('cart', ['a'])
    const cart = first.get('cart')
    const cookie = cookieOf(await first.save())
    cart?.push('b')
    await first.save()
    expect((await sessions.open(request(cookie))).get('cart')).toEqual(['a', 'b'])
    // Nothing is sent for what was not changed.
    expect(await first.save()).toBe(undefined)
  })
  it('is as new after destroy: what is put in then is another session', async () => {
    const sessions = createSessions<{ n?: number }>({ store: memoryStore(), secrets })
    const first = await sessions.open(request())
    first.set('n', 1)
    const old = cookieOf(await first.save())
    await first.destroy()
    expect([first.isNew, first.get('n')]).toEqual([true, undefined])
    first.flash('notice', 'bye')
    const next = cookieOf(await first.save())
    expect(next).not.toBe(old)
    const second = await sessions.open(request(next))
    expect([second.get('n'), second.flash('notice')]).toEqual([undefined, 'bye'])
  })
  it('never revives a session that is destroyed in the middle of 100 saves', async () => {
    const sessions = createSessions<Record<string, number>>({ store: memoryStore(), secrets })
    for (let round = 0; round < 20; round++) {
      const first = await sessions.open(request())
      first.set('n', 1)
      const cookie = cookieOf(await first.save())
      const open = await Promise.all(Array.from({ length: 100 }, () => sessions.open(request(cookie))))
      for (const [i, session] of open.entries()) session.set(`f${i}`, i)
      await Promise.all(open.map((session, i) => (i === 50 ? session.destroy() : session.save())))
      expect((await sessions.open(request(cookie))).isNew).toBe(true)
    }
  })
})
