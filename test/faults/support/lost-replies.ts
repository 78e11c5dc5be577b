import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Operation } from '../../../src/protocol/operation.ts'
import { testCounter } from '../../../src/testing/contract.ts'
import { rounds } from '../../support/rounds.ts'
import { type FaultyStore, inLanes, pause, sentOnce, startWay, type Way, type WayName } from './ways.ts'

// A proxy between the store and the server drops every reply to a command marked `lost`, after the server ran the command.

const ROUNDS = rounds({ quick: 75, soak: 1000 })
const LANES = 25

/** Stores a text. Running it again stores the same text. */
const put: Operation<readonly [text: string], string> = {
  name: 'test.put',
  effect: 'repeat',
  lua: `redis.call('SET', KEYS[1], ARGV[1]) return ARGV[1]`,
  apply: (_, [text]) => ({ next: text, ttl: 'none', reply: text }),
}

export function describeLostReplies(name: WayName): void {
  describe(`lost replies, ${name}`, () => {
    let way: Way
    let stores: FaultyStore[]
    let resends = 0
    beforeAll(async () => {
      way = await startWay(name)
      const onEvent = ({ type }: { type: string }): void => {
        if (type === 'resend') resends++
      }
      stores = await Promise.all(Array.from({ length: LANES }, () => way.open({ onEvent })))
      await Promise.all(stores.map((store) => store.ready()))
    }, 60_000)
    afterEach(() => way.pass())
    afterAll(() => way.stop(), 30_000)

    /**
     * Expects that every call rejects as maybe executed and ran once. Another client deletes the value as soon as it is stored;
     * the value must stay deleted, so the writer must not send the command again.
     */
    const loseAll = async (
      kind: string,
      call: (store: FaultyStore, key: string) => Promise<unknown>,
      written: (key: string) => string,
    ): Promise<void> => {
      const keys = Array.from({ length: ROUNDS }, (_, i) => `lost:${kind}:${i}`)
      way.lose((text) => text.includes('lost:'))
      await inLanes(LANES, ROUNDS, async (round, lane) => {
        const key = keys[round] as string
        const outcome = sentOnce(() => call(stores[lane] as FaultyStore, key))
        let value: string | undefined
        for (let left = 5000; value === undefined && left > 0; left--) {
          await pause(1)
          value = await way.direct.get(key)
        }
        expect(value).toBe(written(key))
        await way.direct.delete([key])
        expect(await outcome).toMatchObject({ error: { code: 'STORE_UNAVAILABLE', maybeExecuted: true } })
      })
      await way.pass()
      expect(await way.direct.getMany(keys)).toEqual(keys.map(() => undefined))
      for (const store of stores) await sentOnce(() => store.get('any'))
      expect(await way.direct.getMany(keys)).toEqual(keys.map(() => undefined))
    }
    /** Loses only the first reply for each key, and expects the call to succeed nevertheless. */
    const loseFirst = async (kind: string, call: (store: FaultyStore, key: string) => Promise<void>): Promise<void> => {
      const lost = new Set<string>()
      way.lose((text) => {
        let hit = false
        for (const [key] of text.matchAll(/first:\w+:\d+:/g)) {
          hit ||= !lost.has(key)
          lost.add(key)
        }
        return hit
      })
      const before = resends
      await inLanes(LANES, ROUNDS, async (round, lane) => {
        const outcome = await sentOnce(() => call(stores[lane] as FaultyStore, `first:${kind}:${round}:`))
        if ('error' in outcome) throw outcome.error
      })
      await way.pass()
      expect(lost.size).toBeGreaterThanOrEqual(ROUNDS)
      expect(resends - before).toBeGreaterThan(ROUNDS / 2)
    }

    it("runs a 'once' operation once, says that it may have run, and brings no deleted value back", async () => {
      await loseAll(
        'once',
        (store, key) => store.run(testCounter, key, [1, 60_000]),
        () => '1',
      )
    }, 60_000)

    it('sends INCR by the transport once, and says that it may have run', async () => {
      await way.executions('INCR')
      const incr = (store: FaultyStore, key: string) => store.transport.send({ args: ['INCR', key], effect: 'once' })
      await loseAll('incr', incr, () => '1')
      expect(await way.executions('INCR')).toBe(ROUNDS)
    }, 60_000)

    it('runs a set once, says that it may have run, and brings no deleted value back', async () => {
      await way.executions('SET')
      await loseAll(
        'set',
        (store, key) => store.set(key, `of ${key}`, 60_000),
        (key) => `of ${key}`,
      )
      expect(await way.executions('SET')).toBe(ROUNDS)
    }, 60_000)

    it('answers reads, which it sends again', async () => {
      const kinds = ['get', 'many'].flatMap((kind) => Array.from({ length: ROUNDS }, (_, i) => `first:${kind}:${i}:`))
      await Promise.all(
        kinds.flatMap((key) => ['a', 'b', 'c'].map((end) => way.direct.set(key + end, `of ${key}${end}`, 60_000))),
      )
      await loseFirst('get', async (store, key) => {
        expect(await store.get(`${key}a`)).toBe(`of ${key}a`)
      })
      await loseFirst('many', async (store, key) => {
        const keys = ['a', 'b', 'none', 'c'].map((end) => key + end)
        expect(await store.getMany(keys)).toEqual(
          keys.map((each) => (each.endsWith('none') ? undefined : `of ${each}`)),
        )
      })
    }, 60_000)

    it("answers deletes and 'repeat' operations, which it sends again", async () => {
      await loseFirst('put', async (store, key) => {
        expect(await store.run(put, key, [`of ${key}`])).toBe(`of ${key}`)
        expect(await way.direct.get(key)).toBe(`of ${key}`)
      })
      await Promise.all(Array.from({ length: ROUNDS }, (_, i) => way.direct.set(`first:delete:${i}:`, 'x', 60_000)))
      await loseFirst('delete', async (store, key) => {
        expect(await store.delete([key])).toBeLessThanOrEqual(1)
        expect(await way.direct.get(key)).toBeUndefined()
      })
    }, 60_000)

    it('says of a delete that could not go out again that it may have run', async () => {
      await way.direct.set('gone:1', 'x', 60_000)
      await sentOnce(() => (stores[0] as FaultyStore).get('any'))
      way.lose((text) => text.includes('gone:'))
      const deleting = (stores[0] as FaultyStore).delete(['gone:1'])
      const outcome = deleting.catch((error: unknown) => error)
      for (let left = 5000; (await way.direct.get('gone:1')) !== undefined && left > 0; left--) await pause(1)
      await way.refuse()
      expect(await outcome).toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true, maybeExecuted: true })
    }, 60_000)
  })
}
