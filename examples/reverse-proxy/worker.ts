import type { AtomicStore } from 'hither'
import { createHttpCache, type HttpCache, type HttpProfile } from 'hither/http'
import { memoryStore } from 'hither/memory'
import { fromEnv } from 'hither/upstash'
import { badGateway, endToEnd, targetOf } from './proxy.ts'

interface Bindings {
  readonly ORIGIN: string
  readonly STORE?: string
  readonly PROFILE?: HttpProfile
  readonly UPSTASH_REDIS_REST_URL?: string
  readonly UPSTASH_REDIS_REST_TOKEN?: string
}

/** A stream of the Workers runtime for a body of known length. */
declare const FixedLengthStream: new (length: number) => TransformStream<Uint8Array, Uint8Array>

interface ExecutionContext {
  waitUntil(work: Promise<unknown>): void
}

// One per isolate. It holds data only: on Workers, whatever does I/O belongs to a request.
let cache: HttpCache | undefined

const storeOf = (env: Bindings): AtomicStore =>
  env.STORE === 'memory' || (!env.STORE && !env.UPSTASH_REDIS_REST_URL) ? memoryStore() : fromEnv(env)

function cacheOf(env: Bindings): HttpCache {
  cache ??= createHttpCache({ store: storeOf(env), ...(env.PROFILE ? { profile: env.PROFILE } : {}) })
  return cache
}

/** The origin's response. `fetch` decodes a compressed body, so that the fields about its encoding no longer apply. */
async function upstream(request: Request, origin: string): Promise<Response> {
  const { method, body } = request
  const headers = endToEnd(request.headers)
  const response = await fetch(targetOf(request, origin), { method, headers, body, redirect: 'manual' })
  const kept = endToEnd(response.headers)
  if (/^(gzip|br)$/i.test(kept.get('content-encoding') ?? ''))
    for (const name of ['content-encoding', 'content-length']) kept.delete(name)
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers: kept })
}

/** Gives the response a body of known length: workerd sends Content-Length for no other stream. */
function withLength(response: Response): Response {
  const { body, headers, status, statusText } = response
  const length = headers.get('content-length')
  if (!body || length === null || headers.has('content-encoding')) return response
  return new Response(body.pipeThrough(new FixedLengthStream(Number(length))), { status, statusText, headers })
}

const worker: { fetch(request: Request, env: Bindings, context: ExecutionContext): Promise<Response> } = {
  async fetch(request, env, context) {
    try {
      const response = await cacheOf(env)(request, (asked) => upstream(asked, env.ORIGIN), {
        waitUntil: (work) => context.waitUntil(work),
      })
      return withLength(response)
    } catch {
      return badGateway()
    }
  },
}

export default worker
