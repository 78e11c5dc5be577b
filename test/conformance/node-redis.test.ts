import { createClient } from 'redis'
import { createClient as createClient5 } from 'redis5'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nodeRedisStore } from '../../adapters/node-redis/index.ts'
import { describeStore } from '../../src/testing/index.ts'

/** What these tests use of a client. */
type Client = Parameters<typeof nodeRedisStore>[0] & {
  on(event: string, listener: () => void): unknown
  connect(): Promise<unknown>
  sendCommand(args: string[]): Promise<unknown>
  destroy(): void
}

const url = process.env.REDIS8_URL ?? ''
const made: Client[] = []
const open = async (create: (options: object) => unknown, options: object = {}): Promise<Client> => {
  const client = create({ url, disableOfflineQueue: true, ...options }) as Client
  client.on('error', () => {})
  await client.connect()
  made.push(client)
  return client
}
afterAll(() => {
  for (const client of made) if (client.isOpen) client.destroy()
})

for (const [name, create, options] of [
  ['node-redis 6, RESP3', createClient as (options: object) => unknown, { RESP: 3 }],
  ['node-redis 6, RESP2', createClient as (options: object) => unknown, { RESP: 2 }],
  ['node-redis 5', createClient5 as (options: object) => unknown, {}],
] as readonly [string, (options: object) => unknown, object][]) {
  let admin: Client
  beforeAll(async () => {
    admin = await open(create)
  })
  describeStore({ describe, it, afterAll }, name, {
    open: async () => nodeRedisStore(await open(create, options)),
    elapse: (ms) => new Promise((done) => setTimeout(done, ms)),
    foreign: async (key) => void (await admin.sendCommand(['RPUSH', key, 'x'])),
    forgetScripts: async () => void (await admin.sendCommand(['SCRIPT', 'FLUSH'])),
  })
  describe(name, () => {
    it('sends messages and hears them', async () => {
      const store = nodeRedisStore(await open(create, options))
      const heard: string[] = []
      const end = await store.subscribe?.(`c-${name}`, (message) => void heard.push(message))
      expect(await store.publish?.(`c-${name}`, 'one')).toBe(1)
      await expect.poll(() => heard).toEqual(['one'])
      await end?.()
      await store.close()
    })
    it('runs a transaction, and an operation where scripts are refused', async () => {
      const store = nodeRedisStore(await open(create, options))
      const replies = await store.transport.transaction([
        { args: ['SET', `t:${name}`, '1'], effect: 'once' },
        { args: ['INCR', `t:${name}`], effect: 'once' },
      ])
      expect(replies).toEqual(['OK', 2])
      await store.close()
    })
    it('leaves the client open, and refuses one that queues while it is away', async () => {
      const client = await open(create, options)
      await nodeRedisStore(client).close()
      expect(client.isOpen).toBe(true)
      const queueing = create({ url }) as Client
      expect(() => nodeRedisStore(queueing)).toThrow(expect.objectContaining({ code: 'UNSAFE_CLIENT' }))
      expect(() => nodeRedisStore({} as never)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
    })
    it('rejects at once while the client is not connected', async () => {
      const store = nodeRedisStore(create({ url, disableOfflineQueue: true }) as Client)
      await expect(store.set('k', 'v')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', maybeExecuted: false })
    })
  })
}
