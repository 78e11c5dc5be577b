import { startTestGateway, type TestGateway } from 'hither/testing/node'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { rounds } from '../../support/rounds.ts'
import { startWorker, type Worker } from './start.ts'
import type { Job, Step, Told } from './worker.ts'

// Requests of one isolate of workerd, over a gateway before a real Redis: what they share, and what each leaves behind.

vi.setConfig({ testTimeout: 300_000, hookTimeout: 120_000 })

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

let gateway: TestGateway
let worker: Worker
/** A Worker in which nothing keeps the work of a request alive after its response. */
let bare: Worker
beforeAll(async () => {
  gateway = await startTestGateway({ redis: process.env.REDIS7_URL as string })
  worker = await startWorker(gateway, 'workerd')
  bare = await startWorker(gateway, 'default')
})
afterAll(async () => {
  await worker?.stop()
  await bare?.stop()
  await gateway?.stop()
})

const ask = async (...steps: Step[]): Promise<readonly unknown[]> => (await worker.ask({ steps })).answers
const run = Math.random().toString(36).slice(2)

it("a view takes the runtime's context, and refuses its waitUntil without it", async () => {
  for (const each of [worker, bare]) {
    expect(await each.contexts()).toEqual({
      context: 'loaded',
      arrow: 'loaded',
      bound: 'loaded',
      unbound: expect.stringContaining('(work) => ctx.waitUntil(work)'),
    })
  }
})

describe.concurrent('a leader that is gone', () => {
  const ways = (['early', 'throw'] as const).flatMap((leave) =>
    ([undefined, 'memory'] as const).map((store) => ({ leave, store: store ? { store } : {} })),
  )
  for (const { leave, store } of ways) {
    const how = `${leave === 'early' ? 'answered' : 'threw'} before its load ended, over ${store.store ?? 'REST'}`
    const begin = async (name: string, job: Partial<Job>) => {
      const key = `${run}:${name}:${leave}:${store.store}`
      const step: Step = { verb: 'getOrSet', key, ms: 2000, options: { hardTimeout: '3s' } }
      const led = await worker.ask({ steps: [{ ...step, value: 'leader' }], leave, ...store, ...job }).catch(String)
      const follow = async (): Promise<unknown> =>
        (await worker.ask({ steps: [{ ...step, value: 'follower', ms: 10 }], ...store })).answers[0]
      const answers = new Set(await Promise.all(Array.from({ length: 10 }, follow)))
      return { answers, loads: (await worker.counts()).loads[key], led }
    }
    it(`${how}: its load goes on, for all who follow it`, async () => {
      const { answers, loads, led } = await begin('kept', {})
      expect([[...answers], loads]).toEqual([['leader'], 1])
      if (leave === 'throw') expect(led).toContain('500')
    })
    it(`${how}, with nothing to keep its load: one follower loads once the lease has run out`, async () => {
      const { answers, loads } = await begin('lost', { kept: 'nothing' })
      expect([[...answers], loads]).toEqual([['follower'], 2])
    })
  }
  it('ran into hardTimeout after its answer: the lease is free at once', async () => {
    const key = `${run}:hard`
    const step: Step = { verb: 'getOrSet', key, options: { hardTimeout: '1s' } }
    await worker.ask({ steps: [{ ...step, value: 'leader', ms: 60_000 }], leave: 'early' })
    await pause(1500)
    expect(await ask({ ...step, value: 'next' })).toEqual(['next'])
    expect((await worker.counts()).loads[key]).toBe(2)
  })
  it('answered while it refreshed a stale value, with nothing to keep it: its lease, which stays there, counts for nothing', async () => {
    const step: Step = { verb: 'getOrSet', key: `${run}:stale`, options: { hardTimeout: '2s' } }
    expect(await ask({ ...step, value: 'old' }, { ...step, verb: 'expire' })).toEqual(['old', true])
    await worker.ask({ steps: [{ ...step, ms: 60_000 }], leave: 'early', kept: 'nothing' })
    expect(await ask({ ...step, value: 'new' })).toEqual(['new'])
  })
  it('left a turn on its key: it ends all the same', async () => {
    const step: Step = { verb: 'increment', key: `${run}:turn` }
    expect(await ask(step)).toEqual([1])
    await worker.ask({ steps: [step], leave: 'early', leaveMs: 50, slowMs: 200 })
    await vi.waitFor(async () => expect(await ask({ ...step, verb: 'get' })).toEqual([2]), { timeout: 10_000 })
  })
  it('left thousands of loads behind: they count as gone when they would have ended', async () => {
    for (const part of [1, 2, 3]) {
      const steps: Step[] = [{ verb: 'flood', key: `${run}:${part}` }]
      await worker.ask({ steps, store: 'memory', leave: 'early', leaveMs: 100, kept: 'nothing' })
    }
    await pause(2500)
    const job: Job = { steps: [{ verb: 'getOrSet', key: `${run}:after` }], store: 'memory' }
    expect((await worker.ask(job)).answers).toEqual(['value'])
    expect((await worker.ask({ ...job, steps: [{ verb: 'get', key: `${run}:after` }] })).answers).toEqual(['value'])
  })
  it('went on in the background for 25 seconds: then its loader is aborted and its lease given back', async () => {
    const key = `${run}:long`
    const step: Step = { verb: 'getOrSet', key }
    expect(await ask({ ...step, value: 'old' }, { verb: 'expire', key })).toEqual(['old', true])
    const long: Step = { ...step, ms: 40_000, options: { softTimeout: 50, hardTimeout: '1m' }, value: 'never' }
    expect(await ask(long)).toEqual(['old'])
    await pause(26_000)
    expect(await ask({ ...step, value: 'new' })).toEqual(['new'])
  })
})

