import type { AtomicStore } from 'hither'
import { createHttpCache, type HttpCache, type HttpCacheOptions } from 'hither/http'
import { memoryStore } from 'hither/memory'

export const URL_A = 'https://a.example/page?x=1'
export type Fields = Readonly<Record<string, string>>

export interface Origin {
  /** Every request that reached it, in order. */
  readonly asked: Request[]
  (request: Request): Promise<Response>
  /** Sets what it responds from now on. */
  answers(answer: (request: Request, count: number) => Response | Promise<Response>): void
}

/** An origin for tests. At first it responds 200 with its count as the body and the given fields. */
export function createOrigin(fields: Fields = { 'cache-control': 'max-age=60' }): Origin {
  let answer = (_: Request, count: number): Response | Promise<Response> =>
    new Response(`${count}`, { headers: fields })
  const asked: Request[] = []
  const origin = async (request: Request): Promise<Response> => {
    asked.push(request)
    return answer(request, asked.length)
  }
  return Object.assign(origin, {
    asked,
    answers(next: typeof answer) {
      answer = next
    },
  })
}

export interface Seen {
  readonly status: number
  readonly body: string
  readonly headers: Headers
  /** The last member of Cache-Status. */
  readonly story: string
}

export const cacheOf = (options: Partial<HttpCacheOptions> = {}): HttpCache =>
  createHttpCache({ store: memoryStore(), profile: 'full', ...options })

export async function see(response: Response): Promise<Seen> {
  const { status, headers } = response
  const body = await response.text()
  return { status, headers, body, story: (headers.get('cache-status') ?? '').split(', ').at(-1) ?? '' }
}

export interface AskOptions {
  readonly url?: string
  readonly method?: string
  readonly headers?: Fields
  readonly body?: string
  readonly refresh?: false
}

/** Sends one request to a cache that is in front of an origin. */
export async function get(cache: HttpCache, origin: Origin, options: AskOptions = {}): Promise<Seen> {
  const { url = URL_A, method = 'GET', headers = {}, body, refresh } = options
  const request = new Request(url, { method, headers, ...(body === undefined ? {} : { body }) })
  return see(await cache(request, origin, refresh === undefined ? {} : { refresh }))
}

export const isHit = ({ story }: Seen): boolean => story.includes('; hit')

/** A store in memory that records the keys of the parts of large bodies. `memory` is the store beneath. */
export function storeWithParts(): { memory: AtomicStore; store: AtomicStore; parts: string[] } {
  const parts: string[] = []
  const memory: AtomicStore = memoryStore()
  const store: AtomicStore = {
    ...memory,
    async setBytes(key, ...rest) {
      parts.push(key)
      await memory.setBytes?.(key, ...rest)
    },
  }
  return { memory, store, parts }
}

/** The length of a body in bytes; `cut` if it ends with an error. */
export const lengthOf = (response: Response): Promise<number | 'cut'> =>
  response.arrayBuffer().then(
    ({ byteLength }) => byteLength,
    () => 'cut' as const,
  )

/** Skips a test, and prints why: the runner itself shows no reason. */
export function skipFor(skip: (reason: string) => void, reason: string): void {
  console.log(`skipped: ${reason}`)
  skip(reason)
}
