import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { startGateway } from 'hither/node'
import { describe, expect, it } from 'vitest'
import worker from '../../examples/hello-worker/index.ts'

/** Each small example is one file, which runs as it is, on the sources. */
const root = fileURLToPath(new URL('../../', import.meta.url))
const run = promisify(execFile)
const example = async (name: string, env: Record<string, string> = {}): Promise<string[]> => {
  const args = ['--no-warnings', '--import', './scripts/from-source.ts', `examples/${name}/index.ts`]
  const { stdout } = await run(process.execPath, args, { cwd: root, env: { ...process.env, ...env } })
  return stdout.trim().split('\n')
}
const redis = (): string => process.env.REDIS8_URL as string

describe('the small examples', { timeout: 60_000 }, () => {
  it('hello-node hits on the second call, in memory and in Redis', async () => {
    const printed = ['the query runs', "{ id: 7, name: 'Ada' }", "{ id: 7, name: 'Ada' }"]
    expect(await example('hello-node')).toEqual(printed)
    expect(await example('hello-node', { REDIS_URL: redis() })).toEqual(printed)
  })
  it('hello-worker answers, caches and limits', async () => {
    const gateway = await startGateway({ redis: redis() })
    const env = { UPSTASH_REDIS_REST_URL: gateway.url, UPSTASH_REDIS_REST_TOKEN: gateway.token }
    const ask = (): Promise<Response> =>
      worker.fetch(new Request('https://hello.example/', { headers: { 'cf-connecting-ip': `${Math.random()}` } }), env)
    const first = await (await ask()).json()
    expect(await (await ask()).json()).toEqual(first)
    const same = (): Promise<Response> => worker.fetch(new Request('https://hello.example/'), env)
    const statuses: number[] = []
    for (let i = 0; i < 6; i++) statuses.push((await same()).status)
    expect(statuses).toEqual([200, 200, 200, 200, 200, 429])
    await gateway.stop()
  })
  it('hello-next answers the same for a minute', async () => {
    const { GET } = await import('../../examples/hello-next/route.ts')
    const ask = async (): Promise<unknown> => (await GET(new Request('https://hello.example/api/now'))).json()
    expect(await ask()).toEqual(await ask())
  })
  it('rate-limit refuses the sixth', async () => {
    const printed = await example('rate-limit')
    expect(printed.map((line) => line.split(' ')[0])).toEqual(['200', '200', '200', '200', '200', '429'])
  })
  it('stale-while-revalidate serves the old value while one refresh runs', async () => {
    expect(await example('stale-while-revalidate')).toEqual([
      'version 1 (loaded)',
      'version 1 (stale, a refresh runs)',
      'version 2 (fresh)',
    ])
  })
  it('move-from-upstash keeps its environment', async () => {
    const gateway = await startGateway({ redis: redis() })
    const env = { UPSTASH_REDIS_REST_URL: gateway.url, UPSTASH_REDIS_REST_TOKEN: gateway.token }
    expect(await example('move-from-upstash', env)).toEqual(['true true'])
    await gateway.stop()
  })
  it('move-from-ioredis loads once for a hundred, and keeps it near', async () => {
    expect(await example('move-from-ioredis', { REDIS_URL: redis() })).toEqual(['1 1 loaded 1'])
  })
})