describe.concurrent('with nothing that keeps work after an answer', () => {
  const steps = async (...all: Step[]): Promise<readonly unknown[]> => (await bare.ask({ steps: all })).answers
  /** Reads the key as another process would at that moment. */
  const elsewhere = (key: string): Promise<readonly unknown[]> => ask({ verb: 'get', key })

  it('a load is stored before its caller is answered', async () => {
    const key = `${run}:bare`
    expect(await steps({ verb: 'getOrSet', key })).toEqual(['value'])
    expect(await elsewhere(key)).toEqual(['value'])
  })
  it('a refresh ends before the answer: past its softTimeout, and ahead of time', async () => {
    const key = `${run}:inline`
    const load: Step = { verb: 'getOrSet', key, value: 'new', ms: 200, options: { softTimeout: 20 } }
    expect(await steps({ ...load, value: 'old' }, { verb: 'expire', key }, load)).toEqual(['old', true, 'new'])
    expect(await elsewhere(key)).toEqual(['new'])
    expect(await steps({ ...load, value: 'newer', ahead: true })).toEqual(['new'])
    expect(await elsewhere(key)).toEqual(['newer'])
  })
  it('a turn that was left behind holds up later calls no longer than a second', async () => {
    const step: Step = { verb: 'increment', key: `${run}:left` }
    expect(await steps(step)).toEqual([1])
    await bare.ask({ steps: [step], leave: 'early', leaveMs: 100, slowMs: 500 })
    expect(await steps({ ...step, verb: 'get' }, step)).toEqual([1, 2])
  })
  it('a leader that has answered is followed by one load once its lease has run out', async () => {
    const step: Step = { verb: 'getOrSet', key: `${run}:bare-lost`, ms: 2000, options: { hardTimeout: '3s' } }
    await bare.ask({ steps: [step], leave: 'early' })
    const follow = (): Promise<readonly unknown[]> => steps({ ...step, value: 'follower', ms: 10 })
    expect(new Set((await Promise.all([follow(), follow()])).flat())).toEqual(new Set(['follower']))
    expect((await bare.counts()).loads[step.key]).toBe(2)
  })
})

