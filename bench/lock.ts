/**
 * Compares lock cycles (acquire and release) with other libraries: `npm run bench:lock`.
 *
 * With 64 callers and with one, each on its own names, on one Redis on loopback: over ioredis against redlock, and over REST
 * through one gateway against @upstash/lock. First it prints how many commands a cycle costs, counted by a proxy on the wire.
 */
import { createRequire } from 'node:module'
import { Lock } from '@upstash/lock'
import { Redis as UpstashRedis } from '@upstash/redis'
import type { Redis } from 'ioredis'
import { connect, ioredisStore } from '../adapters/ioredis/index.ts'
import { startGateway } from '../adapters/node/index.ts'
import { tcpStore } from '../adapters/tcp/index.ts'
import { upstashStore } from '../adapters/upstash/index.ts'
import { startServer } from '../scripts/servers.ts'
import { createLocks } from '../src/lock/index.ts'
import type { AtomicStore } from '../src/store/store.ts'
import { createTcpProxy } from '../test/support/tcp-proxy.ts'
import { callers, type Gate, measure, report } from './support.ts'

const CALLERS = 64
const CYCLES = 640

/** The type of redlock. Its own types cannot be imported, since its manifest does not export them. */
interface RedlockModule {
  readonly default: new (
    clients: readonly Redis[],
  ) => { acquire(names: string[], ms: number): Promise<{ release(): Promise<unknown> }> }
}
const { default: Redlock } = createRequire(import.meta.url)('redlock') as RedlockModule

/** Acquires and releases one name. */
type Cycle = (name: string) => Promise<unknown>

const ours = async (store: AtomicStore): Promise<Cycle> => {
  await store.ready()
  const locks = createLocks({ store, namespace: 'bench', ttl: '30s' })
  return async (name) => {
    const lock = await locks.acquire(name)
    if (!(await lock?.release())) throw new Error('not acquired, or not released')
  }
}
const redlock = (client: Redis): Cycle => {
  const made = new Redlock([client])
  return async (name) => (await made.acquire([name], 30_000)).release()
}
const upstashLock =
  (redis: UpstashRedis): Cycle =>
  async (id) => {
    const lock = new Lock({ id, redis: redis as never, lease: 30_000 })
    if (!(await lock.acquire()) || !(await lock.release())) throw new Error('not acquired, or not released')
  }

const server = await startServer('redis7')
const gateway = await startGateway({ redis: server.url })
const closing: (() => unknown)[] = [() => gateway.stop(), () => server.stop()]
const client = async (url: string): Promise<Redis> => {
  const made = (await connect(url)) as unknown as Redis
  closing.unshift(() => made.disconnect())
  return made
}
const { url, token } = gateway
const makers: Readonly<Record<string, (redisUrl: string) => Promise<Cycle>>> = {
  'hither over ioredis': async (redisUrl) => ours(ioredisStore((await client(redisUrl)) as never)),
  'hither/tcp': async (redisUrl) => {
    const store = tcpStore({ url: redisUrl })
    closing.unshift(() => store.close())
    return ours(store)
  },
  redlock: async (redisUrl) => redlock(await client(redisUrl)),
  'hither over REST': async () => ours(upstashStore({ url, token })),
  '@upstash/lock': async () => upstashLock(new UpstashRedis({ url, token, enableTelemetry: false })),
}

const proxies: { stop(): Promise<void> }[] = []
async function commands(name: string, make: (redisUrl: string) => Promise<Cycle>): Promise<string> {
  const proxy = await createTcpProxy(server.url)
  const cycle = await make(proxy.url)
  for (let i = 0; i < 20; i++) await cycle(`warm:${i}`)
  const before = proxy.stats.commands
  for (let i = 0; i < 500; i++) await cycle(`count:${i}`)
  const each = (proxy.stats.commands - before) / 500
  proxies.push(proxy)
  return `${name}: ${each.toFixed(2)} commands a cycle`
}
for (const name of ['hither over ioredis', 'hither/tcp', 'redlock'])
  console.log(await commands(name, makers[name] as (redisUrl: string) => Promise<Cycle>))

const cases = []
for (const [name, make] of Object.entries(makers)) {
  const cycle = await make(server.url)
  cases.push(callers(name, CALLERS, CYCLES, (i) => cycle(`k:${i}`)))
  cases.push(callers(`${name}, one caller`, 1, CYCLES / 16, (i) => cycle(`k:${i}`)))
}
const gates: Gate[] = [
  { name: 'redlock', against: 'redlock' },
  { name: 'hither over ioredis', against: 'redlock', atLeast: 1.2 },
  { name: 'hither/tcp', against: 'redlock', atLeast: 1.2 },
  { name: '@upstash/lock', against: '@upstash/lock' },
  { name: 'hither over REST', against: '@upstash/lock', atLeast: 1.2 },
  { name: 'hither over ioredis, one caller', against: 'redlock, one caller' },
  { name: 'hither/tcp, one caller', against: 'redlock, one caller' },
  { name: 'hither over REST, one caller', against: '@upstash/lock, one caller' },
]
const rounds = Number(process.env.BENCH_ROUNDS ?? 41)
report('Lock cycles', await measure(cases, gates, { rounds }))
for (const close of closing) await close()
for (const proxy of proxies) await proxy.stop()
process.exit()
