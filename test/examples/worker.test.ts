import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { ask, type Server, startServer } from '../../scripts/servers.ts'
import { expectNames, expectOneRecomputes, expectSearches, expectSignIn } from './features.ts'
import { killAll, openWorkspace, type Running, start, type Workspace } from './workspace.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 180_000 }) // programs start slowly on a busy machine

const FREE_PLAN_BYTES = 3 * 1024 * 1024

let work: Workspace
beforeAll(async () => {
  work = await openWorkspace()
})
afterAll(async () => {
  killAll()
  await work?.remove()
})

describe('wrangler deploy --dry-run', () => {
  it('builds the Worker from a fresh checkout, without nodejs_compat, small enough for the free plan', async () => {
    const wrangler = join(work.folder, 'node_modules/wrangler/bin/wrangler.js')
    const args = [wrangler, 'deploy', '--dry-run', '--outdir', 'out']
    const env = { ...process.env, CI: '1', WRANGLER_SEND_METRICS: 'false', WRANGLER_HIDE_BANNER: 'true' }
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: work.folder, env })
    console.log(/Total Upload.*/.exec(stdout)?.[0])
    expect(stdout).toContain('--dry-run: exiting now')
    const out = join(work.folder, 'out')
    const files = (await readdir(out)).filter((name) => !/\.map$|^README/.test(name))
    expect(files.map((name) => name.replace(/^[0-9a-f]+-/, '')).sort()).toEqual(['index.js', 'page.html', 'places.bin'])
    const sizes = await Promise.all(files.map(async (name) => gzipSync(await readFile(join(out, name))).length))
    expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(FREE_PLAN_BYTES)
    const [script = ''] = files.filter((name) => name.endsWith('.js'))
    expect(await readFile(join(out, script), 'utf8')).not.toMatch(/from ?"node:|require\("node:/)
    expect(await readFile(join(work.folder, 'wrangler.toml'), 'utf8')).not.toContain('nodejs_compat')
  })
})

describe('npm run dev:worker', () => {
  let redis: Server
  let dev: Running
  let url: string
  const near = (lat: number): string => `${url}/api/near?lat=${lat}&lon=135.75&limit=2`
  const cacheStatus = async (question: string): Promise<string | null> => {
    const response = await fetch(question)
    await response.arrayBuffer()
    return response.headers.get('cache-status')
  }

  beforeAll(async () => {
    redis = await startServer('redis8')
    const env = { REDIS_URL: redis.url, PORT: '0' }
    dev = start(work.folder, ['npm', 'run', 'dev:worker'], env)
    url = (await dev.printed(/Ready on (http:\/\/127\.0\.0\.1:\d+)/))[1] ?? ''
  })
  afterAll(() => redis?.stop())

  it('answers from workerd, through the gateway, over a real Redis: miss, hit, dropped, miss', async () => {
    const first = await fetch(near(35.02))
    expect(first.headers.get('cache-status')).toBe('hither; fwd=miss; stored')
    expect(await first.json()).toMatchObject({ places: [{ name: 'Kyoto', country: 'JP' }, {}] })
    const second = await fetch(near(35.02))
    expect(second.headers.get('cache-status')).toMatch(/^hither; hit; ttl=(59\d|600)$/)
    expect(second.headers.get('age')).toMatch(/^\d+$/)
    expect(await second.json()).toMatchObject({ places: [{ name: 'Kyoto' }, {}], cache: { status: 'hit' } })
    expect(await ask(redis.port, 'EXISTS places:near:35.02,135.75:2')).toBe(':1')
    expect(await (await fetch(near(35.02), { method: 'DELETE' })).json()).toMatchObject({ deleted: 1 })
    expect(await ask(redis.port, 'EXISTS places:near:35.02,135.75:2')).toBe(':0')
    expect(await cacheStatus(near(35.02))).toBe('hither; fwd=miss; stored')
  })
  it('computes once for requests that come together, and answers each of them', async () => {
    const before = (await (await fetch(`${url}/api/stats`)).json()) as { loads: number }
    const statuses = await Promise.all(Array.from({ length: 20 }, () => cacheStatus(near(36))))
    expect(statuses.filter((status) => status === 'hither; fwd=miss; stored')).toHaveLength(1)
    expect(statuses.filter((status) => status === null)).toEqual([])
    const after = (await (await fetch(`${url}/api/stats`)).json()) as { loads: number; store: string }
    expect(after).toMatchObject({ store: 'upstash', loads: before.loads + 1 })
  })
  it('recomputes the index once for two who press together', () => expectOneRecomputes(url))
  it('keeps whole responses of the names by the HTTP cache', () => expectNames(url))
  it('signs in, keeps searches in the session, and signs out', () => expectSignIn(url))
  it('shows a search in the feed and in the list of the most searched', () => expectSearches(url, true))
  it('serves the page, and says what to do about bad input', async () => {
    expect(await (await fetch(url)).text()).toContain('<title>Nearest places, kept near</title>')
    const bad = await fetch(`${url}/api/near?lat=north`)
    expect([bad.status, bad.headers.get('content-type')]).toEqual([400, 'application/problem+json'])
    await bad.arrayBuffer()
  })
  it('ends all of its parts on SIGTERM, and leaves a Redis alone that it did not start', async () => {
    const gateway = /gateway on (http:\S+),/.exec(dev.output())?.[1] ?? ''
    expect((await fetch(gateway)).status).toBe(401)
    await dev.stop('SIGTERM')
    await expect(fetch(url)).rejects.toThrow()
    await expect(fetch(gateway)).rejects.toThrow()
    expect(await ask(redis.port, 'PING')).toBe('+PONG')
  })
})

