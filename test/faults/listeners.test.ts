import { getEventListeners } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { testCounter } from '../../src/testing/contract.ts'
import { rounds } from '../support/rounds.ts'
import { pause, startWay, type Way, wayNames } from './support/ways.ts'

const CALLS = rounds({ quick: 20_000, soak: 100_000 })
const BATCH = 2000

const rejections: unknown[] = []
const onRejection = (reason: unknown): void => void rejections.push(reason)
process.on('unhandledRejection', onRejection)
afterAll(() => void process.off('unhandledRejection', onRejection))

for (const name of wayNames) {
  describe(`${CALLS} calls with shared signals, ${name}`, () => {
    let way: Way
    beforeAll(async () => {
      way = await startWay(name)
    }, 60_000)
    afterAll(() => way.stop(), 30_000)

    it('leave no listener, whether they are answered, late or aborted', async () => {
      const store = await way.open()
      const { client } = store
      await store.ready()
      await pause(100)
      const clientBefore = client && listenersOf(client)
      let { signal, abort } = controller()
      const listening = (): number => getEventListeners(signal, 'abort').length
      let most = 0
      const calls = (deadline: number): Promise<PromiseSettledResult<unknown>[]> => {
        const made = Array.from({ length: BATCH }, (_, i) => {
          const key = `signal:${i % 10}`
          const call = { signal, deadline }
          if (i % 100 === 1) return store.set(key, 'x', 60_000, call)
          if (i % 100 === 2) return store.run(testCounter, `${key}:n`, [1, 60_000], call)
          if (i % 500 === 3) return store.transport.send({ args: ['GET', key], effect: 'read' }, call)
          if (i % 500 === 4) return store.delete([key], call)
          return store.get(key, call)
        })
        most = Math.max(most, listening())
        return Promise.allSettled(made)
      }
      const count = (results: readonly PromiseSettledResult<unknown>[], code?: string): number =>
        results.filter((result) => {
          if (code === undefined) return result.status === 'fulfilled'
          return result.status === 'rejected' && (result.reason as { code?: unknown }).code === code
        }).length

      let made = 0
      for (; made < CALLS * 0.5; made += BATCH) {
        expect(count(await calls(Date.now() + 10_000))).toBe(BATCH)
        expect(listening()).toBe(0)
      }
      way.stall()
      for (; made < CALLS * 0.55; made += BATCH) {
        expect(count(await calls(Date.now() + 30), 'TIMEOUT')).toBe(BATCH)
        expect(listening()).toBe(0)
      }
      const reason = new Error('the caller left')
      for (; made < CALLS; made += BATCH) {
        const pending = calls(Date.now() + 60_000)
        await pause(1)
        abort(reason)
        const results = await pending
        expect(results.every((result) => result.status === 'rejected' && result.reason === reason)).toBe(true)
        expect(listening()).toBe(0)
        if (made + BATCH < CALLS) ({ signal, abort } = controller())
      }
      await expect(store.get('signal:after', { signal })).rejects.toBe(reason)
      expect(listening()).toBe(0)
      expect(most).toBeGreaterThan(0)
      await way.pass()
      await pause(200)
      if (client) expect(listenersOf(client)).toEqual(clientBefore)
      expect(rejections).toEqual([])
    }, 60_000)
  })
}

function controller(): { signal: AbortSignal; abort(reason: Error): void } {
  const made = new AbortController()
  return { signal: made.signal, abort: (reason) => made.abort(reason) }
}

function listenersOf(client: object): [string, number][] {
  const emitter = client as { eventNames(): (string | symbol)[]; listenerCount(name: string | symbol): number }
  return emitter.eventNames().map((name) => [String(name), emitter.listenerCount(name)])
}
