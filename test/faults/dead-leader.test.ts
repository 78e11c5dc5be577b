import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Child, startChild } from '../live/support/children.ts'
import { type SharedWay, sharedWays } from '../live/support/ways.ts'
import { createStallMeter } from './support/ways.ts'

// The process that loads a key for all is killed. What its followers lose is its lease, and one look at it.

const HARD_MS = 500
/** A lease lasts as long as a loader may run, and a second. */
const LEASE_MS = HARD_MS + 1000

for (const name of ['TCP', 'REST'] as const) {
  describe(`a leader that is killed, ${name}`, () => {
    let way: SharedWay
    let followers: Child[] = []
    const options = {
      namespace: `dead-${Math.random().toString(36).slice(2)}`,
      ttl: '1m',
      hardTimeout: HARD_MS,
    } as const
    beforeAll(async () => {
      way = await sharedWays[name]()
      followers = await Promise.all(Array.from({ length: 3 }, () => startChild(way.address, options)))
    }, 60_000)
    afterAll(async () => {
      await Promise.all(followers.map((child) => child.stop()))
      await way.stop()
    }, 30_000)

    it('costs its lease and no more, and one of the others loads', async () => {
      const meter = createStallMeter()
      for (const key of ['first', 'second']) {
        const leader = await startChild(way.address, options)
        await leader.agent.begin({ namespace: '', key, act: 'delete', prior: false })
        leader.kill()
        const [from, lost] = [performance.now(), meter.lostMs()]
        const rushes = await Promise.all(followers.map(({ agent }) => agent.stampede(key, 100, 5, Date.now())))
        const tookMs = performance.now() - from
        expect(rushes.reduce((all, { runs }) => all + runs, 0)).toBe(1)
        for (const { answers } of rushes) expect(answers).toEqual([`value of ${key}`])
        console.log(
          `${name}: the others were answered ${tookMs.toFixed(0)} ms after the kill, of a lease of ${LEASE_MS} ms`,
        )
        expect(tookMs).toBeGreaterThan(LEASE_MS / 2)
        expect(tookMs - (meter.lostMs() - lost)).toBeLessThanOrEqual(LEASE_MS + 250)
      }
      meter.stop()
    }, 60_000)
  })
}
