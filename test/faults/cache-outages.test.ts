import { describe, expect, it } from 'vitest'
import { connect, ioredisStore } from '../../adapters/ioredis/index.ts'
import { upstashStore } from '../../adapters/upstash/index.ts'
import { type Server, startServer } from '../../scripts/servers.ts'
import { type Cache, createCache, type GetOrSetOptions, type SetOptions } from '../../src/index.ts'
import type { AtomicStore } from '../../src/store/store.ts'
import { rounds } from '../support/rounds.ts'
import { startGatewayProcess } from './support/gateway.ts'
import { freeze, kill } from './support/outages.ts'
import { createStallMeter, pause } from './support/ways.ts'

// Uses a cache while its Redis is killed or stopped again and again. Calls begin at a steady rate, whether or not earlier ones
// have settled. All times here, that rate too, leave out those in which the machine did not let this process run: else it would
// begin at once what it had missed, and would be late by that.

const OUTAGES = rounds({ quick: 6, soak: 20 })
const OPS_PER_MS = 2.4
const STORE_MS = 250
const DEADLINE_MS = 1500
const BACK_MS = 500
const GROUPS = 20
const KEYS = 200

const outages: Readonly<Record<string, (server: Server, n: number) => Promise<void>>> = {
  killed: (server, n) => kill(server, n % 3 === 2 ? 700 : 0),
  stopped: (server, n) => freeze([server], n % 3 === 2 ? 900 : 400),
}

interface Place {
  readonly store: AtomicStore
  readonly server: Server
  /** Whether a call that was abandoned reaches the server before any call made later. */
  readonly ordered: boolean
  stop(): Promise<void>
}

const places: Readonly<Record<string, () => Promise<Place>>> = {
  async TCP() {
    const server = await startServer('redis8')
    const store = ioredisStore(await connect(server.url))
    return { store, server, ordered: true, stop: server.stop }
  },
  async REST() {
    const server = await startServer('redis8')
    const gateway = await startGatewayProcess(server.url)
    const stop = async (): Promise<void> => {
      await gateway.stop()
      await server.stop()
    }
    return { store: upstashStore(gateway), server, ordered: false, stop }
  },
}

for (const [name, start] of Object.entries(places)) {
  describe(`a cache whose Redis comes and goes, ${name}`, () => {
    for (const [what, outage] of Object.entries(outages)) {
      it(`answers nothing wrong and everything in time while it is ${what}`, async () => {
        const { store, server, ordered, stop } = await start()
        const meter = createStallMeter()
        const cache = createCache({ store, ttl: '1m', storeTimeout: STORE_MS })
        try {
          await store.ready()
          const traffic = startTraffic(cache, ordered, meter.lostMs)
          const waits: number[] = []
          for (let n = 0; n < OUTAGES; n++) {
            await traffic.answered()
            await pause(50)
            await outage(server, n)
            const back = performance.now() - meter.lostMs()
            await traffic.answered()
            waits.push(performance.now() - meter.lostMs() - back)
          }
          const seen = await traffic.stop()
          waits.sort((a, b) => a - b)
          console.log(
            `${name}, ${what} ${OUTAGES} times: ${seen.ops} calls, ${seen.perSecond.toFixed(0)} a second; ${seen.failed} had no`,
            `answer, ${seen.fallbacks} of them loads; ${seen.wrong.length} wrong; latest ${seen.latestMs.toFixed(0)} ms after its deadline;`,
            `store back after: median ${waits[OUTAGES / 2]?.toFixed(0)} ms, longest ${waits.at(-1)?.toFixed(0)} ms`,
          )
          expect(seen.wrong.slice(0, 3)).toEqual([])
          expect(seen.perSecond).toBeGreaterThanOrEqual(2000)
          expect(seen.failed).toBeGreaterThan(OUTAGES)
          // Checked before the fallbacks: a read-through that runs late has no time left for its loader.
          expect(seen.latestMs).toBeLessThanOrEqual(100)
          expect(seen.fallbacks).toBe(0)
          expect(waits.at(-1)).toBeLessThanOrEqual(BACK_MS)
        } finally {
          meter.stop()
          await cache.close()
          await stop()
        }
      }, 120_000)
    }
  })
}

interface Seen {
  readonly ops: number
  readonly perSecond: number
  readonly failed: number
  /** Read-throughs that failed, though their loader did not. */
  readonly fallbacks: number
  readonly wrong: readonly string[]
  /** How long after its deadline the latest call settled, in milliseconds; negative if every call settled before. */
  readonly latestMs: number
}

/**
 * Every value names its key and a version that only grows. A change of a key takes the next version, then sets that value,
 * deletes the key or invalidates its tag. Once the change is acknowledged, a call that begins later must not return an earlier
 * version. Where requests can overtake each other (not `ordered`), a set that may have run may still arrive after a later
 * change, so its value counts as right.
 */
