import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { whyNoGarnet } from '../support/garnet.ts'
import { isSoak, rounds } from '../support/rounds.ts'
import { seedOfTheDay } from '../support/seed.ts'
import type { Stampede } from './support/agent.ts'
import { type Child, startChild } from './support/children.ts'
import { type SharedWay, sharedWays } from './support/ways.ts'

// Real processes, each with a cache and a connection.

const CALLERS = 1000
/**
 * Number of keys that four processes ask for while the keys are cold, and again after each of `ENDS`. Each process asks for every
 * block of 64 in a different order.
 */
const KEYS = rounds({ quick: 64, soak: 2560 })
const ENDS = ['invalidateTags', 'clear', 'keepStale'] as const
const START_MS = 300
const STORE_MS = 5000
/** Longer than every limit: `storeTimeout`, and the longest pause between two reads of another process's lease. */
const SLOW_MS = STORE_MS + 500

const OFTEN = ['TCP', 'Cluster', 'REST', 'Memcached', 'NATS'] as const
/** Whether a way runs all loads and processes. In a soak all ways do; otherwise two of `OFTEN`, which the day chooses. */
const whole = (name: string): boolean =>
  isSoak || [0, 2].some((more) => OFTEN[(seedOfTheDay() + more) % OFTEN.length] === name)
const noGarnet = await whyNoGarnet()

for (const name of [...OFTEN, 'Cluster, own TCP', 'Garnet'] as const) {
  const isShort = !whole(name)
  const most = isShort ? 4 : 8
  describe.skipIf(name === 'Garnet' && noGarnet !== undefined)(`one load, ${name}`, () => {
    let way: SharedWay
    let children: Child[] = []
    let slow: Promise<Stampede[]> = Promise.resolve([])
    beforeAll(async () => {
      way = await sharedWays[name]()
      const namespace = `one-load-${Math.random().toString(36).slice(2)}`
      const options = { namespace, ttl: '10m', storeTimeout: STORE_MS } as const
      children = await Promise.all(Array.from({ length: most }, () => startChild(way.address, options)))
      if (!isShort) slow = rush(most, 'slow', 100, SLOW_MS)
      slow.catch(() => {})
    }, 60_000)
    afterAll(async () => {
      await Promise.all(children.map((child) => child.stop()))
      await way.stop()
    }, 30_000)

    const rush = (count: number, key: string, callers: number, loadMs: number): Promise<Stampede[]> => {
      const atMs = Date.now() + START_MS
      return Promise.all(children.slice(0, count).map(({ agent }) => agent.stampede(key, callers, loadMs, atMs)))
    }
    const expectOne = (key: string, rushes: readonly Stampede[]): void => {
      expect([key, rushes.reduce((all, { runs }) => all + runs, 0)]).toEqual([key, 1])
      for (const { answers } of rushes) expect(answers).toEqual([`value of ${key}`])
    }

    for (const count of isShort ? [4] : [4, 8]) {
      it(`of a cold key, with ${CALLERS} callers in each of ${count} processes`, async () => {
        for (const loadMs of isShort ? [0, 50] : [0, 5, 50, 200]) {
          const key = `cold:${count}:${loadMs}`
          expectOne(key, await rush(count, key, CALLERS, loadMs))
        }
      }, 60_000)
    }
    it(`of each of ${KEYS} keys, by 4 processes, and once more after each that ends them`, async () => {
      const asked = children.slice(0, 4).map(({ agent }) => agent)
      const loads = asked.map(() => 0)
      for (const act of [undefined, ...ENDS]) {
        if (act) await asked[0]?.act({ namespace: 'sweep', key: 'sweep', act, prior: false })
        const atMs = Date.now() + START_MS
        const swept = await Promise.all(asked.map((agent, i) => agent.sweep('sweep', KEYS, atMs, 16 * i)))
        expect([act, swept.reduce((all, { runs }) => all + runs, 0)]).toEqual([act, KEYS])
        expect(swept.map(({ wrong }) => wrong)).toEqual([0, 0, 0, 0])
        swept.forEach(({ runs }, i) => {
          loads[i] = (loads[i] as number) + runs
        })
      }
      console.log(`${name}: ${4 * KEYS} loads of ${KEYS} keys, by process ${loads.join(', ')}`)
      expect(loads.filter((own) => own > 0).length).toBeGreaterThan(1)
    }, 600_000)
    if (isShort) return
    it('by a loader that is slower than every guard, and its value is stored', async () => {
      expectOne('slow', await slow)
      await Promise.all(children.map(({ agent }) => agent.flush()))
      const later = await rush(8, 'slow', 10, 0)
      expect(later.map(({ runs }) => runs)).toEqual(later.map(() => 0))
      for (const { agent } of children) expect(await agent.stats()).toMatchObject({ inFlight: 0, storeErrors: 0 })
    }, 60_000)
  })
}
