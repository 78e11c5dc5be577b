import { type Cache, HitherError, isHitherError } from 'hither'
import {
  type AddressSource,
  type CacheResponseOptions,
  type CacheVariables,
  cacheContext,
  cacheResponse,
  rateLimit,
  type SessionVariables,
  session,
} from 'hither/hono'
import type { RateLimiter } from 'hither/rate-limit'
import { type Context, Hono } from 'hono'
import { type Asked, ask, headersOf } from './ask.ts'
import { readIndex, recompute } from './country-index.ts'
import type { Features } from './features.ts'
import { createFind } from './find.ts'
import { type Nearest, nearest } from './nearest.ts'
import type { Places } from './places.ts'
import { BadQuery, findKey, nearKey, parseFind, parseNear } from './query.ts'
import { mostSearched, noteSearch, streamSearches } from './searches.ts'
import { parseName, rememberSearch, searchOf, shownOf, signIn, type Visitor } from './sign-in.ts'

export interface AppOptions<B extends object> {
  /** The cache, or a function that returns it for a request. */
  readonly cache: Cache | ((c: Context<AppEnv<B>>) => Cache)
  /** The other features, or a function that returns them for a request. */
  readonly features: Features | ((c: Context<AppEnv<B>>) => Features)
  /** Caches whole responses of `/api/places`. */
  readonly httpCache: CacheResponseOptions<AppEnv<B>>['cache']
  readonly places: Places
  /** The page at `/`, as HTML. */
  readonly page: string
  /** Ends the live feeds, which otherwise keep a server from closing. */
  readonly stopping?: AbortSignal
  /** The name of the store in `/api/stats`. */
  readonly store: string
  /** The limit of one address, and where addresses are read. @default no limit */
  readonly limit?: {
    readonly limiter: RateLimiter | ((c: Context<AppEnv<B>>) => RateLimiter)
    readonly address: AddressSource
    readonly windowSeconds: number
  }
}

export interface AppEnv<B extends object> {
  Bindings: B
  /** `deadline`: epoch ms at which every call of this request to the store ends. */
  Variables: CacheVariables<Cache> & SessionVariables<Partial<Visitor>> & { deadline: number }
}

const securityPolicy = [
  "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; connect-src 'self'",
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
].join('; ')

/** The longest that a store that hangs delays a request, however many calls the request makes. */
export const STORE_LIMIT_MS = 1000
/** Time for recording a search where the answer took long. */
const NOTE_LIMIT_MS = 250
/** Recomputing the index takes a few seconds. */
const RECOMPUTE_LIMIT_MS = 30_000
/** The pause between two slices of recomputing the index. */
const PAUSE_MS = 100

/** Requests that the page makes by itself are not limited. */
const FREE = ['/api/stats', '/api/index', '/api/session', '/api/searches', '/api/feed']
const isFree = (c: Context): boolean => c.req.method === 'GET' && FREE.includes(c.req.path)

/** The page shows that the store is down, and goes on. */
function away(error: unknown): { readonly away: string } {
  if (isHitherError(error)) return { away: error.code }
  throw error
}

