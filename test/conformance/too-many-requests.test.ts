import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type StartedGateway, startGateway } from '../../adapters/node/index.ts'
import { upstashStore } from '../../adapters/upstash/index.ts'
import { plain } from '../../src/cache/parts/format-plain.ts'
import { type Cache, type CacheEvent, createCache, HitherError } from '../../src/index.ts'
import { nearTier } from '../../src/near/index.ts'
import { createHttpProxy, type HttpProxy, tooManyRequests } from '../support/http-proxy.ts'

// An endpoint responds 429 for a while. A call with a loader does not wait for it; an explicit write does.

let gateway: StartedGateway
let proxy: HttpProxy
beforeAll(async () => {
  gateway = await startGateway({ redis: process.env.REDIS8_URL ?? '' })
  proxy = await createHttpProxy(gateway.url)
})
afterAll(async () => {
  await proxy.stop()
  await gateway.stop()
})
beforeEach(() => proxy.pass())

let made = 0
const open = (options: object = {}): { cache: Cache; events: CacheEvent[] } => {
  const events: CacheEvent[] = []
  const store = upstashStore({ url: proxy.url, token: gateway.token })
  const format = 'format' in options ? {} : { namespace: `busy-${process.pid}-${++made}` }
  const settings = { store, ttl: '1m', storeTimeout: 5000, onEvent: (event: CacheEvent) => events.push(event) }
  return { cache: createCache({ ...settings, ...format, ...options } as never) as unknown as Cache, events }
}
const refuse = (times: number): void => proxy.fail(tooManyRequests(0), { times })
const codeOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'resolved',
    (error: unknown) => error instanceof HitherError && error.code,
  )

const kinds: Record<string, () => object> = {
  entries: () => ({}),
  'entries and a near tier': () => ({ near: nearTier({ maxBytes: 1_000_000, maxAge: '5s' }) }),
  'the plain format': () => ({ format: plain() }),
}
describe.each(Object.entries(kinds))('too many requests, with %s', (_, options) => {
  it('getOrSet runs its loader after at most two refusals', async () => {
    const { cache, events } = open(options())
    const key = `k${process.pid}-${++made}`
    refuse(1000)
    const before = proxy.stats.requests
    let asked = 0
    const load = (): string => {
      asked = proxy.stats.requests - before
      return 'loaded'
    }
    expect(await cache.getOrSet(key, load)).toBe('loaded')
    expect(asked).toBeLessThanOrEqual(2)
    expect(events).toContainEqual(expect.objectContaining({ type: 'store-error', code: 'OVERLOADED' }))
    await cache.close()
  })

  it('getOrSetMany loads, get and getMany reject OVERLOADED, each after one refusal', async () => {
    const { cache } = open(options())
    const keys = [1, 2, 3].map((n) => `k${process.pid}-${made}-${n}`)
    refuse(1000)
    expect(await codeOf(cache.get(keys[0] as string))).toBe('OVERLOADED')
    expect(await codeOf(cache.getMany(keys))).toBe('OVERLOADED')
    const many = await cache.getOrSetMany(keys, (missing) => new Map(missing.map((key) => [key, key])))
    expect([...many.keys()]).toEqual(keys)
    await cache.close()
  })

  it('set, delete and setMany wait as they are asked to, and arrive', async () => {
    const { cache } = open(options())
    const key = `k${process.pid}-${++made}`
    refuse(2)
    await cache.set(key, 'set')
    expect(await cache.get(key)).toBe('set')
    refuse(1)
    expect(await cache.delete(key)).toBe(1)
    refuse(1)
    await cache.setMany([[key, 'many']])
    expect(await cache.get(key)).toBe('many')
    await cache.close()
  })
})

it('a stale copy is served at the first refusal', async () => {
  const { cache } = open({ grace: '1h' })
  await cache.set('k', 'old', { tags: ['t'] })
  refuse(1)
  await cache.invalidateTags(['t'], { keepStale: true })
  const loader = (): never => {
    refuse(1000)
    throw new Error('the database is down')
  }
  expect(await cache.getOrSet('k', loader)).toBe('old')
  await cache.close()
})
