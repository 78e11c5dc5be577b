import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startWorkerd } from './start.ts'

const nodes = (): string =>
  (process.env.CLUSTER_NODES as string)
    .split(',')
    .map((node) => `redis://${node}`)
    .join()

describe.each([
  ['Redis', () => process.env.REDIS8_URL as string],
  ['a Cluster', nodes],
] as const)('hither/tcp in a Worker without nodejs_compat, %s', (_name, url) => {
  let worker: Awaited<ReturnType<typeof startWorkerd>>
  beforeAll(async () => {
    worker = await startWorkerd({
      entry: 'test/runtimes/requests/tcp-worker.ts',
      by: 'workerd',
      bindings: { REDIS: url() },
    })
  })
  afterAll(() => worker.stop())
  const ask = async (query: string): Promise<unknown> => (await fetch(`${worker.url}?${query}`)).json()

  it('caches, and counts, request after request', async () => {
    for (let round = 1; round <= 3; round++) {
      expect(await ask('key=a&size=10')).toEqual({ loads: round === 1 ? 1 : 0, whole: true, last: 100 * round })
    }
  })
  it('takes values larger than one packet', async () => {
    expect(await ask('key=large&size=1000000')).toEqual({ loads: 1, whole: true, last: 100 })
    expect(await ask('key=large&size=1000000')).toEqual({ loads: 0, whole: true, last: 200 })
  })
  it('serves requests side by side', async () => {
    const all = await Promise.all(Array.from({ length: 20 }, (_, i) => ask(`key=side:${i}&size=100`)))
    expect(all).toEqual(all.map(() => ({ loads: 1, whole: true, last: 100 })))
  })
})

describe('hither/tcp in a Worker, where nothing can be reached', () => {
  it('still answers from the loader', async () => {
    const worker = await startWorkerd({
      entry: 'test/runtimes/requests/tcp-worker.ts',
      by: 'workerd',
      bindings: { REDIS: 'redis://127.0.0.1:1' },
    })
    try {
      const reply = await (await fetch(`${worker.url}?key=a`)).json()
      // A read-through would be served by its loader. A count cannot be made up, so it rejects.
      expect(reply).toMatchObject({ code: 'STORE_UNAVAILABLE' })
    } finally {
      await worker.stop()
    }
  })
})
