import { createClient } from 'redis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connect, ioredisStore } from '../../adapters/ioredis/index.ts'
import { nodeRedisStore } from '../../adapters/node-redis/index.ts'
import { tcpStore } from '../../adapters/tcp/index.ts'
import { ask, startServer } from '../../scripts/servers.ts'
import { embeddedStore } from '../../src/embedded/index.ts'
import type { CommandStore, StoreRejectedError } from '../../src/index.ts'
import { list, type StructureSpace, stream } from '../../src/structures/index.ts'

const env = (name: string): string => process.env[name] as string
const left = new Error('left')
let tests = 0

/** Tests calls that wait on the server: how many can wait at once, and what a call may take after its caller has gone. */
function describeWaiting(name: string, open: () => Promise<CommandStore>, close?: () => Promise<unknown>): void {
  describe(`calls that wait: ${name}`, () => {
    let store: CommandStore
    beforeAll(async () => {
      store = await open()
    }, 60_000)
    afterAll(async () => {
      await store.close()
      await close?.()
    })
    const test = (title: string, body: (space: StructureSpace) => Promise<void>): void =>
      it(title, () => body({ store, namespace: `w${++tests}-${Math.random().toString(36).slice(2)}` }), 60_000)

    test('one that was aborted takes nothing', async (space) => {
      for (let round = 0; round < 10; round++) {
        const jobs = list<number>(space, `jobs:${round}`)
        const abort = new AbortController()
        const taken = round % 2 ? jobs.takeFirst({ wait: '30s', signal: abort.signal }) : undefined
        const read = stream<number>(space, `s:${round}`).read({ wait: '30s', signal: abort.signal })
        const also = jobs.takeLast({ wait: '30s', signal: abort.signal })
        setTimeout(() => abort.abort(left), 20)
        const all = await Promise.allSettled([taken, read, also])
        expect(all.filter(({ status }) => status === 'rejected')).toHaveLength(taken ? 3 : 2)
        // By this reply the server has noticed that the connections ended. It drops their calls before it runs the next command.
        await jobs.size()
        await jobs.append([round])
        expect(await jobs.range(0, -1)).toEqual([round])
      }
    })
    test('one that meets its deadline may have taken something, and says so', async (space) => {
      const given = list(space, 'jobs').takeFirst({ wait: '30s', deadline: Date.now() + 500 })
      await expect(given).rejects.toMatchObject({ code: 'TIMEOUT', maybeExecuted: true })
    })
    test('forty wait at once, and each has what comes', async (space) => {
      const jobs = list<number>(space, 'jobs')
      const idle = Array.from({ length: 40 }, () => list(space, 'none').takeFirst({ wait: 300 }))
      const all = Array.from({ length: 40 }, () => jobs.takeFirst({ wait: '30s' }))
      expect(new Set(await Promise.all(idle))).toEqual(new Set([undefined]))
      await jobs.append(Array.from({ length: 40 }, (_, i) => i))
      expect(new Set(await Promise.all(all)).size).toBe(40)
    })
    test('many consumers of one process wait for entries, without an error', async (space) => {
      const jobs = stream<number>(space, 'jobs')
      const stop = new AbortController()
      const errors: unknown[] = []
      const seen: number[] = []
      const consumers = Array.from({ length: 12 }, async (_, i) => {
        const onError = (error: unknown): void => void errors.push(error)
        const entries = jobs.group('g').consume({ consumer: `c${i}`, signal: stop.signal, claimAfter: 300, onError })
        for await (const entry of entries) {
          seen.push(entry.value)
          await entry.ack()
          if (seen.length === 30) setTimeout(() => stop.abort(left), 400)
        }
      })
      for (let i = 0; i < 30; i++) await jobs.append(i)
      for (const one of await Promise.allSettled(consumers)) expect(one).toEqual({ status: 'rejected', reason: left })
      expect([new Set(seen).size, errors]).toEqual([30, []])
    })
  })
}

describeWaiting('embedded', async () => embeddedStore())
describeWaiting('hither/tcp, Redis 7', async () => tcpStore(env('REDIS7_URL')))
describeWaiting('hither/tcp Cluster', async () =>
  tcpStore(
    env('CLUSTER_NODES')
      .split(',')
      .map((node) => `redis://${node}`),
  ),
)
describeWaiting('ioredis, Redis 8', async () => ioredisStore(await connect(env('REDIS8_URL'))))
const clients: { close(): unknown }[] = []
describeWaiting(
  'node-redis, Redis 8',
  async () => {
    const client = createClient({ url: env('REDIS8_URL'), disableOfflineQueue: true })
    clients.push(client)
    await client.connect()
    return nodeRedisStore(client as never)
  },
  async () => Promise.all(clients.map((client) => client.close())),
)

it.each([
  ['hither/tcp', async (url: string) => tcpStore(url)],
  ['ioredis', async (url: string) => ioredisStore(await connect(url))],
])(
  '%s: a consumer goes on through a failover, and begins over a server that is full',
  async (_, open) => {
    const server = await startServer('redis8')
    const tell = (command: string): Promise<string> => ask(server.port, command)
    const store = await open(server.url)
    try {
      const jobs = stream<number>({ store }, 'jobs')
      const group = jobs.group('g')
      await group.create()
      await jobs.append(1)
      await tell('CONFIG SET maxmemory 1mb')
      const refused: string[] = []
      const onError = (error: unknown): void => void refused.push((error as StoreRejectedError).reply)
      const entries = group.consume({ consumer: 'a', onError })
      const first = (await entries.next()).value
      expect([first?.value, await first?.ack(), refused]).toEqual([1, true, []])
      await tell('CONFIG SET maxmemory 0')

      const next = entries.next()
      while (!/blocked_clients:1/.test(await tell('INFO clients'))) await new Promise((done) => setTimeout(done, 20))
      await tell('REPLICAOF 127.0.0.1 1')
      while (!refused.includes('READONLY')) await new Promise((done) => setTimeout(done, 20))
      await tell('REPLICAOF NO ONE')
      await tell('XADD hither:jobs * v 2')
      expect((await next).value?.value).toBe(2)
      expect(refused[0]).toBe('UNBLOCKED')
      await entries.return?.()
    } finally {
      await store.close()
      await server.stop()
    }
  },
  60_000,
)