function startTraffic(
  cache: Cache,
  ordered: boolean,
  lostMs: () => number,
): { answered(): Promise<void>; stop(): Promise<Seen> } {
  const newest = Array.from({ length: KEYS }, () => 1)
  const acknowledged = Array.from({ length: KEYS }, () => 0)
  const changing = new Set<number>()
  const givenUp = new Set<string>()
  const wrong: string[] = []
  const pending = new Set<Promise<void>>()
  const started = performance.now() - lostMs()
  let [ops, failed, fallbacks, latestMs] = [0, 0, 0, Number.NEGATIVE_INFINITY]
  let waiting: (() => void)[] = []

  const key = (i: number): string => `key:${i}`
  const tagsOf = (i: number): string[] => [`group:${i % GROUPS}`, 'all']
  /** Changes the keys, unless another change of one of them is pending: nobody knows which of the two would run last. */
  const change = async (
    which: readonly number[],
    write: (values: readonly string[]) => Promise<unknown>,
  ): Promise<boolean> => {
    if (which.some((i) => changing.has(i))) return false
    for (const i of which) changing.add(i)
    const versions = which.map((i) => {
      newest[i] = (newest[i] as number) + 1
      return newest[i]
    })
    try {
      await write(which.map((i, at) => `${key(i)}|${versions[at]}`))
      which.forEach((i, at) => {
        acknowledged[i] = versions[at] as number
      })
      return true
    } finally {
      for (const i of which) changing.delete(i)
    }
  }
  const read = async (i: number, ask: () => Promise<string | undefined>): Promise<boolean> => {
    const atLeast = acknowledged[i] as number
    const value = await ask()
    const [of, version] = value?.split('|') ?? [key(i), newest[i]]
    const fits = of === key(i) && Number(version) >= atLeast && Number(version) <= (newest[i] as number)
    if (!fits && !givenUp.has(value ?? ''))
      wrong.push(`${value} of ${key(i)}, where ${atLeast} to ${newest[i]} are right`)
    return true
  }
  const throughTo = async (i: number, options: GetOrSetOptions): Promise<void> => {
    const load = async (): Promise<string> => {
      const value = `${key(i)}|${newest[i]}`
      await pause(Math.floor(Math.random() * 4))
      return value
    }
    const lost = lostMs()
    try {
      await read(i, () => cache.getOrSet(key(i), load, options))
    } catch (error) {
      // If this process did not get to run for 100 ms or more, the deadline may have passed for that reason alone.
      if (lostMs() - lost < 100) fallbacks++
      throw error
    }
  }
  const set = async (i: number, value: string, options: SetOptions): Promise<void> => {
    try {
      await cache.set(key(i), value, options)
    } catch (error) {
      if (!ordered && (error as { maybeExecuted?: unknown }).maybeExecuted !== false) givenUp.add(value)
      throw error
    }
  }
  /** Makes a call that needs a reply of the store; resolves to whether it made one. */
  const direct = (i: number, dice: number, options: SetOptions & { tags: string[] }): Promise<boolean> => {
    const { tags, ...call } = options
    if (dice < 0.7) return read(i, () => cache.get<string>(key(i), options))
    if (dice < 0.85) return change([i], ([value]) => set(i, value as string, options))
    if (dice < 0.97) return change([i], () => cache.delete(key(i), call))
    const group = Array.from({ length: KEYS / GROUPS }, (_, n) => (i % GROUPS) + n * GROUPS)
    return change(group, () => cache.invalidateTags(tags.slice(0, 1), call))
  }
  const one = async (): Promise<void> => {
    const i = Math.floor(Math.random() * KEYS)
    const through = Math.random() < 0.45
    const ms = through ? DEADLINE_MS : STORE_MS
    const options = { deadline: Date.now() + ms, tags: tagsOf(i) }
    const from = performance.now() - lostMs()
    try {
      if (through) await throughTo(i, options)
      else if (await direct(i, Math.random(), options)) for (const resolve of waiting.splice(0)) resolve()
    } catch {
      failed++
    }
    latestMs = Math.max(latestMs, performance.now() - lostMs() - from - ms)
  }
  const timer = setInterval(() => {
    for (const due = (performance.now() - lostMs() - started) * OPS_PER_MS; ops < due; ops++) {
      const call = one().finally(() => pending.delete(call))
      pending.add(call)
    }
  }, 5)
  return {
    answered: () => new Promise((resolve) => waiting.push(resolve)),
    async stop() {
      clearInterval(timer)
      const perSecond = (ops / (performance.now() - lostMs() - started)) * 1000
      await Promise.all(pending)
      waiting = []
      return { ops, perSecond, failed, fallbacks, wrong, latestMs }
    },
  }
}