/** The application: which places are near a point. The same on every runtime. */
export function createApp<B extends object>({
  cache,
  features,
  httpCache,
  places,
  page,
  store,
  limit,
  stopping,
}: AppOptions<B>): Hono<AppEnv<B>> {
  const app = new Hono<AppEnv<B>>()
  const find = createFind(places)
  const featuresOf = (c: Context<AppEnv<B>>): Features => (typeof features === 'function' ? features(c) : features)

  app.get('/', (c) => c.html(page, 200, { 'Content-Security-Policy': securityPolicy, 'Cache-Control': 'no-cache' }))
  app.get('/healthz', (c) => c.json({ ok: true }))

  // One deadline for all calls of a request to the store, the limiter's included.
  const hurried = (c: Context<AppEnv<B>>): Cache => {
    c.set('deadline', Date.now() + STORE_LIMIT_MS)
    return (typeof cache === 'function' ? cache(c) : cache).with({ deadline: c.var.deadline })
  }
  app.use('/api/*', cacheContext<Cache, AppEnv<B>>(hurried))
  if (limit) app.use('/api/*', rateLimit<AppEnv<B>>({ ...limit, skip: isFree }))
  app.get('/api/near', async (c) => {
    const query = parseNear((name) => c.req.query(name))
    const asked = await ask(c.var.cache, nearKey(query), () => nearest(places, query.point, query.limit))
    // The store has just failed: another call would fail too.
    if (asked.status !== 'bypass') await remember(c, featuresOf(c), asked.value)
    return answerOf(c, asked)
  })
  app.delete('/api/near', async (c) => {
    const query = parseNear((name) => c.req.query(name))
    return c.json({ point: query.point, deleted: await c.var.cache.delete(nearKey(query)) })
  })
  // The store keeps whole responses for ten minutes. The browser asks each time, so that the page can show Cache-Status.
  const named = (c: Context) => parseFind((name) => c.req.query(name))
  app.get(
    '/api/places',
    cacheResponse<AppEnv<B>>({
      cache: httpCache,
      cacheControl: 'no-cache',
      cdnCacheControl: 'max-age=600',
      keyGenerator: (c) => findKey(named(c)), // `São` and `sao` are the same search
    }),
    (c) => {
      const { prefix, limit } = named(c)
      return c.json({ places: find(prefix, limit) })
    },
  )
  app.get('/api/index', async (c) => {
    c.header('Cache-Control', 'no-store')
    return c.json(await readIndex(c.var.cache).catch(away))
  })
  app.post('/api/index', async (c) => {
    c.header('Cache-Control', 'no-store')
    const pause = (): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
    const patient = c.var.cache.with({ deadline: Date.now() + RECOMPUTE_LIMIT_MS })
    return c.json(await recompute({ cache: patient, locks: featuresOf(c).locks, places, pause, signal: until(c.var) }))
  })
  app.use('/api/session', async (c, next) => {
    const all = featuresOf(c).sessionsFor?.(c.req.raw)
    if (all) return session<Partial<Visitor>, AppEnv<B>>({ sessions: all, deadline: (c) => c.var.deadline })(c, next)
    if (c.req.method === 'GET') return c.json({ off: 'This server has no SESSION_SECRET, so nobody can sign in.' })
    return problem(404, 'Not found', 'this server has no SESSION_SECRET')
  })
  app.get('/api/session', (c) => {
    c.header('Cache-Control', 'no-store')
    return c.json(shownOf(c.var.session))
  })
  app.post('/api/session', async (c) => {
    await signIn(c.var.session, await parseName(c.req.raw), c.var)
    return c.json(shownOf(c.var.session))
  })
  app.delete('/api/session', async (c) => {
    await c.var.session.destroy({ deadline: c.var.deadline })
    return c.json({ searches: [] })
  })
  app.get('/api/searches', async (c) => {
    c.header('Cache-Control', 'no-store')
    return c.json(await mostSearched(featuresOf(c).searches, c.var).catch(away))
  })
  app.get('/api/feed', (c) =>
    streamSearches(featuresOf(c).searches, [c.req.raw.signal, ...(stopping ? [stopping] : [])]),
  )
  app.get('/api/stats', (c) => {
    c.header('Cache-Control', 'no-store')
    return c.json({ store, places: places.count, ...c.var.cache.stats() })
  })

  app.notFound((c) =>
    problem(404, 'Not found', `no such page: try / or /api/near?lat=48.86&lon=2.35 (${c.req.method})`),
  )
  app.onError((error, c) => {
    if (c.req.raw.signal.aborted) return new Response(null, { status: 499 }) // the client has gone: nobody reads this
    if (error instanceof BadQuery) return problem(400, 'Bad request', error.message)
    if (isHitherError(error)) return problem(503, 'The cache did not answer', `${error.code}: ${error.message}`)
    console.error(error)
    return problem(500, 'Internal error', 'something went wrong; the log of the server says what')
  })
  return app
}

/** Records the search. A store that fails here does not fail the request. */
async function remember<B extends object>(c: Context<AppEnv<B>>, features: Features, answer: Nearest): Promise<void> {
  const search = searchOf(answer)
  const sessions = features.sessionsFor?.(c.req.raw)
  // The store replied a moment ago; the computation may have used up the request's deadline.
  const deadline = Math.max(c.var.deadline, Date.now() + NOTE_LIMIT_MS)
  if (!search) return
  const [cookie] = await Promise.all([
    sessions && rememberSearch(sessions, c.req.raw, search, { deadline }).catch(away),
    noteSearch(features.searches, search, { deadline }).catch(away),
  ])
  if (typeof cookie === 'string') c.header('Set-Cookie', cookie, { append: true })
}

function answerOf<B extends object, T extends object>(c: Context<AppEnv<B>>, asked: Asked<T>): Response {
  const { status, ageMs, ttlMs, tookMs } = asked
  return c.json({ ...asked.value, cache: { status, ageMs, ttlMs, tookMs } }, 200, headersOf(asked))
}

/** A signal that aborts at the request's deadline, for calls that take no deadline. */
function until({ deadline }: { readonly deadline: number }): AbortSignal {
  const stop = new AbortController()
  const tooLate = new HitherError('TIMEOUT', 'the store did not answer in time', { retryable: true })
  setTimeout(() => stop.abort(tooLate), deadline - Date.now())
  return stop.signal
}

/** An error in the form of RFC 9457. */
function problem(status: number, title: string, detail: string): Response {
  return Response.json(
    { type: 'about:blank', title, status, detail },
    { status, headers: { 'Content-Type': 'application/problem+json', 'Cache-Control': 'no-store' } },
  )
}
