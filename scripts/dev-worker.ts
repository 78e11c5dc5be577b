/**
 * Runs the example Worker on this machine: a development server as `hither dev` runs it, or a gateway to REDIS_URL if that is
 * set, and wrangler dev with its url, its token and a session secret as variables. PORT is the port, 0 for any free one; by
 * default 8787, or a free one if 8787 is taken. SIGINT or SIGTERM ends all of it, and so does the end of wrangler.
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { startDevGateway } from './dev-gateway.ts'

const stops: (() => Promise<unknown>)[] = []
let stopping = false
async function stop(code: number): Promise<void> {
  if (stopping) return
  stopping = true
  for (const each of stops.reverse()) await each().catch(() => undefined)
  process.exit(code)
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void stop(0))

function isFree(port: number): Promise<boolean> {
  const probe = createServer()
  return new Promise((resolve) => {
    probe.once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
  })
}

async function main(): Promise<void> {
  const port = process.env.PORT || ((await isFree(8787)) ? 8787 : 0)
  const gateway = await startDevGateway()
  stops.push(() => gateway.stop())

  const wrangler = join(createRequire(import.meta.url).resolve('wrangler/package.json'), '../bin/wrangler.js')
  const options = ['--local', '--ip', '127.0.0.1', '--port', `${port}`, '--inspector-port', '0']
  const secret = process.env.SESSION_SECRET || randomBytes(32).toString('base64')
  const vars = [
    `UPSTASH_REDIS_REST_URL:${gateway.url}`,
    `UPSTASH_REDIS_REST_TOKEN:${gateway.token}`,
    `SESSION_SECRET:${secret}`,
  ]
  const child = spawn(process.execPath, [wrangler, 'dev', ...options, '--var', ...vars], {
    stdio: ['ignore', 'inherit', 'inherit'],
    // wrangler must not ask questions at the terminal, nor use the internet.
    env: {
      ...process.env,
      CI: '1',
      WRANGLER_SEND_METRICS: 'false',
      WRANGLER_HIDE_BANNER: 'true',
      CLOUDFLARE_CF_FETCH_ENABLED: 'false',
    },
    detached: true, // a Ctrl-C at the terminal reaches this process only, which ends the parts in order
  })
  const ended = once(child, 'exit')
  stops.push(async () => {
    child.kill('SIGTERM')
    await ended
  })
  await ended
  await stop(stopping ? 0 : 1)
}

main().catch((error: unknown) => {
  console.error(`dev-worker: ${error instanceof Error ? error.message : String(error)}`)
  void stop(1)
})
