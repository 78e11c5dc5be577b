import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { testCounter } from '../../src/testing/contract.ts'
import { type FaultyStore, pause, sentOnce, startWay, type Way, wayNames } from './support/ways.ts'

// Every call settles by its deadline or its signal, whatever the server or the network does.

const CALLS = 150
/** Longest time a call may settle after its deadline or abort, in milliseconds, counted from when a bare timer fires. */
const BOUND_MS = 100

interface Settled {
  readonly lateMs: number
  readonly kind: 'read' | 'write'
  readonly outcome: PromiseSettledResult<unknown>
}

/** Resolves to how long after a bare timer of `ms` the call settled, in milliseconds, and to its outcome. */
async function lateness(ms: number, call: () => Promise<unknown>): Promise<[number, PromiseSettledResult<unknown>]> {
  let at = Number.POSITIVE_INFINITY
  const settled = Promise.allSettled([call()]).then(([result]) => {
    at = performance.now()
    return result
  })
  await pause(ms)
  const bareAt = performance.now()
  const result = await settled
  return [at - bareAt, result]
}

/** Makes `CALLS` calls of every kind. They end after 50 to 350 ms: two thirds by a deadline, one third by an abort. */
function callMany(store: FaultyStore, reason: Error): Promise<Settled[]> {
  const kinds: [
    Settled['kind'],
    (key: string, call: { deadline: number; signal?: AbortSignal }) => Promise<unknown>,
  ][] = [
    ['read', (key, call) => store.get(key, call)],
    ['write', (key, call) => store.set(key, 'x', 60_000, call)],
    ['write', (key, call) => store.run(testCounter, `${key}:n`, [1, 60_000], call)],
    ['write', (key, call) => store.delete([key], call)],
    ['read', (key, call) => store.getMany([key, 'other'], call)],
    ['write', (key, call) => store.transport.send({ args: ['INCR', `${key}:i`], effect: 'once' }, call)],
    ['read', (key, call) => store.transport.send({ args: ['GET', key], effect: 'read' }, call)],
  ]
  return Promise.all(
    Array.from({ length: CALLS }, async (_, i): Promise<Settled> => {
      const [kind, call] = kinds[i % kinds.length] as (typeof kinds)[number]
      const ms = 50 + 2 * i
      const abort = i % 3 === 0 ? new AbortController() : undefined
      if (abort) setTimeout(() => abort.abort(reason), ms)
      const options = abort ? { deadline: Date.now() + 5000, signal: abort.signal } : { deadline: Date.now() + ms }
      const [lateMs, outcome] = await lateness(ms, () => call(`hang:${i}`, options))
      return { lateMs, kind, outcome }
    }),
  )
}

