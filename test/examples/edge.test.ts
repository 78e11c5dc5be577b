import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { ask, type Server, startServer } from '../../scripts/servers.ts'
import { expectOneRecomputes, expectSearches, expectSignIn } from './features.ts'
import { killAll, openWorkspace, type Running, start, type Workspace } from './workspace.ts'

// The example for Vercel: the function in an edge runtime, started as a developer would.

vi.setConfig({ testTimeout: 120_000, hookTimeout: 180_000 }) // programs start slowly on a busy machine

let work: Workspace
let redis: Server
let dev: Running
let url: string
beforeAll(async () => {
  work = await openWorkspace()
  redis = await startServer('redis8')
  dev = start(work.folder, ['npm', 'run', 'dev:edge'], { REDIS_URL: redis.url, PORT: '0' })
  url = (await dev.printed(/Ready on (http:\/\/127\.0\.0\.1:\d+)/))[1] ?? ''
})
afterAll(async () => {
  killAll()
  await redis?.stop()
  await work?.remove()
})

const near = (lat: number): string => `${url}/api/near?lat=${lat}&lon=135.75&limit=2`
const cacheStatus = async (question: string): Promise<string | null> => {
  const response = await fetch(question)
  await response.arrayBuffer()
  return response.headers.get('cache-status')
}

it('answers from an edge runtime over a real Redis: miss, hit, dropped, miss', async () => {
  const first = await fetch(near(35.02))
  expect(first.headers.get('cache-status')).toBe('hither; fwd=miss; stored')
  expect(await first.json()).toMatchObject({ places: [{ name: 'Kyoto', country: 'JP' }, {}] })
  expect(await cacheStatus(near(35.02))).toMatch(/^hither; hit; ttl=(59\d|600)$/)
  expect(await ask(redis.port, 'EXISTS places:near:35.02,135.75:2')).toBe(':1')
  expect(await (await fetch(near(35.02), { method: 'DELETE' })).json()).toMatchObject({ deleted: 1 })
  expect(await cacheStatus(near(35.02))).toBe('hither; fwd=miss; stored')
})
it('computes once for requests that come together', async () => {
  const statuses = await Promise.all(Array.from({ length: 20 }, () => cacheStatus(near(36))))
  expect(statuses.filter((status) => status === 'hither; fwd=miss; stored')).toHaveLength(1)
  expect(statuses.filter((status) => status === null)).toEqual([])
})
it('recomputes the index once for two who press together', () => expectOneRecomputes(url))
it('signs in, keeps searches in the session, and signs out', () => expectSignIn(url))
it('shows a search in the feed and in the list of the most searched', () => expectSearches(url, true))
it('serves the page, and says what to do about bad input', async () => {
  expect(await (await fetch(url)).text()).toContain('<title>Nearest places, kept near</title>')
  const bad = await fetch(`${url}/api/near?lat=north`)
  expect([bad.status, bad.headers.get('content-type')]).toEqual([400, 'application/problem+json'])
  await bad.arrayBuffer()
})
it('ends on SIGTERM', async () => {
  expect(await dev.stop('SIGTERM')).not.toBe(1)
  await expect(fetch(url)).rejects.toThrow()
})
