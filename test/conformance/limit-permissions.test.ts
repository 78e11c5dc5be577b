import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect, ioredisStore } from '../../adapters/ioredis/index.ts'
import { startGateway } from '../../adapters/node/index.ts'
import { tcpStore } from '../../adapters/tcp/index.ts'
import { upstashStore } from '../../adapters/upstash/index.ts'
import { startServer } from '../../scripts/servers.ts'
import { createLocks } from '../../src/lock/index.ts'
import { createRateLimiter, fixedWindow, type RateLimitEvent, slidingLog } from '../../src/rate-limit/index.ts'
import type { AtomicStore } from '../../src/store/store.ts'

// The user of the server has rights only on the keys of one namespace.

let server: Awaited<ReturnType<typeof startServer>>
let gateway: Awaited<ReturnType<typeof startGateway>>
let stores: Readonly<Record<string, AtomicStore>>
beforeAll(async () => {
  server = await startServer('redis7', {
    args: ['--user', 'default', 'on', 'nopass', '~:may:*', '~hither', '&*', '+@all'],
  })
  gateway = await startGateway({ redis: server.url })
  stores = {
    ioredis: ioredisStore(await connect(server.url)),
    'own TCP': tcpStore({ url: server.url }),
    REST: upstashStore(gateway),
  }
}, 30_000)
afterAll(async () => {
  await Promise.all(Object.values(stores ?? {}).map((store) => store.close()))
  await gateway?.stop()
  await server?.stop()
})

describe.each(['ioredis', 'own TCP', 'REST'])('a key that the server refuses, over %s', (name) => {
  it.each([
    ['open', true],
    ['closed', false],
  ] as const)('is an outage, which is %s, and no other key is any worse for it', async (outage, success) => {
    const store = stores[name] as AtomicStore
    const events: RateLimitEvent[] = []
    // So long that a busy machine makes no decision late: that would be another reason than the refusal.
    const timeout = '10s'
    const may = createRateLimiter({
      store,
      algorithm: fixedWindow({ limit: 100, window: '1h' }),
      outage: 'closed',
      namespace: 'may',
      timeout,
    })
    for (const make of [fixedWindow, slidingLog]) {
      const algorithm = make({ limit: 5, window: '1h' })
      const onEvent = (event: RateLimitEvent): void => void events.push(event)
      const refused = createRateLimiter({ store, algorithm, outage, namespace: 'other', timeout, onEvent })
      for (let i = 0; i < 3; i++) {
        expect(await refused.limit('a')).toMatchObject({ success, reason: 'unavailable' })
        expect(await refused.peek('a')).toMatchObject({ success, reason: 'unavailable' })
        expect(await may.limit('a')).toMatchObject({ success: true, reason: 'ok' })
      }
    }
    expect(events.length).toBe(12)
    expect(new Set(events.map((event) => event.type === 'degraded' && event.code))).toEqual(new Set(['UNAUTHORIZED']))
    await store.ready()
  })
})

describe.each(['redis7', 'redis8', 'valkey'] as const)('a command that a script may not call, on %s', (program) => {
  it.each(['ioredis', 'own TCP', 'REST'])('is UNAUTHORIZED over %s', async (name) => {
    const args = ['--user', 'default', 'on', 'nopass', '~*', '&*', '+@all', '-time']
    const limited = await startServer(program, { args })
    const over = name === 'REST' ? await startGateway({ redis: limited.url }) : undefined
    const store = over
      ? upstashStore(over)
      : name === 'ioredis'
        ? ioredisStore(await connect(limited.url))
        : tcpStore({ url: limited.url })
    const error: unknown = await createLocks({ store })
      .acquire('a')
      .catch((fault: unknown) => fault)
    expect(error).toMatchObject({ code: 'UNAUTHORIZED', retryable: false })
    const right = program === 'redis7' ? 'that the script needs' : "to run the 'time' command"
    expect(String(error)).toContain(`the user lacks the right ${right}`)
    await store.close()
    await over?.stop()
    await limited.stop()
  })
})
