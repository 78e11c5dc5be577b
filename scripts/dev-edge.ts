/**
 * Runs the example for Vercel's edge runtime on this machine: the function in an edge runtime without Node's globals, with
 * static files beside it. It uses the database of `UPSTASH_REDIS_REST_URL` and `_TOKEN`, or else starts a gateway
 * (`dev-gateway.ts`). PORT is the port, by default a free one. SIGINT or SIGTERM ends all of it.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { EdgeVM } from '@edge-runtime/vm'
import { createAdaptorServer } from '@hono/node-server'
import { build } from 'esbuild'
import { startDevGateway } from './dev-gateway.ts'

const file = (path: string): string => fileURLToPath(new URL(`../examples/${path}`, import.meta.url))

/** What Vercel supplies for each request under this symbol. */
interface RequestContext {
  waitUntil(work: Promise<unknown>): void
}
type Handle = (request: Request) => Promise<Response>

/** Copies a body of the edge runtime's realm into a stream of this realm, piece by piece. */
function copyOf(body: ReadableStream<Uint8Array> | null): ReadableStream<Uint8Array> | null {
  const reader = body?.getReader()
  if (!reader) return null
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await reader.read()
      if (done) controller.close()
      else controller.enqueue(new Uint8Array(value))
    },
    cancel: (reason) => reader.cancel(reason),
  })
}

async function load(env: Record<string, string>, contexts: AsyncLocalStorage<RequestContext>) {
  const { outputFiles } = await build({
    entryPoints: [file('vercel-edge/index.ts')],
    bundle: true,
    write: false,
    minify: true,
    format: 'iife',
    globalName: 'edge',
    target: 'es2022',
    conditions: ['edge-light', 'worker', 'browser'],
  })
  const vm = new EdgeVM({
    extend: (context) =>
      Object.assign(context, {
        process: { env },
        [Symbol.for('@vercel/request-context')]: { get: () => contexts.getStore() },
      }),
  })
  vm.evaluate(outputFiles[0]?.text ?? '')
  return { handle: vm.evaluate<Handle>('edge.default'), Request: vm.evaluate<typeof Request>('Request') }
}

async function main(): Promise<void> {
  const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token } = process.env
  const gateway = url && token ? { url, token, stop: async () => {} } : await startDevGateway()
  const secret = process.env.SESSION_SECRET || randomBytes(32).toString('base64')
  const env = { UPSTASH_REDIS_REST_URL: gateway.url, UPSTASH_REDIS_REST_TOKEN: gateway.token, SESSION_SECRET: secret }
  const contexts = new AsyncLocalStorage<RequestContext>()
  const edge = await load(env, contexts)
  const statics: Readonly<Record<string, string>> = {
    '/static/places.bin': file('app/data/places.bin'),
    '/static/page.html': file('app/page.html'),
  }
  const pending = new Set<Promise<unknown>>()
  const keep = (work: Promise<unknown>): void => {
    const over = work.finally(() => pending.delete(over))
    pending.add(over)
  }
  const answer = async (request: Request): Promise<Response> => {
    const path = statics[new URL(request.url).pathname]
    if (path) return new Response(await readFile(path))
    const { method, headers } = request
    const body = method === 'GET' || method === 'HEAD' ? null : await request.arrayBuffer()
    const asked = new edge.Request(request.url, { method, headers: [...headers], body })
    const response = await contexts.run({ waitUntil: keep }, () => edge.handle(asked))
    return new Response(copyOf(response.body), { status: response.status, headers: [...response.headers] })
  }
  const server = createAdaptorServer({ fetch: answer }) as Server
  server.listen(Number(process.env.PORT ?? 0), '127.0.0.1')
  await once(server, 'listening')
  let stopping = false
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, async () => {
      if (stopping) return
      stopping = true
      server.close()
      server.closeAllConnections()
      await Promise.all(pending)
      await gateway.stop()
      process.exit(0)
    })
  }
  console.log(`Ready on http://127.0.0.1:${(server.address() as AddressInfo).port}`)
}

main().catch((error: unknown) => {
  console.error(`dev-edge: ${error instanceof Error ? error.message : String(error)}`)
  process.exit(1)
})