describe('npm run dev:worker without a Redis', () => {
  it('runs on the development server, scripts included', async () => {
    const env = { REDIS_URL: '', PORT: '0' }
    // The tests above have built it.
    const dev = start(work.folder, ['npm', 'run', '--ignore-scripts', 'dev:worker'], env)
    const [, url = ''] = await dev.printed(/Ready on (http:\/\/127\.0\.0\.1:\d+)/)
    const question = `${url}/api/near?lat=35.02&lon=135.75&limit=2`
    const statuses: (string | null)[] = []
    for (let i = 0; i < 2; i++) {
      const response = await fetch(question)
      await response.arrayBuffer()
      statuses.push(response.headers.get('cache-status'))
    }
    expect(statuses).toEqual(['hither; fwd=miss; stored', expect.stringMatching(/^hither; hit; ttl=/)])
    await expectSignIn(url)
    expect(dev.output()).toMatch(/dev server on http:/)
    await dev.stop('SIGTERM')
    await expect(fetch(url)).rejects.toThrow()
  })
})

describe('without its credentials', () => {
  it('the Worker serves the page and says what is missing', async () => {
    const options = ['--local', '--ip', '127.0.0.1', '--port', '0', '--inspector-port', '0']
    const env = { CI: '1', WRANGLER_SEND_METRICS: 'false', WRANGLER_HIDE_BANNER: 'true' }
    const offline = { ...env, CLOUDFLARE_CF_FETCH_ENABLED: 'false' }
    const dev = start(work.folder, ['node', 'node_modules/wrangler/bin/wrangler.js', 'dev', ...options], offline)
    const [, url] = await dev.printed(/Ready on (http:\/\/127\.0\.0\.1:\d+)/)
    expect((await fetch(`${url}/`)).status).toBe(200)
    const response = await fetch(`${url}/api/near?lat=1&lon=2`)
    expect(response.status).toBe(503)
    expect(await response.json()).toMatchObject({ detail: expect.stringMatching(/^MISSING_CREDENTIALS: .*_URL/) })
    await dev.stop()
  })
})
