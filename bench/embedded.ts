/**
 * Compares the embedded engine with a Redis 8 on loopback: GET and SET with one caller, and the memory of many small keys.
 *
 *   node --import ./scripts/from-source.ts bench/embedded.ts [ROUNDS]
 */
import { Redis } from 'ioredis'
import { startServer } from '../scripts/servers.ts'
import { Engine, embeddedStore } from '../src/embedded/index.ts'

const rounds = Number(process.argv[2] ?? 5)
const CALLS = 5000
const KEYS = 1_000_000

const server = await startServer('redis8')
const client = new Redis(server.url)
const store = embeddedStore()

async function time(call: (i: number) => Promise<unknown>): Promise<number> {
  const start = performance.now()
  for (let i = 0; i < CALLS; i++) await call(i)
  return CALLS / ((performance.now() - start) / 1000)
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] as number
const figures: Record<string, number[]> = {}
const add = (name: string, value: number): unknown => {
  figures[name] ??= []
  return figures[name].push(value)
}
for (let round = 0; round < rounds; round++) {
  add('embedded SET', await time((i) => store.set(`k${i % 100}`, 'value')))
  add('ioredis SET', await time((i) => client.set(`k${i % 100}`, 'value')))
  add('embedded GET', await time((i) => store.get(`k${i % 100}`)))
  add('ioredis GET', await time((i) => client.get(`k${i % 100}`)))
}
for (const [name, values] of Object.entries(figures))
  console.log(`${name}: ${Math.round(median(values))} calls a second`)
for (const name of ['SET', 'GET']) {
  const ratio = median(figures[`embedded ${name}`] as number[]) / median(figures[`ioredis ${name}`] as number[])
  console.log(`${name}: ${ratio.toFixed(1)} times ioredis over loopback`)
}
await client.flushall()
const usedOf = async (): Promise<number> => Number(/used_memory:(\d+)/.exec(await client.info('memory'))?.[1])
const emptyRedis = await usedOf()
await client.eval(`for i = 1, ${KEYS} do redis.call('SET', 'key:' .. i, 'value:' .. i) end`, 0)
const redisBytes = (await usedOf()) - emptyRedis
const engine = new Engine()
const inner = engine.connect({ reply() {}, push() {} })
const collect = (globalThis as { gc?: () => void }).gc
collect?.()
const before = process.memoryUsage().heapUsed
for (let i = 1; i <= KEYS; i++) inner.submit(['SET', `key:${i}`, `value:${i}`])
collect?.()
const bytes = process.memoryUsage().heapUsed - before
console.log(`1,000,000 small keys: engine ${(bytes / 1e6).toFixed(0)} MB, Redis ${(redisBytes / 1e6).toFixed(0)} MB`)
client.disconnect()
await store.close()
engine.close()
await server.stop()