describe('subrequests', () => {
  const tags = [`${run}:a`, `${run}:b`, `${run}:c`]
  const cold = (key: string, options: Step['options'] = {}): Step => ({
    verb: 'getOrSet',
    key: `${run}:${key}`,
    options,
  })
  const counted = async (step: Step): Promise<Told> => worker.ask({ steps: [step] })

  it('are one for a hit, tagged or not, at most two before a loader, and one for a purge', async () => {
    // The first requests also find out how the endpoint runs scripts.
    await ask(cold('warm', { tags }), cold('warm', { tags }))
    expect((await counted(cold('plain'))).before).toBeLessThanOrEqual(2)
    expect((await counted(cold('tagged', { tags }))).before).toBeLessThanOrEqual(2)
    await ask({ verb: 'get', key: `${run}:tagged` })
    expect((await counted(cold('plain'))).fetches).toBe(1)
    expect((await counted(cold('tagged', { tags }))).fetches).toBe(1)
    expect((await counted({ verb: 'get', key: `${run}:plain` })).fetches).toBe(1)
    expect((await counted({ verb: 'invalidateTags', key: tags[0] as string })).fetches).toBe(1)
    expect((await counted(cold('tagged', { tags }))).before).toBeLessThanOrEqual(2)
  })
})

const REQUESTS = rounds({ quick: 2000, soak: 10_000 })

describe(`${REQUESTS} requests, 50 at a time, with every feature on`, () => {
  it('are all answered, none by a request that is gone, with at most 6 fetches at once', async () => {
    const chance = (n: number): number => Math.floor(Math.random() * n)
    const step = (): Step => {
      const key = `${run}:mix:${chance(40)}`
      const tag = `${run}:tag:${chance(5)}`
      const load: Step = { verb: 'getOrSet', key, ms: chance(4) ? 0 : 5, options: { tags: [tag], hardTimeout: '5s' } }
      const steps: Step[] = [
        load,
        load,
        { ...load, ahead: true },
        { ...load, options: { tags: [tag], ttl: 30, softTimeout: 2, hardTimeout: '5s' } },
        { verb: 'getOrSetMany', key: `${key}:many` },
        { verb: 'get', key },
        { verb: 'has', key },
        { verb: 'set', key, options: { tags: [tag] } },
        { verb: 'add', key },
        { verb: 'take', key },
        { verb: 'touch', key },
        { verb: 'expire', key },
        { verb: 'delete', key },
        { verb: 'increment', key: `${key}:count` },
        { verb: 'invalidateTags', key: tag },
        { verb: 'clear', key },
      ]
      return steps[chance(steps.length)] as Step
    }
    const wrong: unknown[] = []
    let most = 0
    let fetches = 0
    let left = REQUESTS
    const client = async (): Promise<void> => {
      while (left-- > 0) {
        const steps = Array.from({ length: 1 + chance(2) }, step)
        const gone: Partial<Job> = chance(20) ? {} : { leave: 'early', leaveMs: chance(3) }
        const told = await worker.ask({ steps, ...gone }).catch((error: unknown) => String(error))
        if (typeof told === 'string') wrong.push(told)
        else {
          most = Math.max(most, told.most)
          fetches = Math.max(fetches, told.fetches)
          wrong.push(...told.answers.filter((answer) => /Error/.test(String(answer))))
        }
      }
    }
    await Promise.all(Array.from({ length: 50 }, client))
    expect(wrong).toEqual([])
    expect(most).toBeLessThanOrEqual(6)
    expect(fetches).toBeLessThanOrEqual(50)
  })
  it('leave nothing under way', async () => {
    await pause(1000)
    const { events } = await worker.counts()
    expect(events['store-error']).toBeUndefined()
    expect(await ask({ verb: 'getOrSet', key: `${run}:mix:0` })).toEqual(['value'])
  })
})
