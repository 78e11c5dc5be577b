import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createHttpCache, type HttpCache } from '../../src/http/index.ts'
import type { AtomicStore } from '../../src/index.ts'
import { rounds } from '../support/rounds.ts'
import { openStore } from './support/store.ts'
import { type SharedWay, sharedWays } from './support/ways.ts'

// Four caches with separate connections get requests for the same URLs at once. For each URL only one cache may ask the origin,
// even if its response is stored after another cache has read the store and before that cache asks for the lease.

/** A multiple of 64: each cache asks for every block of 64 URLs in a different order. */
const URLS = rounds({ quick: 64, soak: 2560 })
const CACHES = 4
const origin = 'https://one.test'
const purges = { tags: { tags: ['b'] }, prefix: { prefix: `${origin}/` } } as const

for (const name of ['TCP', 'Cluster', 'Cluster, own TCP', 'REST', 'Memcached', 'NATS'] as const) {
  describe(`one fetch, ${name}`, () => {
    let way: SharedWay
    let stores: AtomicStore[] = []
    let caches: HttpCache[] = []
    beforeAll(async () => {
      way = await sharedWays[name]()
      stores = await Promise.all(Array.from({ length: CACHES }, () => openStore(way.address)))
      const namespace = `one-fetch-${Math.random().toString(36).slice(2)}`
      caches = stores.map((store) => createHttpCache({ store, namespace, storeTimeout: '20s', collapseTimeout: '30s' }))
    }, 60_000)
    afterAll(async () => {
      await Promise.all(stores.map((store) => store.close()))
      await way.stop()
    }, 30_000)

    const fetches = new Map<string, number>()
    const next = async (request: Request): Promise<Response> => {
      const count = (fetches.get(request.url) ?? 0) + 1
      fetches.set(request.url, count)
      const headers = { 'cache-control': 's-maxage=600', 'cache-tag': 'a, b' }
      return new Response(`of ${request.url}`, { headers })
    }
    /** Asks for all URLs. Resolves to the number of wrong bodies. */
    const sweep = async (cache: HttpCache, order: number): Promise<number> => {
      let [asked, wrong] = [0, 0]
      const lane = async (): Promise<void> => {
        while (asked < URLS) {
          const url = `${origin}/${asked++ ^ order}`
          // Each call reads its body at once: other callers wait for the part that it does not read.
          const ask = async (): Promise<string> => (await cache(new Request(url), next)).text()
          for (const body of await Promise.all([ask(), ask()])) if (body !== `of ${url}`) wrong++
        }
      }
      await Promise.all(Array.from({ length: 50 }, lane))
      return wrong
    }

    it.each([undefined, 'tags', 'prefix'] as const)(
      `of each of ${URLS} URLs, by ${CACHES} caches, after a purge by %s`,
      async (by) => {
        if (by) await caches[0]?.purge(purges[by])
        fetches.clear()
        const wrong = await Promise.all(caches.map((cache, i) => sweep(cache, 16 * i)))
        expect(wrong).toEqual([0, 0, 0, 0])
        expect([...fetches].filter(([, count]) => count !== 1)).toEqual([])
        expect(fetches.size).toBe(URLS)
      },
      600_000,
    )
  })
}
