import { describe, expect, it } from 'vitest'
import { ask } from '../../scripts/servers.ts'
import { createLocks } from '../../src/lock/index.ts'
import { rounds } from '../support/rounds.ts'
import { createTcpProxy } from '../support/tcp-proxy.ts'
import { closing, held, open, serve } from './support/locks.ts'
import { createStallMeter, inLanes, pause } from './support/ways.ts'

// When a lock is known to be lost. The tests that read no clock are in lock.test.ts.

describe('a slow way', () => {
  const TTL = 300
  const total = rounds({ quick: 60, soak: 1000 })
  it(`gives no lock that has run out, in ${total} rounds of 0 to 2 leases`, async () => {
    const { url } = await serve()
    const lanes = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const proxy = await createTcpProxy(url)
        closing.push(() => proxy.stop())
        return { proxy, locks: createLocks({ store: open(proxy.url, 20_000), namespace: 'slow', ttl: TTL }) }
      }),
    )
    let late = 0
    await inLanes(lanes.length, total, async (round, lane) => {
      const { proxy, locks } = lanes[lane] as (typeof lanes)[number]
      // Delays bytes in both directions, so that a round trip takes twice as long.
      proxy.latency(TTL * Math.random())
      const start = performance.now()
      const lock = await locks.acquire(`k:${round}`, { renew: false })
      const took = performance.now() - start
      if (lock) expect([took < TTL + 5, lock.signal.aborted && took < TTL]).toEqual([true, false])
      else late++
      if (took >= TTL + 5) expect(lock).toBeUndefined()
    })
    expect(late).toBeGreaterThan(total / 20)
    expect(late).toBeLessThan(total)
    await Promise.all(lanes.map(({ proxy }) => proxy.pass()))
    const direct = createLocks({ store: open(url), namespace: 'slow' })
    for (let round = 0; round < total; round++) await held(direct.acquire(`k:${round}`, { wait: '10s', renew: false }))
  }, 300_000)
})

describe('a server that is gone', () => {
  it('hides no error of the work, and costs one command timeout at most', async () => {
    const server = await serve()
    const TIMEOUT = 500
    const locks = createLocks({ store: open(server.url, TIMEOUT), namespace: 'gone' })
    const error = new Error('mine')
    for (const signal of ['SIGSTOP', 'SIGKILL'] as const) {
      const meter = createStallMeter()
      let since = 0
      const work = async (): Promise<never> => {
        await server.kill(signal)
        since = performance.now()
        throw error
      }
      await expect(locks.run('k', work)).rejects.toBe(error)
      expect(performance.now() - since - meter.lostMs()).toBeLessThan(TIMEOUT + 150)
      meter.stop()
      await server.restart()
      await expect
        .poll(() => locks.acquire(`probe:${signal}`).catch(() => undefined), { timeout: 10_000 })
        .toBeDefined()
    }
  }, 60_000)
  it('is a loss within 50 ms of the deadline', async () => {
    const server = await serve()
    const TTL = 900
    const locks = createLocks({ store: open(server.url), namespace: 'gone', ttl: TTL })
    for (const renew of [true, false]) {
      const meter = createStallMeter()
      const since = performance.now()
      const lock = await held(locks.acquire(`k:${renew}`, { renew }))
      const lost = new Promise((resolve) => lock.signal.addEventListener('abort', resolve))
      await server.kill('SIGSTOP')
      await lost
      const took = performance.now() - since
      expect(took - meter.lostMs()).toBeLessThan(TTL + 50)
      if (!renew) expect(took).toBeGreaterThanOrEqual(TTL - 5)
      meter.stop()
      await server.kill('SIGCONT')
      await lock.release()
    }
  }, 60_000)
  it('rejects who acquires, and who waits', async () => {
    const server = await serve()
    const locks = createLocks({ store: open(server.url, 300), namespace: 'gone' })
    const other = await held(locks.acquire('k'))
    const waiting = locks.acquire('k', { wait: '1m' })
    waiting.catch(() => {})
    await pause(100)
    await server.kill('SIGKILL')
    await expect(waiting).rejects.toMatchObject({ code: expect.stringMatching(/STORE_UNAVAILABLE|TIMEOUT/) })
    await expect(locks.acquire('k')).rejects.toMatchObject({ code: expect.stringMatching(/STORE_UNAVAILABLE|TIMEOUT/) })
    await expect(other.release()).rejects.toMatchObject({ code: expect.stringMatching(/STORE_UNAVAILABLE|TIMEOUT/) })
  }, 60_000)
  it('that has lost everything is a loss at the next renewal', async () => {
    const server = await serve()
    const TTL = 600
    const lock = await held(createLocks({ store: open(server.url), ttl: TTL }).acquire('k'))
    const lost = new Promise((resolve) => lock.signal.addEventListener('abort', resolve))
    const meter = createStallMeter()
    const since = performance.now()
    await ask(server.port, 'FLUSHALL')
    await lost
    expect(performance.now() - since - meter.lostMs()).toBeLessThan(TTL / 3 + 50)
    meter.stop()
    expect(await lock.release()).toBe(false)
  }, 60_000)
})
