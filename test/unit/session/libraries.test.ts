import { encrypted } from 'hither/codec'
import { memoryStore } from 'hither/memory'
import { hashedEntries } from 'hither/session'
import { Hono } from 'hono'
import { expect, it } from 'vitest'
import { sessionStore } from '../../../adapters/express-session/index.ts'
import { sessionStorage } from '../../../adapters/hono-session/index.ts'

// How sessions of other libraries are read. The tests with those libraries: test/conformance/session-libraries.test.ts.

const store = memoryStore()
const codec = encrypted({ keys: [{ id: 'a', secret: new Uint8Array(32).fill(7) }] })
const entries = hashedEntries({ store })
const sessions = sessionStore({ store })
const express = (id: string): Promise<unknown> =>
  new Promise((resolve, reject) => sessions.get(id, (error, data) => (error ? reject(error) : resolve(data))))
const app = new Hono().use(sessionStorage({ store })).get('/:id', async (c) => {
  return c.json({ data: await c.var.sessionStorage?.get(c.req.param('id')) })
})
const hono = async (id: string): Promise<unknown> =>
  ((await (await app.request(`/${id}`)).json()) as { data: unknown }).data

it('what another program, or another codec, has stored is no session', async () => {
  const foreign = ['text', '{', '', 'null', '5', '"a"', '[]', 'true']
  for (const [i, text] of foreign.entries()) await entries.set(`${i}`, text, '1m')
  await hashedEntries({ store, codec }).set('encrypted', '{"cookie":{}}', '1m')
  for (const id of [...foreign.keys(), 'encrypted', 'none'].map(String))
    expect([id, await express(id), await hono(id)]).toEqual([id, null, null])
  await entries.set('good', '{"cookie":{},"views":1}', '1m')
  expect(await express('good')).toEqual({ cookie: {}, views: 1 })
  expect(await hono('good')).toEqual({ cookie: {}, views: 1 })
  // express-session would read `cookie`, which is missing here.
  await entries.set('other', '{"views":1}', '1m')
  expect([await express('other'), await hono('other')]).toEqual([null, { views: 1 }])
})

it('a lifetime that is undefined is the default, and a cookie may last for ever', async () => {
  const lives: unknown[] = []
  const watched = {
    ...store,
    set: async (key: string, text: string, ttl?: number) => {
      lives.push(ttl)
      await store.set(key, text, ttl)
    },
  }
  const timed = sessionStore({ store: watched, ttl: undefined as never })
  const set = (data: unknown): Promise<unknown> =>
    new Promise((resolve, reject) => timed.set('a', data as never, (error) => (error ? reject(error) : resolve(1))))
  await set({ cookie: {} })
  await set({ cookie: { expires: '9999-12-31T23:59:59.999Z' } })
  const app = new Hono().use(sessionStorage({ store: watched, ttl: undefined as never })).get('/', async (c) => {
    await c.var.sessionStorage?.set('a', {})
    return c.text('x')
  })
  await app.request('/')
  expect(lives).toEqual([86_400_000, 1e14, 86_400_000])
})
