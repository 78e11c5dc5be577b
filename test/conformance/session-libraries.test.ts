import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { useSession } from '@hono/session'
import { betterAuth } from 'better-auth'
import express from 'express'
import session from 'express-session'
import { Hono } from 'hono'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { secondaryStorage } from '../../adapters/better-auth/index.ts'
import { sessionStore } from '../../adapters/express-session/index.ts'
import { sessionStorage } from '../../adapters/hono-session/index.ts'
import { memoryStore } from '../../adapters/memory/index.ts'
import { type StartedGateway, startGateway } from '../../adapters/node/index.ts'
import { tcpStore } from '../../adapters/tcp/index.ts'
import { upstashStore } from '../../adapters/upstash/index.ts'
import { encrypted } from '../../src/codec/index.ts'
import { embeddedStore } from '../../src/embedded/index.ts'
import type { AtomicStore } from '../../src/index.ts'
import { hashedEntries } from '../../src/session/index.ts'

// Runs the real packages of widely used session libraries over memory, TCP and REST.

declare module 'express-session' {
  interface SessionData {
    views: number
  }
}

const cookieOf = (response: Response): string =>
  response.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';')[0] ?? '')
    .join('; ')
let spaces = 0
const space = (): string => `libs${++spaces}-${Math.random().toString(36).slice(2)}`
const codec = encrypted({ keys: [{ id: 'a', secret: new Uint8Array(32).fill(7) }] })
const down = {
  ...memoryStore(),
  get: () => Promise.reject(new Error('down')),
  set: () => Promise.reject(new Error('down')),
}

