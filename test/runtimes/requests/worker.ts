import { AsyncLocalStorage } from 'node:async_hooks'
import { type Cache, createCache, type GetOrSetOptions, type WaitUntil } from 'hither'
import { memoryStore } from 'hither/memory'
import { atFraction } from 'hither/refresh'
import { upstashStore } from 'hither/upstash'

/** What one request asks of this Worker: steps that run one after another. */
export interface Job {
  readonly steps: readonly Step[]
  /** Responds, or throws, without waiting for the steps: after `leaveMs`, or as soon as a loader runs. */
  readonly leave?: 'early' | 'throw'
  readonly leaveMs?: number
  /** `nothing` keeps the work of this request alive after its response. Otherwise the runtime does, by its own `waitUntil`. */
  readonly kept?: 'nothing'
  readonly store?: 'memory'
  /** Milliseconds that each fetch of this request waits before it is sent. */
  readonly slowMs?: number
}
export interface Step {
  readonly verb:
    | 'getOrSet'
    | 'getOrSetMany'
    | 'get'
    | 'has'
    | 'set'
    | 'add'
    | 'take'
    | 'touch'
    | 'expire'
    | 'delete'
    | 'increment'
    | 'invalidateTags'
    | 'clear'
    | 'flood'
  readonly key: string
  readonly value?: string
  /** Milliseconds that its loader takes. */
  readonly ms?: number
  readonly options?: GetOrSetOptions
  /** Refreshes an entry as soon as it is fresh. */
  readonly ahead?: boolean
}
export interface Told {
  readonly answers: readonly unknown[]
  /** Number of fetches by the end of the steps. */
  readonly fetches: number
  /** Most fetches that were under way at once. */
  readonly most: number
  /** Number of fetches before the first loader ran. */
  readonly before: number
}
export interface Counts {
  /** Number of loads by key. */
  readonly loads: Readonly<Record<string, number>>
  readonly events: Readonly<Record<string, number>>
  readonly inFlight: number
}
interface Ledger {
  fetches: number
  underWay: number
  most: number
  before: number
  readonly slowMs: number
  readonly began: () => void
}
interface Env {
  readonly REST_URL: string
  readonly REST_TOKEN: string
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
const requests = new AsyncLocalStorage<Ledger>()
const loads = new Map<string, number>()
const events = new Map<string, number>()
const options = {
  ttl: '1m',
  grace: '1m',
  storeTimeout: '10s',
  onEvent: ({ type }: { type: string }): void => void events.set(type, (events.get(type) ?? 0) + 1),
} as const
// Made at module level, where a Worker may not fetch, set a timer or ask for random numbers.
const memory = createCache({ store: memoryStore(), ...options })
let rest: Cache | undefined

function cacheFor({ REST_URL: url, REST_TOKEN: token }: Env, { store }: Job): Cache {
  if (store === 'memory') return memory
  rest ??= createCache({ store: upstashStore({ url, token, fetch: counted }), ...options, namespace: 'requests' })
  return rest
}

async function counted(input: string | URL | Request, init?: RequestInit): Promise<Response> {
  const ledger = requests.getStore()
  if (!ledger) throw new Error('a fetch outside of every request')
  ledger.fetches++
  ledger.most = Math.max(ledger.most, ++ledger.underWay)
  try {
    if (ledger.slowMs) await pause(ledger.slowMs)
    return await fetch(input, init)
  } finally {
    ledger.underWay--
  }
}

async function take(cache: Cache, { verb, key, value = 'value', ms, options = {}, ahead }: Step): Promise<unknown> {
  const load = async (): Promise<string> => {
    loads.set(key, (loads.get(key) ?? 0) + 1)
    const ledger = requests.getStore() as Ledger
    if (ledger.before < 0) ledger.before = ledger.fetches
    ledger.began()
    if (ms) await pause(ms)
    return value
  }
  switch (verb) {
    case 'getOrSet':
      return cache.getOrSet(key, load, ahead ? { ...options, refresh: atFraction(1e-9) } : options)
    case 'getOrSetMany': {
      const many = await cache.getOrSetMany([key, `${key}:2`], (keys) => new Map(keys.map((each) => [each, each])))
      return many.size
    }
    case 'set':
      return cache.set(key, value, { tags: options.tags ?? [] })
    case 'add':
      return cache.add(key, value)
    case 'invalidateTags':
      return cache.invalidateTags([key])
    case 'clear':
      return cache.namespace('other').clear()
    case 'flood': {
      const never = (): Promise<never> => new Promise(() => {})
      const all = Array.from({ length: 4000 }, (_, i) => cache.getOrSet(`${key}:${i}`, never, { hardTimeout: '1s' }))
      return Promise.all(all)
    }
    default:
      return cache[verb](key)
  }
}

interface RequestContext {
  waitUntil: WaitUntil
}

/** The outcome of each way to pass the runtime's `waitUntil` to a cache. */
async function withContext(ctx: RequestContext): Promise<Readonly<Record<string, string>>> {
  const cache = createCache({ store: memoryStore(), ttl: '1m' })
  const ways: Record<string, { readonly waitUntil: WaitUntil }> = {
    context: ctx,
    arrow: { waitUntil: (work) => ctx.waitUntil(work) },
    bound: { waitUntil: ctx.waitUntil.bind(ctx) },
    unbound: { waitUntil: ctx.waitUntil },
  }
  const answers = Object.entries(ways).map(async ([way, options]) => {
    try {
      return [way, await cache.with(options).getOrSet(way, () => 'loaded')]
    } catch (error) {
      return [way, String(error)]
    }
  })
  return Object.fromEntries(await Promise.all(answers))
}

export default {
  async fetch(request: Request, env: Env, ctx: RequestContext): Promise<Response> {
    if (request.method === 'PUT') return Response.json(await withContext(ctx))
    if (request.method === 'GET') {
      const inFlight = memory.stats().inFlight + (rest?.stats().inFlight ?? 0)
      const counts = { loads: Object.fromEntries(loads), events: Object.fromEntries(events), inFlight }
      return Response.json(counts satisfies Counts)
    }
    const job = (await request.json()) as Job
    const { promise: loading, resolve: began } = Promise.withResolvers<void>()
    const ledger: Ledger = { fetches: 0, underWay: 0, most: 0, before: -1, slowMs: job.slowMs ?? 0, began }
    return requests.run(ledger, async () => {
      const cache = cacheFor(env, job)
      const view = job.kept === 'nothing' ? cache.with({ waitUntil: () => {} }) : cache
      const work = (async () => {
        const answers: unknown[] = []
        for (const step of job.steps) answers.push(await take(view, step))
        return answers
      })().catch((error: unknown) => [String(error)])
      if (job.leave) await (job.leaveMs === undefined ? loading : pause(job.leaveMs))
      if (job.leave === 'throw') throw new Error('the handler threw')
      const answers = job.leave ? [] : await work
      const { fetches, most, before } = ledger
      return Response.json({ answers, fetches, most, before } satisfies Told)
    })
  },
}
