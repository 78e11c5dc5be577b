import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect, ioredisStore } from '../../adapters/ioredis/index.ts'
import { tcpStore } from '../../adapters/tcp/index.ts'
import { startServer } from '../../scripts/servers.ts'
import type { CommandStore } from '../../src/store/store.ts'
import { testCounter } from '../../src/testing/index.ts'

// Operations of one tick that differ only in their keys are sent as one script.

let server: Awaited<ReturnType<typeof startServer>>
let stores: Readonly<Record<string, CommandStore>>
beforeAll(async () => {
  server = await startServer('redis7')
  stores = { ioredis: ioredisStore(await connect(server.url)), tcp: tcpStore({ url: server.url }) }
}, 30_000)
afterAll(async () => {
  await Promise.all(Object.values(stores ?? {}).map((store) => store.close()))
  await server?.stop()
})

describe.each(['ioredis', 'tcp'])('joined operations over %s', (name) => {
  it('keep call order, and an error of one key is its own', async () => {
    const store = stores[name] as CommandStore
    const key = (i: number): string => `joined:${name}:${i}`
    await store.command([key(5)], ['HSET', key(5), 'field', 'value'], 'once')
    // The rounds send scripts by text, by the digest of one script, and by the digest of the joined script.
    for (let round = 0; round < 3; round++) {
      const calls = Array.from({ length: 40 }, (_, i) => store.run(testCounter, key(i % 20), [1, 60_000]))
      const replies = await Promise.allSettled(calls)
      replies.forEach((reply, i) => {
        if (i % 20 === 5) expect(reply).toMatchObject({ status: 'rejected', reason: { code: 'STORE_REJECTED' } })
        else expect(reply).toEqual({ status: 'fulfilled', value: 2 * round + (i < 20 ? 1 : 2) })
      })
    }
    const stats = (await store.command([], ['INFO', 'commandstats'], 'read')) as string
    const count = (verb: string): number => Number(new RegExp(`cmdstat_${verb}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)
    expect(count('eval') + count('evalsha')).toBeLessThan(60)
  })
})
