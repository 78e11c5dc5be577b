import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createRateLimiter, fixedWindow, type OutagePolicy, type RateLimitEvent } from '../../src/rate-limit/index.ts'
import { createStallMeter, pause, startWay, type Way, wayNames } from './support/ways.ts'

// Rate limit decisions while the server is stopped.

const hour = (limit: number) => fixedWindow({ limit, window: '365d' })

for (const name of wayNames) {
  describe(`decisions over a bad way, ${name}`, () => {
    let way: Way
    beforeAll(async () => {
      way = await startWay(name)
    }, 60_000)
    afterEach(() => way.pass())
    afterAll(() => way.stop(), 30_000)

    const decidesForOthers = async () => {
      const store = await way.open()
      const limiter = createRateLimiter({ store, algorithm: hour(1000), outage: 'closed', namespace: 'one-node' })
      const ids = Array.from({ length: 60 }, (_, i) => `id ${i}`)
      const reasons = async (all: readonly string[]): Promise<string[]> =>
        Promise.all(all.map(async (id) => (await limiter.limit(id)).reason))
      expect(new Set(await reasons(ids))).toEqual(new Set(['ok']))
      const [stopped] = way.servers
      await stopped?.kill('SIGSTOP')
      try {
        const first = await reasons(ids)
        const [hot = ''] = ids.filter((_, i) => first[i] !== 'ok')
        const healthy = ids.filter((_, i) => first[i] === 'ok')
        expect(first).toContain('timeout')
        expect(healthy.length).toBeGreaterThan(20)
        let over = false
        const flood = (async () => {
          const calls: Promise<unknown>[] = []
          for (; !over; await pause(1)) calls.push(limiter.limit(hot))
          await Promise.all(calls)
        })()
        for (let i = 0; i < 40; i++) {
          expect(new Set(await reasons(healthy))).toEqual(new Set(['ok']))
          await pause(25)
        }
        expect((await limiter.limit(hot)).reason).toMatch(/^(timeout|unavailable)$/)
        over = true
        await flood
      } finally {
        await stopped?.kill('SIGCONT')
      }
    }
    if (name === 'Cluster') it('decides for the other nodes while one is stopped', decidesForOthers, 60_000)

    it.each<[string, OutagePolicy]>([
      ['open', 'open'],
      ['closed', 'closed'],
      ['local', { local: 3 }],
    ])(
      'answers within 300 ms while the server is stopped: %s',
      async (policy, outage) => {
        const events: RateLimitEvent[] = []
        const store = await way.open()
        const algorithm = hour(100)
        const onEvent = (event: RateLimitEvent): unknown => events.push(event)
        const limiter = createRateLimiter({ store, algorithm, outage, onEvent, namespace: `stop-${policy}` })
        for (let i = 0; i < 10; i++)
          expect(await limiter.limit(`id ${i}`)).toMatchObject({ success: true, reason: 'ok' })
        await Promise.all(way.servers.map((server) => server.kill('SIGSTOP')))
        const took: number[] = []
        const allowed: boolean[] = []
        const meter = createStallMeter()
        try {
          await Promise.all(
            Array.from({ length: 200 }, async (_, i) => {
              await pause(i * 4)
              const [start, stalled] = [performance.now(), meter.lostMs()]
              const { success, reason } = await limiter.limit(`id ${i % 10}`)
              took.push(performance.now() - start - (meter.lostMs() - stalled))
              allowed.push(success)
              expect(reason).toMatch(/^(timeout|unavailable)$/)
            }),
          )
        } finally {
          meter.stop()
          await Promise.all(way.servers.map((server) => server.kill('SIGCONT')))
        }
        const p99 = took.toSorted((a, b) => a - b)[Math.floor(took.length * 0.99)] as number
        console.log(`${name}, ${policy}: p99 ${p99.toFixed(0)} ms`)
        expect(p99).toBeLessThanOrEqual(300)
        const want = { open: 200, closed: 0, local: 30 }[policy]
        expect(allowed.filter((success) => success).length).toBe(want)
        expect(events.filter(({ type }) => type === 'degraded').length).toBe(200)
        // Calls that ran late were counted once, so the count is never above the number of calls.
        let back = await limiter.peek('id 0')
        for (let left = 100; back.reason !== 'ok' && left > 0; left--) {
          await pause(50)
          back = await limiter.peek('id 0')
        }
        expect(back.reason).toBe('ok')
        expect(100 - back.remaining).toBeGreaterThanOrEqual(1)
        expect(100 - back.remaining).toBeLessThanOrEqual(21)
      },
      60_000,
    )
  })
}
