import { type AddressInfo, createServer, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { connect, ioredisStore } from '../../adapters/ioredis/index.ts'
import { memcachedStore } from '../../adapters/memcached/index.ts'
import { nodeRedisStore } from '../../adapters/node-redis/index.ts'
import { tcpStore } from '../../adapters/tcp/index.ts'
import { channel } from '../../src/channel/index.ts'
import type { Call, CommandStore } from '../../src/store/store.ts'

// Publishing and scanning do not go through a store's batches. They too end by the store's `timeoutMs`, by their deadline and by
// their signal while the server does not reply to them.

const options = { timeoutMs: 200 }
const never = (): Promise<never> => new Promise(() => {})
const ways: Readonly<Record<string, () => Promise<CommandStore>>> = {
  'hither/tcp': async () => connected(tcpStore({ url: await silentServer(), ...options })),
  ioredis: async () => connected(ioredisStore(await connect(await silentServer()), options)),
  async 'node-redis'() {
    const none = (): void => {}
    const methods = { on: none, duplicate: none, subscribe: none, withTypeMapping: none, sendCommand: never }
    const client = { isOpen: true, isReady: true, options: { disableOfflineQueue: true }, ...methods }
    return nodeRedisStore(client as never, options)
  },
}
/** Waits until the store has a connection, so that a call can be sent within its time. */
async function connected(store: CommandStore): Promise<CommandStore> {
  await store.get('k', { deadline: Date.now() + 20_000 })
  return store
}
const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

/** A server that replies to no PUBLISH, SCAN or CLUSTER. Resolves to its url. */
async function silentServer(): Promise<string> {
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    socket.on('data', (data) => {
      for (const [, name = ''] of data.toString().matchAll(/\*\d+\r\n\$\d+\r\n(\w+)/g)) {
        if (name.toUpperCase() === 'HELLO') socket.write('-ERR unknown command\r\n')
        else if (!/^(PUBLISH|SCAN|CLUSTER)$/i.test(name)) socket.write('+OK\r\n')
      }
    })
  })
  await new Promise<void>((done) => void server.listen(0, '127.0.0.1', done))
  ends.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `redis://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function abortIn(ms: number, reason: Error): AbortSignal {
  const controller = new AbortController()
  setTimeout(() => controller.abort(reason), ms)
  return controller.signal
}

describe.each(Object.entries(ways))('a server that does not reply, over %s', (_, open) => {
  const opened = async () => {
    const store = await open()
    ends.push(() => store.close())
    return {
      publish: (call?: Call) => channel({ store }, 'news').publish('x', call),
      async scan(call?: Call): Promise<void> {
        for await (const _key of store.scan?.('*', call) ?? []) return
      },
    }
  }
  const TIMEOUT = { code: 'TIMEOUT' }
  const odd = { signal: 'x' as unknown as AbortSignal }

  it('publish ends, and says that it may have been received', async () => {
    const { publish } = await opened()
    await expect(publish()).rejects.toMatchObject({ ...TIMEOUT, maybeExecuted: true })
    await expect(publish({ deadline: Date.now() + 50 })).rejects.toMatchObject({ ...TIMEOUT, maybeExecuted: true })
    const reason = new Error('the caller left')
    await expect(publish({ signal: abortIn(50, reason) })).rejects.toBe(reason)
    await expect(publish(odd)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })

  it('a scan ends', async () => {
    const { scan } = await opened()
    await expect(scan()).rejects.toMatchObject(TIMEOUT)
    await expect(scan({ deadline: Date.now() + 50 })).rejects.toMatchObject(TIMEOUT)
    const reason = new Error('the caller left')
    await expect(scan({ signal: abortIn(50, reason) })).rejects.toBe(reason)
    await expect(scan(odd)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
  })
})

it('a scan of Memcached ends by its deadline and by its signal', async () => {
  const server = (await silentServer()).replace('redis:', 'memcached:')
  const store = memcachedStore({ servers: [server], connectTimeoutMs: 30_000 })
  ends.push(() => store.close())
  const scan = (call: Call) => store.scan('*', call)[Symbol.asyncIterator]().next()
  await expect(scan({ deadline: Date.now() + 50 })).rejects.toMatchObject({ code: 'TIMEOUT' })
  const reason = new Error('the caller left')
  await expect(scan({ signal: abortIn(50, reason) })).rejects.toBe(reason)
  await expect(scan({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  await expect(scan({ signal: 'x' as unknown as AbortSignal })).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
})

it('a scan of a Cluster whose nodes are not known yet takes no signal that is none', async () => {
  const store = tcpStore({ url: ['redis://127.0.0.1:1', 'redis://127.0.0.1:2'] })
  ends.push(() => store.close())
  const first = store
    .scan?.('*', { signal: 'x' as unknown as AbortSignal })
    [Symbol.asyncIterator]()
    .next()
  await expect(first).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' })
})

it('a scan of a Cluster whose nodes do not say which they are ends in time', { timeout: 60_000 }, async () => {
  const url = [await silentServer(), await silentServer()]
  const store = tcpStore({ url, timeoutMs: 200 })
  ends.push(() => store.close())
  const ended: string[] = []
  const scan = async (name: string, call?: Call): Promise<void> => {
    await expect(store.scan?.('*', call)[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'TIMEOUT' })
    ended.push(name)
  }
  await Promise.all([scan('in 1000 ms', { deadline: Date.now() + 1000 }), scan('in 200 ms')])
  expect(ended).toEqual(['in 200 ms', 'in 1000 ms'])
})

it('a scan and an own connection end in time, over a Cluster of node-redis that cannot connect to a node', async () => {
  const none = (): void => {}
  const methods = { on: none, duplicate: none, withTypeMapping: none, sendCommand: never, nodeClient: never }
  const _options = { defaults: { disableOfflineQueue: true } }
  const slots = Array.from({ length: 16_384 }, () => ({ master: {} }))
  const cluster = { isOpen: true, _options, masters: [{}], slots, ...methods }
  const store = nodeRedisStore(cluster as never, { timeoutMs: 200 })
  ends.push(() => store.close())
  await expect(store.scan?.('*')[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'TIMEOUT' })
  const own = store.transport?.exclusive?.({ deadline: Date.now() + 50 }, 'k')
  await expect(own).rejects.toMatchObject({ code: 'TIMEOUT' })
})
