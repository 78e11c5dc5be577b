/**
 * Compares reading an existing session by hither, by connect-redis in express-session, and by `@hono/session` on a storage over
 * ioredis: `npm run bench:session`. Each checks the cookie and reads the session once. The cases up to the end of a request also
 * save the session that was only read: express-session then extends its lifetime each time, hither's `save` once a minute. The
 * request objects are made by hand, so no HTTP server is measured.
 */
import { useSession, useSessionStorage } from '@hono/session'
import { RedisStore } from 'connect-redis'
import expressSession from 'express-session'
import { Hono } from 'hono'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { session } from '../adapters/hono/index.ts'
import { tcpStore } from '../adapters/tcp/index.ts'
import { startServer } from '../scripts/servers.ts'
import { createSessions } from '../src/session/index.ts'
import { callers, measure, report } from './support.ts'

const server = await startServer('redis7')
const data = { user: 7, cart: ['apple', 'pear'], name: 'Ada Lovelace' }
const cookieOf = (text: string | null | undefined): string => text?.split(';')[0] ?? ''

// hither
const store = tcpStore({ url: server.url })
const sessions = createSessions<typeof data>({ store, secrets: [crypto.getRandomValues(new Uint8Array(32))] })
const first = await sessions.open(new Request('https://a.example/'))
for (const [name, value] of Object.entries(data)) first.set(name as 'user', value as never)
const headers = { cookie: cookieOf(await first.save()) }
const given = { headers: new Headers(headers) }
const open = async () => {
  const opened = await sessions.open(given)
  if (opened.get('user') !== 7) throw new Error('hither read no session')
  return opened
}
const openAndSave = async (): Promise<unknown> => (await open()).save()
const app = new Hono().use(session({ sessions })).get('/', (c) => c.text(`${c.var.session.get('user')}`))

// connect-redis
const client = createClient({ url: server.url })
await client.connect()
const secret = 'x'.repeat(32)
const middleware = expressSession({
  store: new RedisStore({ client }),
  secret,
  resave: false,
  saveUninitialized: false,
})
const request = (cookie?: string) => ({
  headers: cookie ? { cookie } : {},
  url: '/',
  originalUrl: '/',
  connection: { encrypted: false },
})
interface Opened {
  session?: { user?: number; save(done: (error?: unknown) => void): void } | undefined
  sessionID?: string | undefined
}
const answer = (end: () => void) => ({
  _header: 'sent',
  end,
  writeHead() {},
  write() {},
  setHeader() {},
  getHeader() {},
  on() {},
})
/** Calls the middleware. The `end` of the result ends the response; `onEnd` is called once the response has ended. */
const run = (cookie?: string, onEnd = (): void => {}): Promise<Opened & { end(): void }> =>
  new Promise((resolve, reject) => {
    const asked: Opened & ReturnType<typeof request> = request(cookie)
    const answered = answer(onEnd)
    const next = (error?: unknown): void =>
      error ? reject(error) : resolve({ session: asked.session, sessionID: asked.sessionID, end: () => answered.end() })
    middleware(asked as never, answered as never, next)
  })
const begun = await run()
Object.assign(begun.session as object, data)
await new Promise<void>((resolve, reject) => begun.session?.save((error) => (error ? reject(error) : resolve())))
const { createHmac } = await import('node:crypto')
const signature = createHmac('sha256', secret).update(`${begun.sessionID}`).digest('base64').replace(/=+$/, '')
const expressCookie = `connect.sid=${encodeURIComponent(`s:${begun.sessionID}.${signature}`)}`
const checkExpress = ({ session: opened }: Opened): void => {
  if (opened?.user !== 7) throw new Error('connect-redis read no session')
}
const openExpress = async (): Promise<void> => checkExpress(await run(expressCookie))
const endExpress = (): Promise<void> =>
  new Promise((resolve, reject) => {
    const ending = run(expressCookie, resolve).then((opened) => {
      checkExpress(opened)
      opened.end()
    })
    ending.catch(reject)
  })

// @hono/session
const redis = new Redis(server.url)
const hono = new Hono()
  .use(
    useSessionStorage({
      get: async (id: string) => JSON.parse((await redis.get(`hono:${id}`)) ?? 'null') as typeof data | null,
      set: (id: string, value: typeof data) => void redis.set(`hono:${id}`, JSON.stringify(value), 'EX', 3600),
      delete: (id: string) => void redis.del(`hono:${id}`),
    }),
  )
  .use(useSession<typeof data>({ secret }))
  .get('/', async (c) => c.text(`${(await c.var.session.get())?.user}`))
  .get('/begin', async (c) => {
    await c.var.session.update(data)
    return c.text('begun')
  })
const honoHeaders = { cookie: cookieOf((await hono.request('/begin')).headers.get('set-cookie')) }
const ask = async (
  which: { request(path: string, init: object): Response | Promise<Response> },
  init: object,
): Promise<void> => {
  if ((await (await which.request('/', init)).text()) !== '7') throw new Error('no session was read')
}

const ops = 3200
const names = [
  'sessions.open',
  'express-session with connect-redis',
  'sessions.open and save',
  'express-session to the end of the answer',
  'session() of hither/hono',
  '@hono/session over ioredis',
]
const [ours = '', express = '', oursToEnd = '', expressToEnd = '', oursInHono = '', theirs = ''] = names
const rows = await measure(
  [
    callers(ours, 64, ops, open),
    callers(express, 64, ops, openExpress),
    callers(oursToEnd, 64, ops, openAndSave),
    callers(expressToEnd, 64, ops, endExpress),
    callers(oursInHono, 64, ops, () => ask(app as never, { headers })),
    callers(theirs, 64, ops, () => ask(hono as never, { headers: honoHeaders })),
  ],
  [
    { name: ours, against: express, atLeast: 1.5 },
    { name: oursToEnd, against: expressToEnd, atLeast: 1.5 },
    { name: oursInHono, against: theirs, atLeast: 1.5 },
  ],
)
report('An existing session is read, 64 callers', rows)
await store.close()
client.destroy()
redis.disconnect()
await server.stop()
