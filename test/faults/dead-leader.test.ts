import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Child, startChild } from '../live/support/children.ts'
import { type SharedWay, sharedWays } from '../live/support/ways.ts'
import { createStallMeter } from './support/ways.ts'

// The process that loads a key for all is killed. Its followers must wait no longer than its lease and one read of the key.

/** The lease is 1 s longer than the loader may run, but at most 6 s: a longer load renews its lease. */
const LEASES = [
  { hardTimeout: 500, leaseMs: 1500 },
  { hardTimeout: 30_000, leaseMs: 6000 },
] as const
/** Time for one read of the key, and for the load itself. */
const LOOK_MS = 250

for (const name of ['TCP', 'REST'] as const) {
  describe(`a leader that is killed, ${name}`, () => {
    let way: SharedWay
    beforeAll(async () => {
      way = await sharedWays[name]()
    }, 60_000)
    afterAll(() => way.stop(), 30_000)

    for (const { hardTimeout, leaseMs } of LEASES) {
      it(`costs its lease and no more, and one of the others loads: hardTimeout ${hardTimeout} ms`, async () => {
        const options = {
          namespace: `dead-${Math.random().toString(36).slice(2)}`,
          ttl: '1m',
          hardTimeout,
        } as const
        const children: Child[] = await Promise.all(Array.from({ length: 4 }, () => startChild(way.address, options)))
        const [leader, ...followers] = children as [Child, ...Child[]]
        const meter = createStallMeter()
        await leader.agent.begin({ namespace: '', key: 'k', act: 'delete', prior: false })
        leader.kill()
        const [from, lost] = [performance.now(), meter.lostMs()]
        const rushes = await Promise.all(followers.map(({ agent }) => agent.stampede('k', 100, 5, Date.now())))
        const tookMs = performance.now() - from
        const stalledMs = meter.lostMs() - lost
        meter.stop()
        await Promise.all(followers.map((child) => child.stop()))
        expect(rushes.reduce((all, { runs }) => all + runs, 0)).toBe(1)
        for (const { answers } of rushes) expect(answers).toEqual(['value of k'])
        console.log(
          `${name}: the others were answered ${tookMs.toFixed(0)} ms after the kill, of a lease of ${leaseMs} ms`,
        )
        expect(tookMs).toBeGreaterThan(leaseMs / 2)
        expect(tookMs - stalledMs).toBeLessThanOrEqual(leaseMs + LOOK_MS)
      }, 60_000)
    }
  })
}
