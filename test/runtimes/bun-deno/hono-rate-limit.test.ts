import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

/** An application that limits by address, as each runtime serves it. */
const app = `
import { rateLimit } from 'hither/hono'
import { memoryStore } from 'hither/memory'
import { createRateLimiter, slidingLog } from 'hither/rate-limit'
import { Hono } from 'hono'

const limiter = createRateLimiter({
  store: memoryStore(),
  algorithm: slidingLog({ limit: 2, window: '1m' }),
  outage: 'closed',
})
const app = new Hono().use(rateLimit({ limiter })).get('/', (c) => c.text('ok'))
`
const served = {
  bun: `${app}
    console.log(':' + Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: app.fetch }).port)`,
  deno: `${app}
    Deno.serve({ port: 0, hostname: '127.0.0.1', onListen: ({ port }) => console.log(':' + port) }, app.fetch)`,
}
const root = fileURLToPath(new URL('../../..', import.meta.url))
const at = createRequire(import.meta.url)
const programs = {
  bun: () => [at.resolve(`@oven/bun-${process.platform}-${process.arch}/bin/bun`)],
  deno: () => [
    at.resolve(`@deno/${process.platform}-${process.arch}${process.platform === 'linux' ? '-glibc' : ''}/deno`),
    'run',
    '--no-config',
    '--allow-net',
  ],
}

describe.each(['bun', 'deno'] as const)('rateLimit on %s', (runtime) => {
  const folder = mkdtempSync(join(tmpdir(), `hither-${runtime}-`))
  let port = 0
  let stop = (): void => {}
  beforeAll(async () => {
    const file = join(folder, 'app.mjs')
    const { outputFiles } = await build({
      stdin: { contents: served[runtime], resolveDir: root },
      bundle: true,
      write: false,
      format: 'esm',
      tsconfig: join(root, 'tsconfig.json'),
    })
    writeFileSync(file, outputFiles[0]?.text ?? '')
    const [command = '', ...args] = programs[runtime]()
    const child = spawn(command, [...args, file], { env: { ...process.env, NO_COLOR: '1' } })
    stop = () => void child.kill('SIGKILL')
    port = await new Promise((resolve, reject) => {
      child.stdout.on('data', (text) => resolve(Number(/:(\d+)/.exec(String(text))?.[1])))
      child.stderr.on('data', (text) => reject(new Error(String(text))))
      child.once('error', reject)
    })
  }, 60_000)
  afterAll(() => {
    stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const ask = (localAddress: string, headers = {}): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      request({ port, host: '127.0.0.1', localAddress, headers, agent: false }, (response) =>
        resolve(response.resume().statusCode),
      )
        .once('error', reject)
        .end()
    })

  it('tells clients apart by their sockets, whatever their headers say', async () => {
    const statuses = []
    for (let i = 0; i < 3; i++) statuses.push(await ask('127.0.0.1', { 'x-forwarded-for': `198.51.100.${i}` }))
    statuses.push(await ask('127.0.0.2'))
    expect(statuses).toEqual([200, 200, 429, 200])
  })
})
