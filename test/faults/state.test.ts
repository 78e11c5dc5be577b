import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { AtomicStore, CommandStore } from '../../src/index.ts'
import { createSessions, type Session, type Sessions } from '../../src/session/index.ts'
import { hash, list, type StructureSpace, set, sortedSet, stream, transaction } from '../../src/structures/index.ts'
import { rounds } from '../support/rounds.ts'
import { inLanes, pause, sentOnce, startWay, type Way, type WayName } from './support/ways.ts'

// Sessions and structures when replies are lost after the server ran the command, and when no server takes a connection.

const ROUNDS = rounds({ quick: 50, soak: 2000 })
const LANES = 10
const secrets = [crypto.getRandomValues(new Uint8Array(32))]
const cookieOf = (setCookie: string | undefined): string => setCookie?.split(';')[0] ?? ''
const request = (cookie = ''): Request => new Request('https://a.example/', { headers: { cookie } })
const maybe = { code: 'STORE_UNAVAILABLE', maybeExecuted: true }
interface Data {
  n?: number
  other?: number
}

for (const name of ['own TCP', 'REST', 'Cluster'] as const satisfies readonly WayName[]) {
  describe(`state and lost replies, ${name}`, () => {
    let way: Way
    let stores: CommandStore[]
    let all: Sessions<Data>[]
    let direct: Sessions<Data>
    const over = (store: AtomicStore): Sessions<Data> => createSessions<Data>({ store, namespace: 'lost', secrets })
    beforeAll(async () => {
      way = await startWay(name)
      const opened = await Promise.all(Array.from({ length: LANES }, () => way.open({ timeoutMs: 20_000 })))
      stores = opened as unknown as CommandStore[]
      await Promise.all(stores.map((store) => store.ready()))
      all = stores.map(over)
      direct = over(way.direct)
    }, 60_000)
    afterEach(() => way.pass())
    afterAll(() => way.stop(), 60_000)

    const begin = async (lane: number, n: number): Promise<string> => {
      const session = await (all[lane] as Sessions<Data>).open(request())
      session.set('n', n)
      const outcome = await sentOnce(() => session.save())
      if ('error' in outcome) throw outcome.error
      return cookieOf(outcome.value)
    }
    /** Opens the session. If the lost reply of another call has cut the connection, it tries again. */
    const open = async (lane: number, cookie: string): Promise<Session<Data>> => {
      const outcome = await sentOnce(() => (all[lane] as Sessions<Data>).open(request(cookie)))
      if ('error' in outcome) throw outcome.error
      return outcome.value
    }
    /** Expects the call to reject as maybe executed. Repeats it while it was not sent: another lost reply cut the connection. */
    const loses = async (call: () => Promise<unknown>): Promise<void> => {
      for (;;) {
        try {
          expect(await call()).toBe('a lost reply')
        } catch (error) {
          const { code, maybeExecuted } = error as { code?: string; maybeExecuted?: boolean }
          if (code === 'STORE_UNAVAILABLE' && maybeExecuted === false) {
            await pause(5)
            continue
          }
          expect(error).toMatchObject(maybe)
          return
        }
      }
    }

    it('a save is sent once, and says that it may have run', async () => {
      const cookies: string[] = []
      await inLanes(LANES, ROUNDS, async (round, lane) => {
        cookies[round] = await begin(lane, round)
      })
      await inLanes(LANES, ROUNDS, async (round, lane) => {
        const cookie = cookies[round] as string
        const session = await open(lane, cookie)
        session.set('other', round)
        way.lose((text) => text.includes('.other'))
        await loses(() => session.save())
        // The save ran once. A second one, sent after `destroy` below, would store the session again.
        const found = await direct.open(request(cookie))
        expect([found.get('n'), found.get('other')]).toEqual([round, round])
        await found.destroy()
      })
      await way.pass()
      await Promise.all(stores.map((store) => sentOnce(() => store.get('any'))))
      for (const cookie of cookies) expect((await direct.open(request(cookie))).isNew).toBe(true)
    }, 1_200_000)

    it('a rotation whose reply is lost ends the old id, and says so', async () => {
      const cookies = await Promise.all(Array.from({ length: LANES }, (_, i) => begin(i, i)))
      await inLanes(LANES, LANES, async (round, lane) => {
        const session = await open(lane, cookies[round] as string)
        way.lose((text) => /EVAL/i.test(text) && text.includes(':lost:s:'))
        await loses(() => session.rotate())
        expect((await direct.open(request(cookies[round]))).isNew).toBe(true)
      })
      await way.pass()
    }, 1_200_000)

    it('destroy and destroyAll are sent again until they are answered', async () => {
      const lost = new Set<string>()
      for (let round = 0; round < LANES; round++) {
        const here = all[round] as Sessions<Data>
        const session = await here.open(request())
        session.bind(`user:${round}`)
        // The test before this one may have cut the connection.
        const saved = await sentOnce(() => session.save())
        if ('error' in saved) throw saved.error
        const cookie = cookieOf(saved.value)
        const again = await open(round, await begin(round, round))
        // Loses the reply to the first delete of each key.
        way.lose((text) => {
          const key = /(?:(?:UNLINK|DEL)\W+|EVAL.*?)(:lost:\w:[\w-]+)/is.exec(text)?.[1]
          if (!key || lost.has(key)) return false
          lost.add(key)
          return true
        })
        await again.destroy()
        await here.destroyAll(`user:${round}`)
        await way.pass()
        expect((await direct.open(request(cookie))).isNew).toBe(true)
      }
      expect(lost.size).toBe(2 * LANES)
    }, 1_200_000)

    it('each change of a structure is sent once, and a read again', async () => {
      await inLanes(LANES, ROUNDS, async (round, lane) => {
        const space: StructureSpace = { store: stores[lane] as CommandStore, namespace: 'lost' }
        const at = (kind: string): string => `{${kind}:${round}}`
        way.lose((text) => text.includes('lost:{'))
        await loses(() => list<number>(space, at('list')).append([round]))
        await loses(() => hash<number>(space, at('hash')).incrementBy('f', 1))
        await loses(() => sortedSet<string>(space, at('zset')).incrementBy('m', 1))
        await loses(() => stream<number>(space, at('stream')).append(round))
        await loses(() => set<string>(space, at('set')).add(['x']))
        await loses(() => transaction(space, (all) => [all.list<number>(at('tx')).append([1])]))
      })
      await way.pass()
      const space = { store: way.direct as CommandStore, namespace: 'lost' }
      for (let round = 0; round < ROUNDS; round++) {
        const at = (kind: string): string => `{${kind}:${round}}`
        const seen = await Promise.all([
          list(space, at('list')).range(0, -1),
          hash(space, at('hash')).get('f'),
          sortedSet(space, at('zset')).score('m'),
          stream(space, at('stream')).size(),
          set(space, at('set')).size(),
          list(space, at('tx')).size(),
        ])
        expect(seen).toEqual([[round], 1, 1, 1, 1, 1])
      }
      // A read whose first reply is lost is sent again, and the second reply settles it.
      const lost = new Set<string>()
      way.lose((text) => {
        const key = /lost:\{hash:\d+\}/.exec(text)?.[0]
        if (!key || lost.has(key)) return false
        lost.add(key)
        return true
      })
      const here = { store: stores[0] as CommandStore, namespace: 'lost' }
      for (let round = 0; round < LANES; round++) expect(await hash(here, `{hash:${round}}`).get('f')).toBe(1)
      expect(lost.size).toBe(LANES)
    }, 1_200_000)

    it('a consumer goes on through lost replies, and nothing is lost', async () => {
      const space = { store: stores[0] as CommandStore, namespace: 'lost' }
      const jobs = stream<number>({ store: way.direct as CommandStore, namespace: 'lost' }, 'jobs')
      for (let n = 0; n < 60; n++) await jobs.append(n)
      let asked = 0
      way.lose((text) => text.includes('XREADGROUP') && asked++ % 3 === 0)
      const errors: unknown[] = []
      const seen = new Map<number, number[]>()
      const group = stream<number>(space, 'jobs').group('g')
      for await (const entry of group.consume({ consumer: 'a', batch: 7, onError: (error) => errors.push(error) })) {
        seen.set(entry.value, [...(seen.get(entry.value) ?? []), entry.deliveries])
        await entry.ack()
        if (seen.size === 60) break
      }
      await way.pass()
      expect(errors.length).toBeGreaterThan(0)
      expect([...seen.keys()].sort((a, b) => a - b)).toEqual(Array.from({ length: 60 }, (_, n) => n))
      expect([...seen.values()].filter((times) => times.slice(1).some((deliveries) => deliveries < 2))).toEqual([])
    }, 1_200_000)

    it('while no server takes a connection every call rejects, and goes on afterwards', async () => {
      const here = all[0] as Sessions<Data>
      const cookie = await begin(0, 7)
      const session = await here.open(request(cookie))
      const space = { store: stores[0] as CommandStore, namespace: 'lost' }
      await way.refuse()
      session.set('other', 1)
      const calls = await Promise.allSettled([
        session.save(),
        here.open(request(cookie)),
        here.destroyAll('user:7'),
        here.list('user:7'),
        hash<number>(space, 'k').set('f', 1),
        list<number>(space, 'k').range(0, -1),
        transaction(space, (each) => [each.set('s').size()]),
      ])
      for (const call of calls) {
        expect(call).toMatchObject({
          status: 'rejected',
          reason: { code: expect.stringMatching(/^(STORE_UNAVAILABLE|TIMEOUT)$/) },
        })
      }
      await way.pass()
      for (let left = 100; left > 0; left--) {
        try {
          await session.save()
          break
        } catch (error) {
          expect(error).toMatchObject({ retryable: true })
          await new Promise((resolve) => setTimeout(resolve, 100))
        }
      }
      expect((await here.open(request(cookie))).get('other')).toBe(1)
    }, 1_200_000)
  })
}
