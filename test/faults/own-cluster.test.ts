import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { tcpStore } from '../../adapters/tcp/index.ts'
import { ask, freePort, type Server, startServer } from '../../scripts/servers.ts'
import { slotOf } from '../../src/store/hash-slot.ts'
import type { CommandStore } from '../../src/store/store.ts'
import { testCounter } from '../../src/testing/contract.ts'
import { createStallMeter, pause } from './support/ways.ts'

// Three primaries with a replica each. Under load one primary is killed, and later another is stopped.

const KEYS = Array.from({ length: 300 }, (_, i) => `own:${i}`)
/** Calls per second, roughly. */
const RATE = 2000
const NODE_TIMEOUT_MS = 1000
/** Longest time from when the other nodes know the new primary until calls on its keys succeed again, in milliseconds. */
const BACK_MS = 1000

const cluster: Server[] = []
let store: CommandStore

beforeAll(async () => {
  const buses: number[] = []
  for (let i = 0; i < 6; i++) {
    const bus = await freePort()
    buses.push(bus)
    const args = ['--cluster-enabled', 'yes', '--cluster-port', `${bus}`, '--cluster-announce-ip', '127.0.0.1']
    const timeout = ['--cluster-node-timeout', `${NODE_TIMEOUT_MS}`, '--repl-diskless-sync-delay', '0']
    const rest = ['--cluster-config-file', 'nodes.conf', ...timeout]
    cluster.push(await startServer('redis8', { args: [...args, ...rest] }))
  }
  const told = async (i: number, command: string): Promise<void> => {
    const reply = await ask((cluster[i] as Server).port, command)
    if (!reply.startsWith('+OK')) throw new Error(`${command}: ${reply}`)
  }
  const slots = ['0 5460', '5461 10922', '10923 16383']
  for (let i = 0; i < 6; i++) await told(i, `CLUSTER SET-CONFIG-EPOCH ${i + 1}`)
  for (let i = 0; i < 3; i++) await told(i, `CLUSTER ADDSLOTSRANGE ${slots[i]}`)
  for (let i = 1; i < 6; i++) await told(0, `CLUSTER MEET 127.0.0.1 ${cluster[i]?.port} ${buses[i]}`)
  const says = (i: number, command: string): Promise<string> => ask((cluster[i] as Server).port, command).catch(String)
  const until = (i: number, command: string, said: RegExp): Promise<void> =>
    vi.waitFor(async () => expect(await says(i, command)).toMatch(said), { timeout: 30_000, interval: 50 })
  for (let i = 3; i < 6; i++) {
    await until(i, `CLUSTER REPLICATE ${await says(i - 3, 'CLUSTER MYID')}`, /^\+OK/)
    await until(i, 'INFO replication', /link_status:up/)
  }
  for (let i = 0; i < 6; i++) await until(i, 'CLUSTER INFO', /cluster_state:ok/)
  store = tcpStore({ url: cluster.slice(0, 3).map(({ url }) => url), timeoutMs: 1000 })
  await Promise.all(KEYS.map((key) => store.set(key, key)))
}, 120_000)
afterAll(async () => {
  await store?.close()
  await Promise.all(cluster.map((server) => server.stop()))
}, 60_000)

/** Returns which of the three primaries serves the key at the start. */
const ownerOf = (key: string): number => (slotOf(key) <= 5460 ? 0 : slotOf(key) <= 10922 ? 1 : 2)

describe('a primary that is gone, under load', () => {
  for (const [lost, signal] of [
    [0, 'SIGKILL'],
    [1, 'SIGSTOP'],
  ] as const) {
    it(`is replaced by its replica: ${signal}`, async () => {
      const theirs = KEYS.filter((key) => ownerOf(key) === lost)
      const seen = { wrong: 0, answered: 0, failed: 0, unsettled: 0 }
      let over = false
      const counts = new Map<string, number>()
      const call = async (i: number): Promise<void> => {
        const key = KEYS[i % KEYS.length] as string
        seen.unsettled++
        try {
          if (i % 3 > 0) {
            if ((await store.get(key)) !== key) seen.wrong++
          } else {
            const count = await store.run(testCounter, `${key}:${signal}`, [1, 0])
            // A failover may lose the last counts. A node that stays up must never return the same count twice.
            if (ownerOf(key) !== lost && count <= (counts.get(key) ?? 0)) seen.wrong++
            counts.set(key, Math.max(count, counts.get(key) ?? 0))
          }
          seen.answered++
        } catch {
          seen.failed++
        } finally {
          seen.unsettled--
        }
      }
      const load = (async () => {
        for (let i = 0; !over; ) {
          for (let n = 0; n < RATE / 100; n++) void call(i++)
          await pause(10)
        }
      })()
      await pause(300)
      const meter = createStallMeter()
      // A read that was sent to the old primary would wait for its reply until the deadline, so the deadline is short.
      const readAll = (): Promise<unknown[]> => {
        const deadline = Date.now() + 100
        return Promise.all(theirs.map((key) => store.get(key, { deadline }))).catch(() => [])
      }
      const primary = cluster[lost] as Server
      await primary.kill(signal)
      // The moment at which the other nodes know the new primary.
      const replica = `${cluster[lost + 3]?.port}`
      await expect
        .poll(() => ask((cluster[2] as Server).port, 'CLUSTER NODES').catch(String), { timeout: 30_000, interval: 5 })
        .toMatch(new RegExp(`127\\.0\\.0\\.1:${replica}@\\d+ master`))
      const known = performance.now()
      const lostBefore = meter.lostMs()
      await expect.poll(readAll, { timeout: 30_000, interval: 5 }).toEqual(theirs)
      const backMs = performance.now() - known - (meter.lostMs() - lostBefore)
      meter.stop()
      await pause(300)
      over = true
      await load
      await expect.poll(() => seen.unsettled, { timeout: 5000 }).toBe(0)
      if (signal === 'SIGSTOP') await primary.kill('SIGCONT')
      console.log(`${signal}: ${seen.answered} answered, ${seen.failed} failed, back after ${Math.round(backMs)} ms`)
      expect(seen.wrong).toBe(0)
      expect(seen.answered).toBeGreaterThan(1000)
      expect(backMs).toBeLessThan(BACK_MS)
    }, 90_000)
  }
})
