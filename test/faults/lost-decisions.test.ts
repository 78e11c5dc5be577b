import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createRateLimiter, fixedWindow } from '../../src/rate-limit/index.ts'
import type { AtomicStore } from '../../src/store/store.ts'
import { rounds } from '../support/rounds.ts'
import { inLanes, pause, sentOnce, startWay, type Way, wayNames } from './support/ways.ts'

// Rate limit decisions whose replies are lost.

const hour = (limit: number) => fixedWindow({ limit, window: '365d' })

for (const name of wayNames) {
  describe(`decisions over a bad way, ${name}`, () => {
    let way: Way
    beforeAll(async () => {
      way = await startWay(name)
    }, 60_000)
    afterAll(() => way.stop(), 30_000)

    // A long run loses 2,500 replies on each of the five ways.
    const LOST = rounds({ quick: 400, soak: 2500 })
    it(`counts at most what was called: ${LOST} lost replies`, async () => {
      const LANES = 20
      const algorithm = hour(1_000_000)
      const options = { algorithm, outage: 'open', namespace: 'lost' } as const
      const stores = await Promise.all(Array.from({ length: LANES }, () => way.open()))
      await Promise.all(stores.map((store) => store.ready()))
      const direct = createRateLimiter({ ...options, store: way.direct })
      const called = Array.from({ length: LANES }, () => 0)
      const answered = Array.from({ length: LANES }, () => 0)
      let lost = 0
      way.lose((text) => text.includes(':lost:'))
      const limiters = stores.map((store) => createRateLimiter({ ...options, store, timeout: '5s' }))
      await inLanes(LANES, LOST, async (_, lane) => {
        for (;;) {
          ;(called[lane] as number)++
          const { success, reason } = await (limiters[lane] as (typeof limiters)[0]).limit(`lane ${lane}`)
          expect(success).toBe(true)
          if (reason === 'ok') (answered[lane] as number)++
          else {
            lost++
            // A client that is reconnecting rejects at once and sends nothing. Wait until it has connected.
            await sentOnce(() => (stores[lane] as AtomicStore).get('any'))
            break
          }
        }
      })
      await way.pass()
      // Lets the calls still under way run first.
      await pause(200)
      let counted = 0
      for (let lane = 0; lane < LANES; lane++) {
        const { remaining } = await direct.peek(`lane ${lane}`)
        const taken = 1_000_000 - remaining
        expect(taken).toBeLessThanOrEqual(called[lane] as number)
        expect(taken).toBeGreaterThanOrEqual(answered[lane] as number)
        counted += taken
      }
      expect(lost).toBe(LOST)
      expect(counted).toBeGreaterThan(LOST / 2)
      console.log(`${name}: ${called.reduce((a, b) => a + b)} called, ${counted} counted, ${lost} replies lost`)
    }, 120_000)
  })
}
