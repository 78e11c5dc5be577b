import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { connect, ioredisStore } from '../../adapters/ioredis/index.ts'
import { memoryStore } from '../../adapters/memory/index.ts'
import { type StartedGateway, startGateway } from '../../adapters/node/index.ts'
import { tcpStore } from '../../adapters/tcp/index.ts'
import { upstashStore } from '../../adapters/upstash/index.ts'
import { encrypted } from '../../src/codec/index.ts'
import { embeddedStore } from '../../src/embedded/index.ts'
import type { AtomicStore } from '../../src/index.ts'
import { createSessions, type Sessions, type SessionsOptions } from '../../src/session/index.ts'
import { systems } from '../support/systems.ts'

interface Data {
  user?: number
  cart?: string[]
  since?: Date
}

const code = (code: string) => expect.objectContaining({ code })
const secret = crypto.getRandomValues(new Uint8Array(32))
let tests = 0

/** Returns the `Cookie` field that a browser sends after it received this `Set-Cookie`. */
const cookieOf = (setCookie: string | undefined): string => setCookie?.split(';')[0] ?? ''
const request = (cookie = '', headers: Record<string, string> = {}): Request =>
  new Request('https://shop.example/', { headers: { ...(cookie ? { cookie } : {}), ...headers } })

function describeSessions(name: string, open: () => Promise<AtomicStore>, close?: () => Promise<void>): void {
  describe(`sessions: ${name}`, () => {
    const stores: AtomicStore[] = []
    beforeAll(async () => {
      stores.push(await open(), await open())
    }, 60_000)
    afterAll(async () => {
      await Promise.all(stores.map((store) => store.close()))
      await close?.()
    })
    const pair = (options: Partial<SessionsOptions<Data>> = {}): [Sessions<Data>, Sessions<Data>, string] => {
      const namespace = `n${++tests}-${Math.random().toString(36).slice(2)}`
      const [first, second] = stores.map((store) =>
        createSessions<Data>({ store, namespace, secrets: [secret], ...options }),
      )
      return [first as Sessions<Data>, second as Sessions<Data>, namespace]
    }
    const test = (title: string, body: () => Promise<void>): void => it(title, body, 60_000)

    test('data lives from request to request, on every server', async () => {
      const [here, there] = pair()
      const first = await here.open(request())
      expect(first.isNew).toBe(true)
      expect(await first.save()).toBe(undefined)
      first.set('user', 7)
      first.set('since', new Date(5))
      const setCookie = await first.save()
      expect(setCookie).toMatch(
        /^__Host-session=[\w-]{32}\.\.[\w-]{43}; Max-Age=43200; Path=\/; HttpOnly; SameSite=Lax; Secure$/,
      )
      expect(first.isNew).toBe(false)
      const second = await there.open(request(cookieOf(setCookie)))
      expect([second.isNew, second.get('user'), second.get('since'), second.get('cart')]).toEqual([
        false,
        7,
        new Date(5),
        undefined,
      ])
      expect(await second.save()).toBe(undefined)
      second.delete('user')
      expect(await second.save()).toBe(setCookie)
      expect(await second.save()).toBe(undefined)
      expect((await here.open(request(cookieOf(setCookie)))).get('user')).toBe(undefined)
    })
    test('a value that is changed in place is saved', async () => {
      const [here, there] = pair()
      const first = await here.open(request())
      first.set('cart', ['apple'])
      const cookie = cookieOf(await first.save())
      const second = await there.open(request(cookie))
      second.get('cart')?.push('pear')
      await second.save()
      expect((await here.open(request(cookie))).get('cart')).toEqual(['apple', 'pear'])
    })
    test('two requests at once lose no field of each other', async () => {
      const [here, there] = pair()
      const first = await here.open(request())
      first.set('user', 1)
      const cookie = cookieOf(await first.save())
      const [a, b] = await Promise.all([here.open(request(cookie)), there.open(request(cookie))])
      a.set('cart', ['a'])
      b.set('since', new Date(9))
      await Promise.all([a.save(), b.save()])
      const both = await here.open(request(cookie))
      expect([both.get('user'), both.get('cart'), both.get('since')]).toEqual([1, ['a'], new Date(9)])
    })
    test('a destroyed session is not made again by a request that runs on', async () => {
      const [here, there] = pair()
      const first = await here.open(request())
      first.set('user', 1)
      const cookie = cookieOf(await first.save())
      const late = await there.open(request(cookie))
      const leaving = await here.open(request(cookie))
      await leaving.destroy()
      expect(await leaving.save()).toBe('__Host-session=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax; Secure')
      late.set('cart', ['x'])
      expect(await late.save()).toBe(undefined)
      expect((await here.open(request(cookie))).isNew).toBe(true)
    })
    test('rotate ends the old id at once, and keeps the data and the subject', async () => {
      const [here, there] = pair()
      const first = await here.open(request())
      first.set('cart', ['x'])
      const old = cookieOf(await first.save())
      const login = await here.open(request(old))
      await login.rotate()
      expect((await there.open(request(old))).isNew).toBe(true)
      login.set('user', 7)
      login.bind('user:7')
      const cookie = cookieOf(await login.save())
      expect(cookie).not.toBe(old)
      const next = await there.open(request(cookie))
      expect([next.get('cart'), next.get('user')]).toEqual([['x'], 7])
      await next.rotate()
      const again = cookieOf(await next.save())
      expect((await here.open(request(again))).get('user')).toBe(7)
      await here.destroyAll('user:7')
      expect((await there.open(request(again))).isNew).toBe(true)
    })
    test('rotate does not bring back what another request has destroyed', async () => {
      const [here, there] = pair()
      const first = await here.open(request())
      first.set('user', 1)
      const cookie = cookieOf(await first.save())
      const late = await there.open(request(cookie))
      await (await here.open(request(cookie))).destroy()
      await late.rotate()
      late.set('cart', ['mine'])
      const next = await here.open(request(cookieOf(await late.save())))
      expect([next.get('user'), next.get('cart')]).toEqual([undefined, ['mine']])
    })
    test('destroy ends the session that another request has rotated meanwhile, stored yet or not', async () => {
      const [here, there] = pair()
      const first = await here.open(request())
      first.set('user', 1)
      first.bind('user:1')
      let cookie = cookieOf(await first.save())
      const before = [await there.open(request(cookie)), await there.open(request(cookie))]
      const [{ handle } = { handle: '' }] = await here.list('user:1')
      // Rotates twice: the second rotation starts from the state that the first one left.
      for (let i = 0; i < 2; i++) {
        const rotating = await here.open(request(cookie))
        await rotating.rotate()
        cookie = cookieOf(await rotating.save())
      }
      const late = await here.open(request(cookie))
      expect(late.get('user')).toBe(1)
      await before[0]?.destroy()
      expect((await here.open(request(cookie))).isNew).toBe(true)
      expect(await before[0]?.save()).toMatch(/^__Host-session=; Max-Age=0/)
      late.set('cart', ['x'])
      expect(await late.save()).toBe(undefined)
      await before[1]?.destroy()
      expect(await here.destroy(handle)).toBe(false)

      const again = await here.open(request())
      again.set('user', 2)
      again.bind('user:2')
      const old = cookieOf(await again.save())
      const [leaving, rotating] = [await there.open(request(old)), await here.open(request(old))]
      await rotating.rotate()
      await leaving.destroy()
      rotating.set('cart', ['x'])
      const sent = await rotating.save()
      expect(sent).toMatch(/^__Host-session=; Max-Age=0/)
      expect(await here.list('user:2')).toEqual([])
    })
    test('a handle of before a rotation ends the session that goes on', async () => {
      const [here, there] = pair()
      const first = await here.open(request())
      first.bind('user:1')
      const old = cookieOf(await first.save())
      const [{ handle } = { handle: '' }] = await here.list('user:1')
      const rotating = await here.open(request(old))
      await rotating.rotate()
      const cookie = cookieOf(await rotating.save())
      expect((await there.open(request(old))).isNew).toBe(true)
      expect((await there.open(request(cookie))).isNew).toBe(false)
      expect([await there.destroy(handle), await there.destroy(handle)]).toEqual([true, false])
      expect((await here.open(request(cookie))).isNew).toBe(true)
    })
    test('destroyAll ends every session of a subject and no other', async () => {
      const [here, there] = pair()
      const login = async (subject: string, device: string): Promise<string> => {
        const session = await here.open(request('', { 'user-agent': device }))
        session.bind(subject)
        return cookieOf(await session.save())
      }
      const [a, b, c] = [await login('user:7', 'phone\n'), await login('user:7', 'laptop'), await login('user:8', '')]
      const listed = await there.list('user:7')
      expect(listed.map(({ device }) => device)).toEqual(['laptop', 'phone'])
      expect(listed[0]?.createdMs).toBeGreaterThan(0)
      for (const { handle } of listed) {
        expect((await there.open(request(`__Host-session=${handle}`))).isNew).toBe(true)
      }
      expect(await there.destroy(listed[1]?.handle as string)).toBe(true)
      expect(await there.destroy(listed[1]?.handle as string)).toBe(false)
      expect((await there.open(request(a))).isNew).toBe(true)
      expect((await there.list('user:7')).length).toBe(1)
      await there.destroyAll('user:7')
      expect((await here.open(request(b))).isNew).toBe(true)
      expect(await here.list('user:7')).toEqual([])
      expect((await here.open(request(c))).isNew).toBe(false)
      const again = await login('user:7', 'phone')
      expect((await there.open(request(again))).isNew).toBe(false)
    })
    test('a session that was bound since is judged by its subject, whatever cookie comes', async () => {
      const [here, there] = pair()
      const first = await here.open(request())
      first.set('user', 1)
      const old = cookieOf(await first.save())
      const bound = await here.open(request(old))
      bound.bind('user:1')
      const cookie = cookieOf(await bound.save())
      expect(cookie).not.toBe(old)
      expect((await there.open(request(old))).get('user')).toBe(1)
      await here.destroyAll('user:1')
      expect((await there.open(request(old))).isNew).toBe(true)
      expect((await there.open(request(cookie))).isNew).toBe(true)
    })
    test('a flash is read once', async () => {
      const [here, there] = pair()
      const first = await here.open(request())
      first.flash('notice', 'saved')
      const cookie = cookieOf(await first.save())
      const second = await there.open(request(cookie))
      expect([second.flash('notice'), second.flash('notice'), second.flash('other')]).toEqual([
        'saved',
        undefined,
        undefined,
      ])
      await second.save()
      expect((await here.open(request(cookie))).flash('notice')).toBe(undefined)
    })
    test('a cookie that is not ours opens nothing, and is never adopted', async () => {
      const [here, , namespace] = pair()
      const first = await here.open(request())
      first.set('user', 1)
      const cookie = cookieOf(await first.save())
      const other = createSessions<Data>({
        store: stores[0] as AtomicStore,
        namespace: `${namespace}x`,
        secrets: [secret],
      })
      expect((await other.open(request(cookie))).isNew).toBe(true)
      const forged = [
        cookie.slice(0, -1) + (cookie.endsWith('A') ? 'B' : 'A'),
        cookie.replace('..', `.${'s'.repeat(22)}.`),
        `__Host-session=${'a'.repeat(32)}..${'b'.repeat(43)}`,
        '__Host-session=',
        '__Host-session=%00',
        cookie.replace('__Host-', ''),
      ]
      for (const one of forged) {
        const session = await here.open(request(one))
        expect([session.isNew, session.get('user')]).toEqual([true, undefined])
        session.set('user', 2)
        expect(cookieOf(await session.save()).slice(15, 47)).not.toBe(one.slice(15, 47))
      }
      expect((await here.open(request(`a=b; ${forged[0]}; ${cookie}`))).get('user')).toBe(1)
    })
    test('secrets rotate', async () => {
      const next = crypto.getRandomValues(new Uint8Array(40))
      const [here, , namespace] = pair()
      const first = await here.open(request())
      first.set('user', 1)
      const cookie = cookieOf(await first.save())
      const store = stores[0] as AtomicStore
      const both = createSessions<Data>({ store, namespace, secrets: [next, secret] })
      const only = createSessions<Data>({ store, namespace, secrets: [btoa(String.fromCharCode(...next))] })
      const old = await both.open(request(cookie))
      expect(old.get('user')).toBe(1)
      old.set('user', 3)
      expect((await only.open(request(cookieOf(await old.save())))).get('user')).toBe(3)
      expect((await only.open(request(cookie))).isNew).toBe(true)
      const fresh = await both.open(request())
      fresh.set('user', 2)
      expect((await only.open(request(cookieOf(await fresh.save())))).get('user')).toBe(2)
    })
    test('the store holds no id that works', async () => {
      const [here, , namespace] = pair()
      const session = await here.open(request())
      session.bind('user:7')
      const cookie = cookieOf(await session.save())
      const id = cookie.slice(15, 47)
      const [{ handle } = { handle: '' }] = await here.list('user:7')
      const text = await (stores[0] as AtomicStore).get(`:${namespace}:s:${handle}`)
      expect(text).toMatch(/^s1\d{45}/)
      expect(text).not.toContain(id)
      expect(text).not.toContain('user:7')
    })
    test('idle and absolute ends are the store’s', async () => {
      const [here, , namespace] = pair({ idle: '1m', absolute: '2h' })
      const session = await here.open(request())
      session.bind('user:7')
      await session.save()
      const [{ handle } = { handle: '' }] = await here.list('user:7')
      const left = await (stores[0] as AtomicStore).run(
        {
          name: 'test.left',
          effect: 'read',
          lua: `return redis.call('PTTL', KEYS[1])`,
          apply: (current, _args: readonly [], { leftMs }) => ({ next: current, ttl: 'keep', reply: leftMs ?? -1 }),
        },
        `:${namespace}:s:${handle}`,
        [],
      )
      expect(left).toBeGreaterThan(50_000)
      expect(left).toBeLessThanOrEqual(60_000)
    })
    test('a schema judges the whole, and a codec hides it', async () => {
      const schema = z.object({ user: z.number().optional(), cart: z.array(z.string()).optional() })
      const codec = encrypted({ keys: [{ id: 'a', secret }] })
      const [here, there, namespace] = pair({ schema: schema as never, codec })
      const first = await here.open(request())
      first.set('user', 'seven' as never)
      await expect(first.save()).rejects.toEqual(code('INVALID_VALUE'))
      first.set('user', 7)
      first.bind('user:7')
      const cookie = cookieOf(await first.save())
      expect((await there.open(request(cookie))).get('user')).toBe(7)
      const [{ handle } = { handle: '' }] = await here.list('user:7')
      const text = (await (stores[0] as AtomicStore).get(`:${namespace}:s:${handle}`)) as string
      expect(text).toContain('.user\tc"Ea.')
      const plain = createSessions<Data>({ store: stores[0] as AtomicStore, namespace, secrets: [secret] })
      // The ciphertext is no value: without the codec it is no session.
      expect((await plain.open(request(cookie))).isNew).toBe(true)
      const rotated = await there.open(request(cookie))
      await rotated.rotate()
      expect((await here.open(request(cookieOf(await rotated.save())))).get('user')).toBe(7)
    })
    test('bad input is refused', async () => {
      const [here] = pair()
      const session = await here.open(request())
      expect(() => session.set('user', undefined as never)).toThrow(code('INVALID_VALUE'))
      expect(() => session.set('' as never, 1 as never)).toThrow(code('INVALID_ARGUMENT'))
      expect(() => session.bind('')).toThrow(code('INVALID_ARGUMENT'))
      session.set('cart', (() => 1) as never)
      await expect(session.save()).rejects.toEqual(code('UNENCODABLE'))
      await expect(here.destroyAll('')).rejects.toEqual(code('INVALID_ARGUMENT'))
      await expect(here.destroy('x')).rejects.toEqual(code('INVALID_ARGUMENT'))
      await expect(here.open({} as never)).rejects.toEqual(code('INVALID_ARGUMENT'))
    })
  })
}

const env = (name: string): string => process.env[name] as string
const memory = memoryStore()
describeSessions('memory', async () => ({ ...memory, close: async () => {} }))
const embedded = embeddedStore()
describeSessions('embedded', async () => ({ ...embedded, close: async () => {} }))
for (const [name, variable] of [
  ['Redis 7', 'REDIS7_URL'],
  ['Redis 8', 'REDIS8_URL'],
  ['Valkey', 'VALKEY_URL'],
] as const) {
  describeSessions(`hither/tcp, ${name}`, async () => tcpStore({ url: env(variable) }))
}
describeSessions('ioredis, Redis 8', async () => ioredisStore(await connect(env('REDIS8_URL'))))
describeSessions('ioredis Cluster', async () =>
  ioredisStore(
    await connect(
      env('CLUSTER_NODES')
        .split(',')
        .map((node) => `redis://${node}`),
    ),
  ),
)
let gateway: Promise<StartedGateway> | undefined
describeSessions(
  'REST',
  async () => {
    gateway ??= startGateway({ redis: env('REDIS8_URL') })
    return upstashStore(await gateway)
  },
  async () => (await gateway)?.stop(),
)
for (const { name, open, close } of systems()) describeSessions(name, open, close)
