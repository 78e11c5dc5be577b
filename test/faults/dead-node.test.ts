import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { slotOf } from '../../src/store/hash-slot.ts'
import { testCounter } from '../../src/testing/contract.ts'
import { type FaultyStore, pause, sentOnce, startWay, type Way } from './support/ways.ts'

// A Cluster whose node of the last third of the slots goes down and later returns.

const keys = Array.from({ length: 60 }, (_, i) => `node:${i}`)
const isDead = (key: string): boolean => slotOf(key) > 10922

describe.each(['Cluster', 'own Cluster', 'node-redis Cluster'] as const)('a dead node of a %s', (name) => {
  let way: Way
  let store: FaultyStore
  beforeAll(async () => {
    way = await startWay(name)
    store = await way.open()
    await Promise.all(keys.map((key) => store.get(key)))
  }, 60_000)
  afterAll(() => way.stop(), 30_000)

  it('fails its own calls of a tick only, and none that ran is said not to have run', async () => {
    const expected = new Map<string, number>()
    for (let round = 0; round < 20; round++) {
      await way.nodes[2]?.refuse()
      // Until the client notices that the node is down, its writes may have run.
      await pause(50)
      const results = await Promise.allSettled(keys.map((key) => store.run(testCounter, key, [1, 60_000])))
      results.forEach((result, i) => {
        const key = keys[i] as string
        if (result.status === 'fulfilled') expected.set(key, (expected.get(key) ?? 0) + 1)
        expect([key, result.status]).toEqual([key, isDead(key) ? 'rejected' : 'fulfilled'])
        if (result.status === 'rejected')
          expect(result.reason).toMatchObject({ code: 'STORE_UNAVAILABLE', maybeExecuted: false })
      })
      await way.pass()
      for (const key of keys.filter(isDead)) {
        expect(await sentOnce(() => store.run(testCounter, key, [1, 60_000]))).toEqual({ value: round + 1 })
        expected.set(key, round + 1)
      }
    }
    for (const key of keys) expect(await way.direct.get(key)).toBe(String(expected.get(key)))
  }, 60_000)

  it('says that a delete of several keys may have run where a part of it has', async () => {
    await Promise.all(keys.map((key) => way.direct.set(key, 'x')))
    await way.nodes[2]?.refuse()
    await pause(50)
    const error = { code: 'STORE_UNAVAILABLE', retryable: true }
    await expect(store.delete(keys)).rejects.toMatchObject({ ...error, maybeExecuted: true })
    await expect(store.delete(keys.filter(isDead))).rejects.toMatchObject({ ...error, maybeExecuted: false })
    await way.pass()
    const left = keys.filter(isDead)
    expect(await way.direct.getMany(keys)).toEqual(keys.map((key) => (left.includes(key) ? 'x' : undefined)))
  }, 60_000)

  it('makes a batch of the transport say that it may have run where a part of it was sent', async () => {
    await way.nodes[2]?.refuse()
    await pause(50)
    const fresh = keys.map((key) => `{${key}}fresh`)
    const sending = store.transport.sendMany(fresh.map((key) => ({ args: ['INCR', key], effect: 'once' })))
    await expect(sending).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', maybeExecuted: true })
    await expect(
      store.transport.sendMany([{ args: ['INCR', fresh.find(isDead) as string], effect: 'once' }]),
    ).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', maybeExecuted: false })
    await way.pass()
    // node-redis may send them after the batch has rejected.
    const ran = async (): Promise<number> => (await way.direct.getMany(fresh)).filter((value) => value === '1').length
    await expect.poll(ran).toBeGreaterThan(0)
    const found = await way.direct.getMany(fresh)
    expect(found.filter((value) => value !== '1' && value !== undefined)).toEqual([])
  }, 60_000)
})