for (const name of wayNames) {
  describe(`no call hangs, ${name}`, () => {
    let way: Way
    beforeAll(async () => {
      way = await startWay(name)
    }, 60_000)
    afterEach(() => way.pass())
    afterAll(() => way.stop(), 30_000)

    const expectAllSettled = async (store: FaultyStore, sent: boolean): Promise<void> => {
      const reason = new Error('the caller left')
      const settled = await callMany(store, reason)
      for (const [i, { lateMs, kind, outcome }] of settled.entries()) {
        expect(outcome.status).toBe('rejected')
        const error: unknown = outcome.status === 'rejected' ? outcome.reason : undefined
        if (i % 3 === 0) expect(error).toBe(reason)
        else expect(error).toMatchObject({ code: 'TIMEOUT', retryable: expect.any(Boolean) })
        // A transport knows whether it sent the command. A store reports that a sent write may have run, but never a read.
        const raw = i % 7 > 4
        if (i % 3 !== 0 && (raw || (kind === 'write' && sent)))
          expect([i, error]).toMatchObject([i, { maybeExecuted: sent }])
        if (i % 3 !== 0 && kind === 'read' && !raw) expect(error).toMatchObject({ maybeExecuted: false })
        expect(lateMs).toBeLessThanOrEqual(BOUND_MS)
      }
    }
    /** Connects to every node. */
    const warm = (store: FaultyStore): Promise<unknown> =>
      Promise.all(Array.from({ length: 30 }, (_, i) => store.get(`hang:warm:${i}`)))
    const expectWorks = async (store: FaultyStore): Promise<void> => {
      for (let i = 0; i < 5; i++) {
        expect(await sentOnce(() => store.set('hang:works', `${i}`, 60_000))).toEqual({ value: undefined })
        expect(await sentOnce(() => store.get('hang:works'))).toEqual({ value: `${i}` })
      }
    }

    it('while nothing moves on an open connection', async () => {
      const store = await way.open()
      await warm(store)
      way.stall()
      await expectAllSettled(store, true)
      await way.pass()
      await expectWorks(store)
    }, 20_000)

    it('while a first connection is never answered', async () => {
      way.stall()
      const store = await way.open()
      // `fetch` does not report whether its request was sent.
      await expectAllSettled(store, name === 'REST')
      await way.pass()
      await expectWorks(store)
    }, 20_000)

    it('while the server is stopped', async () => {
      const store = await way.open()
      await warm(store)
      await Promise.all(way.servers.map((server) => server.kill('SIGSTOP')))
      try {
        await expectAllSettled(store, true)
      } finally {
        await Promise.all(way.servers.map((server) => server.kill('SIGCONT')))
      }
      await expectWorks(store)
    }, 20_000)

    it("with the store's own timeout where a call names no deadline", async () => {
      const store = await way.open({ timeoutMs: 200 })
      await warm(store)
      way.stall()
      const [lateMs, results] = await lateness(200, () =>
        Promise.allSettled([
          store.get('hang:a'),
          store.getMany(['hang:a', 'hang:b']),
          store.set('hang:a', 'x', 1000),
          store.delete(['hang:a']),
          store.run(testCounter, 'hang:n', [1, 1000]),
          store.ready(),
        ]),
      )
      expect(lateMs).toBeLessThanOrEqual(BOUND_MS)
      expect(results).toMatchObject({
        value: Array.from({ length: 6 }, () => ({ status: 'rejected', reason: { code: 'TIMEOUT' } })),
      })
    }, 20_000)

    it('while connections are refused: nothing ran, and the same call may be made again', async () => {
      await way.refuse()
      // Gives the clients time to notice that their idle connections were closed.
      await pause(50)
      const store = await way.open()
      const started = performance.now()
      const calls: (() => Promise<unknown>)[] = [
        () => store.set('hang:refused', 'x', 60_000),
        () => store.run(testCounter, 'hang:refused:n', [1, 60_000]),
        () => store.delete(['hang:refused']),
        () => store.transport.send({ args: ['INCR', 'hang:refused:i'], effect: 'once' }),
      ]
      for (const call of calls) {
        await expect(call()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', retryable: true, maybeExecuted: false })
      }
      expect(performance.now() - started).toBeLessThanOrEqual(1000)
      await way.pass()
      for (const call of calls) expect(await sentOnce(call)).toHaveProperty('value')
      expect(await way.direct.getMany(['hang:refused:n', 'hang:refused:i'])).toEqual(['1', '1'])
    }, 20_000)

    it('while connections are cut again and again', async () => {
      const store = await way.open({ timeoutMs: 500 })
      let over = false
      const cutting = (async () => {
        for (; !over; await pause(5)) way.cut()
      })()
      const late = await Promise.all(
        Array.from({ length: CALLS }, async (_, i) => {
          await pause(3 * i)
          return (await lateness(500, () => store.get(`hang:${i}`)))[0]
        }),
      )
      over = true
      await cutting
      expect(Math.max(...late)).toBeLessThanOrEqual(BOUND_MS)
    }, 20_000)
  })
}