function describeLibraries(name: string, open: () => Promise<AtomicStore>, close?: () => Promise<void>): void {
  describe(`session libraries: ${name}`, () => {
    let store: AtomicStore
    /** The keys and values that were stored. */
    let stored: string[] = []
    let watched: AtomicStore
    beforeAll(async () => {
      store = await open()
      watched = {
        ...store,
        get: (key, call) => store.get(key, call),
        set: (key, value, ttl, call) => {
          stored.push(key, value)
          return store.set(key, value, ttl, call)
        },
      }
    }, 60_000)
    afterAll(async () => {
      await store.close()
      await close?.()
    })

    it('express-session: data lives, is touched, regenerated and destroyed', async () => {
      stored = []
      const sessions = sessionStore({ store: watched, namespace: space() })
      const app = express()
      app.use(session({ store: sessions, secret: 'x'.repeat(32), resave: false, saveUninitialized: false }))
      app.get('/', (req, res) => {
        req.session.views = (req.session.views ?? 0) + 1
        res.send(String(req.session.views))
      })
      app.get('/read', (req, res) => void res.send(String(req.session.views)))
      app.get('/login', (req, res, next) =>
        req.session.regenerate((error: unknown) => {
          if (error) return next(error)
          req.session.views = 100
          res.send('in')
        }),
      )
      app.get('/logout', (req, res, next) =>
        req.session.destroy((error: unknown) => (error ? next(error) : res.send('out'))),
      )
      const server = createServer(app).listen(0, '127.0.0.1')
      await once(server, 'listening')
      const url = (path: string): string => `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`
      const get = (path: string, cookie = ''): Promise<Response> => fetch(url(path), { headers: { cookie } })
      try {
        const first = await get('/')
        const cookie = cookieOf(first)
        expect(await (await get('/', cookie)).text()).toBe('2')
        expect(await (await get('/read', cookie)).text()).toBe('2')
        const id = decodeURIComponent(cookie).slice('connect.sid=s:'.length).split('.')[0] ?? ''
        expect(id.length).toBe(32)
        expect(stored.join('\n')).not.toContain(id)
        const login = cookieOf(await get('/login', cookie))
        expect(await (await get('/read', cookie)).text()).toBe('undefined')
        expect(await (await get('/read', login)).text()).toBe('100')
        await get('/logout', login)
        expect(await (await get('/read', login)).text()).toBe('undefined')
      } finally {
        server.closeAllConnections()
        server.close()
      }
    }, 60_000)
    it('express-session: an end of the cookie is the end, and touch makes none', async () => {
      const sessions = sessionStore({ store, namespace: space(), codec })
      const call = <T>(ask: (done: (error?: unknown, value?: T) => void) => void): Promise<T | undefined> =>
        new Promise((resolve, reject) => ask((error, value) => (error ? reject(error) : resolve(value))))
      const data = (ms: number | undefined): session.SessionData =>
        ({
          cookie: { originalMaxAge: ms ?? null, expires: ms === undefined ? null : new Date(Date.now() + ms) },
          views: 1,
        }) as never
      const read = (): Promise<unknown> => call((done) => sessions.get('id', done))
      await call((done) => sessions.touch?.('id', data(60_000), done as never))
      expect(await read()).toBe(null)
      await call((done) => sessions.set('id', data(60_000), done))
      expect(await read()).toMatchObject({ views: 1 })
      await call((done) => sessions.touch?.('id', data(-1), done as never))
      expect(await read()).toBe(null)
      await call((done) => sessions.set('id', data(undefined), done))
      await call((done) => sessions.set('id', data(-5), done))
      expect(await read()).toBe(null)
      const failing = sessionStore({ store: down })
      await expect(call((done) => failing.get('id', done))).rejects.toThrow('down')
      await expect(call((done) => failing.set('id', data(1000), done))).rejects.toThrow('down')
    })

    it('@hono/session: data lives, and is stored before the response leaves', async () => {
      stored = []
      const ids: string[] = []
      const app = new Hono()
        .use(sessionStorage({ store: watched, namespace: space() }))
        .use(
          useSession({
            secret: 'a'.repeat(32),
            generateId: () => {
              ids.push(crypto.randomUUID())
              return ids.at(-1) as string
            },
          }),
        )
        .get('/', async (c) => {
          const data = await c.var.session.get()
          await c.var.session.update({ views: Number(data?.views ?? 0) + 1 })
          return c.json(c.var.session.data)
        })
        .get('/out', async (c) => {
          await c.var.session.get()
          c.var.session.delete()
          return c.text('out')
        })
      const get = (path: string, cookie = ''): Promise<Response> =>
        Promise.resolve(app.request(path, { headers: { cookie } }))
      const first = await get('/')
      const cookie = cookieOf(first)
      expect(await first.json()).toEqual({ views: 1 })
      expect(await (await get('/', cookie)).json()).toEqual({ views: 2 })
      for (const id of ids) expect(stored.join('\n')).not.toContain(id)
      await get('/out', cookie)
      expect(await (await get('/', cookie)).json()).toEqual({ views: 1 })
      const failing = new Hono()
        .use(sessionStorage({ store: down }))
        .use(useSession({ secret: 'a'.repeat(32) }))
        .get('/', async (c) => {
          await c.var.session.update({ views: 1 })
          return c.text('fine')
        })
        .onError((error, c) => c.text(error.message, 503))
      expect((await failing.request('/')).status).toBe(503)
    })

    it('better-auth: sign-up, session and sign-out by its secondary storage', async () => {
      stored = []
      const auth = betterAuth({
        baseURL: 'http://localhost:3000',
        secret: 's'.repeat(40),
        emailAndPassword: { enabled: true },
        secondaryStorage: secondaryStorage({ store: watched, namespace: space(), codec }),
        rateLimit: { enabled: true, storage: 'secondary-storage', window: 60, max: 100 },
        telemetry: { enabled: false },
      })
      const ask = (path: string, body: unknown, cookie = ''): Promise<Response> =>
        auth.handler(
          new Request(`http://localhost:3000/api/auth${path}`, {
            method: body === undefined ? 'GET' : 'POST',
            headers: { 'content-type': 'application/json', cookie, origin: 'http://localhost:3000' },
            ...(body === undefined ? {} : { body: JSON.stringify(body) }),
          }),
        )
      const up = await ask('/sign-up/email', { email: 'ada@example.com', password: 'correct horse', name: 'Ada' })
      expect(up.status).toBe(200)
      const cookie = cookieOf(up)
      const { token } = (await up.json()) as { token: string }
      const read = (await (await ask('/get-session', undefined, cookie)).json()) as { user: { email: string } }
      expect(read.user.email).toBe('ada@example.com')
      expect(stored.length).toBeGreaterThan(0)
      expect(stored.join('\n')).not.toContain(token)
      expect((await ask('/sign-out', {}, cookie)).status).toBe(200)
      expect(await (await ask('/get-session', undefined, cookie)).json()).toBe(null)
    }, 60_000)
    it('better-auth: one of 50 takes a value, and a count ends with its first', async () => {
      const storage = secondaryStorage({ store, namespace: space() })
      await storage.set('verification:x', 'once', 60)
      const taken = await Promise.all(Array.from({ length: 50 }, () => storage.getAndDelete('verification:x')))
      expect(taken.filter((value) => value === 'once').length).toBe(1)
      const counts = await Promise.all(Array.from({ length: 20 }, () => storage.increment('ip', 60)))
      expect(counts.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1))
      await storage.set('gone', 'x', 0)
      expect([await storage.get('gone'), await storage.get('never')]).toEqual([null, null])
      await storage.set('kept', 'x')
      await storage.delete('kept')
      expect(await storage.get('kept')).toBe(null)
    })

    it('entries by hashed ids: a codec binds them, and bad input is refused', async () => {
      const namespace = space()
      const entries = hashedEntries({ store: watched, namespace, codec })
      stored = []
      await entries.set('one', 'secret', '1m')
      expect(stored.join()).not.toMatch(/one|secret/)
      expect(await entries.get('one')).toBe('secret')
      await entries.set('two', 'other', '1m')
      await store.set(stored[2] as string, stored[1] as string, 60_000)
      expect(await entries.get('two')).toBe(undefined)
      expect(await hashedEntries({ store, namespace: `${namespace}x` }).get('one')).toBe(undefined)
      await expect(entries.get('')).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
      await expect(entries.set('one', 'x', '0s')).rejects.toMatchObject({ code: 'INVALID_DURATION' })
      expect(() => hashedEntries({ store: {} as never })).toThrow('operations')
      expect(() => sessionStore(null as never)).toThrow('operations')
      expect(() => sessionStore({ store, ttl: 'x' as never })).toThrow('ttl takes')
      await hashedEntries({ store: watched, namespace, ttl: '1m' }).set('three', 'x')
      expect(await hashedEntries({ store, namespace, ttl: '1m' }).touch('three')).toBe(true)
    })
  })
}

const env = (name: string): string => process.env[name] as string
describeLibraries('memory', async () => memoryStore())
describeLibraries('embedded', async () => embeddedStore())
describeLibraries('hither/tcp, Redis 8', async () => tcpStore({ url: env('REDIS8_URL') }))
describeLibraries('hither/tcp, Valkey', async () => tcpStore({ url: env('VALKEY_URL') }))
let gateway: StartedGateway | undefined
describeLibraries(
  'REST',
  async () => {
    gateway = await startGateway({ redis: env('REDIS8_URL') })
    return upstashStore(gateway)
  },
  async () => gateway?.stop(),
)
