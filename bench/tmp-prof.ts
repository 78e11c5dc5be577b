import { tcpStore } from '../adapters/tcp/index.ts'
import { startServer } from '../scripts/servers.ts'
import { createSessions } from '../src/session/index.ts'
import { RedisStore } from 'connect-redis'
import expressSession from 'express-session'
import { createClient } from 'redis'
const server = await startServer('redis7')
const data = { user: 7, cart: ['apple', 'pear'], name: 'Ada Lovelace' }
const store = tcpStore({ url: server.url })
const sessions = createSessions<typeof data>({ store, secrets: [crypto.getRandomValues(new Uint8Array(32))] })
const first = await sessions.open(new Request('https://a.example/'))
for (const [name, value] of Object.entries(data)) first.set(name as 'user', value as never)
const headers = { cookie: ((await first.save()) as string).split(';')[0] as string }
const open = async (): Promise<void> => {
  const opened = await sessions.open({ headers: new Headers(headers) })
  if (opened.get('user') !== 7) throw new Error('x')
  await opened.save()
}
const client = createClient({ url: server.url })
await client.connect()
const secret = 'x'.repeat(32)
const middleware = expressSession({ store: new RedisStore({ client }), secret, resave: false, saveUninitialized: false })
const answer = () => ({ end() {}, writeHead() {}, write() {}, setHeader() {}, getHeader() {}, on() {} })
const run = (cookie?: string): Promise<any> => new Promise((resolve, reject) => {
    const asked = { headers: cookie ? { cookie } : {}, url: '/', originalUrl: '/', connection: { encrypted: false } }
    middleware(asked as never, answer() as never, (error?: unknown) => error ? reject(error) : resolve(asked))
})
const begun = await run()
Object.assign(begun.session as object, data)
await new Promise<void>((resolve, reject) => begun.session?.save((error: unknown) => (error ? reject(error) : resolve())))
const { createHmac } = await import('node:crypto')
const signature = createHmac('sha256', secret).update(`${begun.sessionID}`).digest('base64').replace(/=+$/, '')
const expressCookie = `connect.sid=${encodeURIComponent(`s:${begun.sessionID}.${signature}`)}`
const openExpress = async (): Promise<void> => { const { session } = await run(expressCookie); if (session?.user !== 7) throw new Error('y') }
const N = Number(process.env.N ?? 20000)
const time = async (name: string, f: () => Promise<void>) => {
  const at = process.cpuUsage(); const w = performance.now()
  await Promise.all(Array.from({ length: 64 }, async () => { for (let i = 0; i < N / 64; i++) await f() }))
  const u = process.cpuUsage(at)
  console.log(name, 'cpu us/op', ((u.user + u.system) / N).toFixed(1), 'wall us/op', ((performance.now() - w) * 1000 / N).toFixed(1))
}
for (let r = 0; r < 4; r++) { if (process.env.W !== 'e') await time('hither', open); if (process.env.W !== 'h') await time('express', openExpress) }
const info = await (await import('../scripts/servers.ts')).ask(server.port, 'INFO commandstats'); console.log(info.split('\r\n').filter((l: string) => /get/.test(l)).join(' ')); await store.close(); client.destroy(); await server.stop(); process.exit()
