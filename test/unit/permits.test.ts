import { describe, expect, it, vi } from 'vitest'
import { memoryStore } from '../../adapters/memory/index.ts'
import { upstashStore } from '../../adapters/upstash/index.ts'
import { HitherError } from '../../src/errors.ts'
import { REQUEST_SCOPED } from '../../src/runtime/background.ts'
import { createCommandStore } from '../../src/store/command-store.ts'
import { createPermits } from '../../src/store/permits.ts'
import type { Command, Wire } from '../../src/store/transport.ts'

/** A store of `most` permits whose requests the test answers by hand, in any order. */
function byHand(most: number) {
  const requests: { readonly texts: string[]; answer(): void; lose(): void }[] = []
  const sendMany = (commands: readonly Command[]): Promise<Wire[]> =>
    new Promise((resolve, reject) => {
      requests.push({
        texts: commands.map(({ args }) => args.join(' ')),
        answer: () => resolve(commands.map(({ args }) => (args[0] === 'MGET' ? args.slice(1) : (args[1] as string)))),
        lose: () => reject(new HitherError('STORE_UNAVAILABLE', 'lost', { retryable: true, maybeExecuted: true })),
      })
    })
  const store = createCommandStore({
    name: 'by hand',
    traits: memoryStore().traits,
    transport: {
      send: async (command) => (await sendMany([command]))[0] as Wire,
      sendMany,
      transaction: sendMany,
      close: async () => {},
    },
    permits: createPermits(most),
  })
  const sent = (): string[] => requests.map(({ texts }) => texts.join(', '))
  const answer = async (nth: number): Promise<void> => {
    requests[nth]?.answer()
    await tick()
  }
  return { store, requests, sent, answer }
}

/** Waits long enough for the calls so far to be sent. */
const tick = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await null
}

describe('permits', () => {
  it('bound the requests under way, and what waits for one leaves together, in call order', async () => {
    const { store, sent, answer } = byHand(2)
    const calls: Promise<unknown>[] = []
    for (const key of ['a', 'b', 'c', 'd', 'e']) {
      calls.push(store.get(key))
      await tick()
    }
    calls.push(store.set('f', 'x'))
    await tick()
    expect(sent()).toEqual(['GET a', 'GET b'])
    await answer(1)
    expect(sent()).toEqual(['GET a', 'GET b', 'MGET c d e, SET f x'])
    await answer(0)
    await answer(2)
    expect(await Promise.all(calls)).toEqual(['a', 'b', 'c', 'd', 'e', undefined])
    const last = store.get('g')
    await tick()
    expect(sent().length).toBe(4)
    await answer(3)
    expect(await last).toBe('g')
  })

  it('are one for each request of a tick that leaves in several', async () => {
    const { store, sent, answer } = byHand(2)
    const large = 'x'.repeat(70_000)
    const calls = ['a', 'b', 'c', 'd'].map((key) => store.set(key, large))
    await tick()
    expect(sent().length).toBe(2)
    for (const nth of [0, 1, 2]) await answer(nth)
    expect(sent().map((text) => text.slice(0, 5))).toEqual(['SET a', 'SET b', 'SET c', 'SET d'])
    await answer(3)
    await Promise.all(calls)
  })

  it('are waited for no longer than a call has, and what has ended is not sent', async () => {
    const { store, sent, answer } = byHand(1)
    const first = store.get('a')
    await tick()
    const signal = AbortSignal.abort(new Error('gone'))
    const stop = new AbortController()
    const late = store.set('late', 'x', undefined, { deadline: Date.now() + 20 })
    const aborted = store.set('aborted', 'x', undefined, { signal: stop.signal })
    await tick()
    stop.abort(signal.reason)
    await expect(aborted).rejects.toThrow('gone')
    await expect(late).rejects.toMatchObject({ code: 'TIMEOUT', maybeExecuted: false, retryable: true })
    await answer(0)
    expect(await first).toBe('a')
    expect(sent()).toEqual(['GET a'])
    const next = store.get('b')
    await tick()
    expect(sent()).toEqual(['GET a', 'GET b'])
    await answer(1)
    expect(await next).toBe('b')
  })

  it('are given back by a request that is lost, while its calls wait to be sent again', async () => {
    const { store, requests, sent, answer } = byHand(1)
    const lost = store.get('a')
    await tick()
    requests[0]?.lose()
    await tick()
    const other = store.get('b')
    await tick()
    expect(sent()).toEqual(['GET a', 'GET b'])
    await answer(1)
    expect(await other).toBe('b')
    await vi.waitFor(() => expect(sent()).toEqual(['GET a', 'GET b', 'GET a']))
    await answer(2)
    expect(await lost).toBe('a')
  })

  it('are lent where every request is silent, and the next to end gives back none', async () => {
    const { store, sent, answer } = byHand(1)
    const silent = store.get('a')
    await tick()
    const [first, second] = [store.get('b'), store.get('c')]
    await vi.waitFor(() => expect(sent()).toEqual(['GET a', 'MGET b c']))
    await answer(0)
    expect(await silent).toBe('a')
    const third = store.get('d')
    await tick()
    expect(sent().length).toBe(2)
    await answer(1)
    expect(await Promise.all([first, second])).toEqual(['b', 'c'])
    expect(sent().length).toBe(3)
    await answer(2)
    expect(await third).toBe('d')
  })

  it('end with the store', async () => {
    const { store, sent, answer } = byHand(1)
    const calls = [store.get('a')]
    await tick()
    calls.push(store.get('b'))
    await tick()
    const ended = Promise.allSettled(calls)
    await store.close()
    expect((await ended).map((each) => each.status === 'rejected' && each.reason.code)).toEqual(['CLOSED', 'CLOSED'])
    await answer(0)
    expect(sent()).toEqual(['GET a'])
  })
})

it(`over REST there are 32, ${REQUEST_SCOPED ? 'but not where a request ends with its context' : 'each a connection'}`, async () => {
  let [underWay, most, requests] = [0, 0, 0]
  const store = upstashStore({
    url: 'https://name.upstash.io',
    token: 'a-token',
    fetch: async (_, { body }) => {
      requests++
      most = Math.max(most, ++underWay)
      await new Promise((resolve) => setTimeout(resolve, 5))
      underWay--
      const args = JSON.parse(body as string) as string[]
      return Response.json({ result: args[0] === 'MGET' ? args.slice(1) : args[1] })
    },
  })
  const keys = Array.from({ length: 1000 }, (_, i) => `${i}`)
  const calls: Promise<unknown>[] = []
  for (const key of keys) {
    calls.push(store.get(key))
    await tick()
  }
  expect(await Promise.all(calls)).toEqual(keys)
  expect([most, requests]).toEqual(REQUEST_SCOPED ? [1000, 1000] : [32, 33])
  await store.close()
})
