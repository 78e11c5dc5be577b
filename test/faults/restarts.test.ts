import { describe, expect, it } from 'vitest'
import { rounds } from '../support/rounds.ts'
import { kill } from './support/outages.ts'
import { createStallMeter, type FaultyStore, pause, startWay, type Way, wayNames } from './support/ways.ts'

// A server is killed under load and restarted, again and again. A Cluster node keeps nothing on disk, so it could not return
// with its slots: there the proxies before all three nodes are closed and opened instead.

const KILLS = rounds({ quick: 6, soak: 20 })
const WORKERS = 8
const TIMEOUT_MS = 1000
const BACK_MS = 500

describe('a server that dies and comes back', () => {
  for (const name of wayNames) {
    it(`is used again at once, never wrongly, ${name}`, async () => {
      const way = await startWay(name)
      const meter = createStallMeter()
      try {
        const store = await way.open({ timeoutMs: TIMEOUT_MS })
        const load = startLoad(store, meter.lostMs)
        const waits: number[] = []
        for (let n = 0; n < KILLS; n++) {
          await load.answered()
          await pause(50)
          // Every third time the server stays down for longer than a few attempts to connect take.
          await down(way, n % 3 === 2 ? 700 : 0)
          const back = performance.now() - meter.lostMs()
          await load.answered()
          waits.push(performance.now() - meter.lostMs() - back)
        }
        const { ok, failed, wrong, longest } = await load.stop()
        waits.sort((a, b) => a - b)
        console.log(
          `${name}: ${KILLS} kills, ${ok} answered, ${failed} failed, ${wrong} wrong; first answer after the server was`,
          `back: median ${waits[KILLS / 2]?.toFixed(0)} ms, longest ${waits.at(-1)?.toFixed(0)} ms`,
        )
        expect(wrong).toBe(0)
        expect(ok).toBeGreaterThan(KILLS)
        expect(failed).toBeGreaterThan(0)
        expect(longest).toBeLessThanOrEqual(TIMEOUT_MS + 100)
        expect(waits.at(-1)).toBeLessThanOrEqual(BACK_MS)
      } finally {
        meter.stop()
        await way.stop()
      }
    }, 120_000)
  }
})

async function down(way: Way, ms: number): Promise<void> {
  const [server, second] = way.servers
  if (server && !second) {
    await kill(server, ms)
  } else {
    await way.refuse()
    await pause(ms)
    await way.pass()
  }
}

interface Load {
  /** Resolves when the next call succeeds. */
  answered(): Promise<void>
  /** Resolves once every call has settled. */
  stop(): Promise<{ ok: number; failed: number; wrong: number; longest: number }>
}

function startLoad(store: FaultyStore, lostMs: () => number): Load {
  const total = { ok: 0, failed: 0, wrong: 0, longest: 0 }
  let waiting: (() => void)[] = []
  let over = false
  let nonce = 0
  const one = async (): Promise<void> => {
    const key = `load:${Math.floor(Math.random() * 200)}`
    const started = performance.now() - lostMs()
    try {
      if (Math.random() < 0.3) await store.set(key, `${key}|${++nonce}`, 60_000)
      else {
        const value = await store.get(key)
        if (value !== undefined && !value.startsWith(`${key}|`)) total.wrong++
      }
      total.ok++
      for (const resolve of waiting.splice(0)) resolve()
    } catch {
      total.failed++
      await pause(2)
    }
    total.longest = Math.max(total.longest, performance.now() - lostMs() - started)
  }
  const workers = Array.from({ length: WORKERS }, async () => {
    for (let i = 0; !over; i++) {
      await one()
      if (i % 10 === 9) await pause(1)
    }
  })
  return {
    answered: () => new Promise((resolve) => waiting.push(resolve)),
    async stop() {
      over = true
      await Promise.all(workers)
      waiting = []
      return total
    },
  }
}
