import { describe, expect, it } from 'vitest'
import { kvStore } from '../../adapters/cloudflare/kv-store.ts'
import { memcachedStore } from '../../adapters/memcached/index.ts'
import { memoryStore } from '../../adapters/memory/index.ts'
import { natsStore } from '../../adapters/nats/index.ts'
import { upstashStore } from '../../adapters/upstash/index.ts'
import { createCounter } from '../../src/counter/index.ts'
import { embeddedStore } from '../../src/embedded/index.ts'
import { createOnce } from '../../src/once/index.ts'
import { createSessions } from '../../src/session/index.ts'
import type { CommandStore, Store } from '../../src/store/store.ts'
import { batch, hash, list, stream, transaction } from '../../src/structures/index.ts'
import { createTokens } from '../../src/token/index.ts'

// A call checks its own signal before it sends anything, so no server is needed here.

const refusing = async (): Promise<never> => {
  throw new Error('nothing may be sent')
}
const stores: readonly Store[] = [
  memoryStore(),
  embeddedStore(),
  upstashStore({ url: 'http://127.0.0.1:1', token: 'none', fetch: refusing }),
  memcachedStore({ servers: ['memcached://127.0.0.1:1'] }),
  natsStore({ servers: ['nats://127.0.0.1:1'], bucket: 'none' }),
  kvStore({ get: refusing, put: refusing, delete: refusing } as never),
]
const ODD: readonly unknown[] = ['x', 5, true, {}, [], () => 1, new AbortController()]
const INVALID = { code: 'INVALID_ARGUMENT', message: 'signal is an AbortSignal' }

describe.each(stores)('a signal of a call that is none, over $name', (store) => {
  it.each(ODD)('%o is refused by its code', async (odd) => {
    const call = { signal: odd as AbortSignal }
    await expect(store.get('a', call)).rejects.toMatchObject(INVALID)
    await expect(store.getMany(['a', 'b'], call)).rejects.toMatchObject(INVALID)
    await expect(store.set('a', 'b', 1000, call)).rejects.toMatchObject(INVALID)
    await expect(store.delete(['a'], call)).rejects.toMatchObject(INVALID)
  })
})

const atOnce = stores.filter(({ name }) => /memory|embedded|memcached/.test(name))
it.each(atOnce)('a limit of a call that is null is none, over $name', async (store) => {
  // Without a server, Memcached rejects every call with the same code.
  const outcome = (call: unknown) => store.get('a', call as never).catch((error) => error.code)
  const usual = await outcome(undefined)
  for (const call of [null, { deadline: null }, { signal: null }]) expect(await outcome(call)).toBe(usual)
})

it('is refused by structures, also where a call waits or is one of a transaction', async () => {
  const space = { store: embeddedStore() }
  const call = { signal: 'x' as unknown as AbortSignal }
  for (const run of [
    () => hash(space, 'a').set('f', 1, call),
    () => hash(space, 'a').clear(call),
    () => batch(space, (b) => [b.hash('a').set('f', 1)], call),
    () => transaction(space, (t) => [t.hash('a').set('f', 1)], call),
    () => list(space, 'l').takeFirst({ wait: 1, ...call }),
    () => stream(space, 's').read({ wait: 1, ...call }),
  ])
    await expect(run()).rejects.toMatchObject(INVALID)
  expect(await hash(space, 'a').get('f')).toBe(undefined)
})

it('is refused before a transaction is collected, and before a call that waits takes a connection', async () => {
  const none = async (): Promise<never> => {
    throw new Error('nothing may be sent')
  }
  const { traits } = embeddedStore()
  const store = { traits, command: none, transport: { exclusive: none, transaction: none } } as unknown as CommandStore
  const call = { signal: 'x' as unknown as AbortSignal }
  await expect(transaction({ store }, (t) => [t.hash('a').get('f')], call)).rejects.toMatchObject(INVALID)
  await expect(list({ store }, 'l').takeFirst({ wait: 1, ...call })).rejects.toMatchObject(INVALID)
})

it('is refused by each feature', async () => {
  const store = memoryStore()
  const call = { signal: 'x' as unknown as AbortSignal }
  const counter = createCounter({ store, name: 'a' })
  const tokens = createTokens({ store, name: 'a', ttl: 1000 })
  const sessions = createSessions({ store, secrets: [new Uint8Array(32)] })
  const session = await sessions.open({ headers: new Headers() })
  session.set('a', 1)
  for (const run of [
    () => counter.increment('a', 1, call),
    () => counter.get('a', call),
    () => counter.reset('a', call),
    () => tokens.issue(1, call),
    () => tokens.consume('a'.repeat(43), call),
    () => tokens.revoke('a'.repeat(43), call),
    () => createOnce({ store, ttl: 1000 }).first('a', call),
    () => session.save(call),
    () => sessions.list('a', call),
    () => sessions.destroyAll('a', call),
  ])
    await expect(run()).rejects.toMatchObject(INVALID)
})
