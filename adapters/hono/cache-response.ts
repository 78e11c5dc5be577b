/**
 * Hono middleware over an HTTP cache. For each request it takes one of three ways:
 *
 * - A request made by `refresh`: run the handlers and add the fields.
 * - Another middleware of the same cache is already waiting for this request: pass its `mayStore` on, run the handlers and add
 *   the fields. The outer middleware stores the response.
 * - Otherwise: ask the cache, which calls `handler` when it needs a response. `handler` runs the middleware and handlers after
 *   this one, once per request. A second call goes to `refresh`, or gets 502 if there is none.
 *
 * `prepare` adds the fields of the options to what the handlers made, and removes what middleware in front has set for this
 * client. `withFields` adds the latter again to the response that is sent.
 */
import { HitherError, type WaitUntil } from 'hither'
import type { HttpCache, HttpCacheContext } from 'hither/http'
import type { Context, Env, MiddlewareHandler } from 'hono'
import { keepAddress } from './address.ts'
import { saveSessions } from './session.ts'
import { stateTextType } from './text-type.ts'
import { waitUntilOf } from './wait-until.ts'

export interface CacheResponseOptions<E extends Env = Env> {
  /** The cache from `createHttpCache`, or a function that returns the cache for a request, such as from `c.env`. */
  readonly cache: HttpCache | { readonly for: (c: Context<E>) => HttpCache | Promise<HttpCache> }
  /**
   * Directives for Cache-Control, such as `'max-age=60'`. Those that a response to GET or HEAD lacks are added, but no lifetime
   * if the response has Expires. Errors other than 404 and 410 get none, unless `cacheableStatusCodes` names their status.
   */
  readonly cacheControl?: string
  /**
   * As `cacheControl`, for this cache and those between it and the browser: CDN-Cache-Control (RFC 9213). Not added if the
   * handler's own Cache-Control says `private`, `no-store` or `no-cache`.
   */
  readonly cdnCacheControl?: string
  /** Request fields that a response depends on. They are added to its Vary. `*` is refused. */
  readonly vary?: string | readonly string[]
  /** Tags for `purge({ tags })`. They are also sent as Cache-Tag and Vercel-Cache-Tag, by which CDNs purge. */
  readonly tags?: readonly string[] | ((c: Context<E>) => readonly string[])
  /** Replaces path and query in the key. Such a response can be purged by tags or by its path only. */
  readonly keyGenerator?: (c: Context<E>) => string | Promise<string>
  /** Only storable responses with these statuses are stored. @default all storable responses */
  readonly cacheableStatusCodes?: readonly number[]
  /**
   * Makes a new response in the background, such as `(request, c) => app.fetch(request, c.env)`. Without it a stale response with
   * `stale-while-revalidate` is renewed before it is sent.
   */
  readonly refresh?: (request: Request, c: Context<E>) => Response | Promise<Response>
}

const OPTIONS = [
  'cache',
  'cacheControl',
  'cdnCacheControl',
  'vary',
  'tags',
  'keyGenerator',
  'cacheableStatusCodes',
  'refresh',
]

/** The fields in which caches in front read tags: most CDNs read the first, Vercel's reads the second. */
const TAG_FIELDS = ['cache-tag', 'vercel-cache-tag']

/** Requests made for `refresh`. They go to the handler, even if a response is stored. */
const refreshing = new WeakSet<Request>()

type MayStore = (response: Response) => boolean

/** A cache that is waiting for the response to a request, in a list with those that began to wait before it. */
interface Asking {
  readonly cache: HttpCache
  readonly before: Asking | undefined
  /** Conditions by middleware of the same cache nearer to the handler: the response is stored only if all hold. */
  readonly limits: MayStore[]
}

/**
 * The caches that wait for a response, by context, and by request: an application that is mounted with `replaceRequest: false` has
 * another context. A cache that asked twice for one request would wait for itself.
 */
const asking = new WeakMap<Context | Request, Asking>()

const askingOf = (c: Context): Asking | undefined => asking.get(c) ?? asking.get(c.req.raw)

function findAsking(c: Context, cache: HttpCache): Asking | undefined {
  let found = askingOf(c)
  while (found && found.cache !== cache) found = found.before
  return found
}

/**
 * Middleware that serves from a shared HTTP cache, and stores the responses of the handlers after it, as RFC 9111 and the cache's
 * profile allow. Requests with unsafe methods pass through, and drop the stored responses of their URL. If a request passes
 * several of these middlewares with one cache, the first asks the cache. The others add their fields and tags, and a response to
 * which one of them gives a key is not stored.
 *
 * Throws `INVALID_ARGUMENT` for options that make no sense. When the store is down, requests pass to their handlers.
 */
export function cacheResponse<E extends Env = Env>(options: CacheResponseOptions<E>): MiddlewareHandler<E> {
  if (typeof options !== 'object' || options === null) throw invalid('cacheResponse takes an object')
  for (const name of Object.keys(options))
    if (!OPTIONS.includes(name)) throw invalid(`cacheResponse has no option ${name}`)
  const { cache: source, cacheControl, cdnCacheControl, tags, keyGenerator, cacheableStatusCodes, refresh } = options
  const hasCache = typeof source === 'function' ? 'purge' in source : typeof source?.for === 'function'
  if (!hasCache) throw invalid('cache is made by createHttpCache, or { for } returns one for a request')
  checkKinds(options)
  const vary = typeof options.vary === 'string' ? options.vary.split(',') : (options.vary ?? [])
  if (vary.some((name) => name.trim() === '*')) throw invalid('vary names request fields: nothing is stored under *')

  const mayStore = cacheableStatusCodes && (({ status }: Response): boolean => cacheableStatusCodes.includes(status))

  const prepare = (c: Context<E>, before: Fields, isPersonal: boolean): Response => {
    // A switch to WebSocket (101) holds a socket. No new `Response` can be made of it.
    if (c.res.status < 200) return c.res
    // Middleware in front, such as `timeout()`, has sent another response, so nobody receives this one.
    if (c.res.bodyUsed) return Response.error()
    const response = new Response(c.res.body, c.res)
    const { headers } = response
    if (response.status === 304) nameAskedTag(headers, c.req.header('if-none-match'))
    for (const [name, value] of before) if (name !== 'set-cookie' && headers.get(name) === value) headers.delete(name)
    // If a 304 lacks a field, the stored field remains; if the 304 has it, it replaces the stored one. So add only to the latter.
    const isAdded = (field: string): boolean => response.status !== 304 || headers.has(field)
    const isRead = c.req.method === 'GET' || c.req.method === 'HEAD'
    const lasts = isRead && (response.status === 304 || (mayStore ?? isGood)(response))
    const mayLast = (field: string): boolean => lasts && isAdded(field) && !isPersonal
    if (isPersonal && response.status !== 304 && !headers.has('cache-control')) headers.set('cache-control', 'no-store')
    // `RESPONSE_ALREADY_SENT` of @hono/node-server: the handler has sent another response than this empty one.
    if (headers.has('x-hono-already-sent')) headers.set('cache-control', 'no-store')
    // CDN-Cache-Control overrides Cache-Control, and must not undo what the handler forbids there.
    const isClosed = FORBIDDING.test(headers.get('cache-control') ?? '')
    if (cacheControl !== undefined && mayLast('cache-control')) addDirectives(headers, 'cache-control', cacheControl)
    if (cdnCacheControl !== undefined && mayLast('cdn-cache-control') && !isClosed)
      addDirectives(headers, 'cdn-cache-control', cdnCacheControl)
    if (isAdded('vary')) for (const name of vary) headers.append('vary', name.trim())
    const names = typeof tags === 'function' ? tags(c) : (tags ?? [])
    for (const field of TAG_FIELDS)
      if (names.length > 0 && isAdded(field)) headers.append(field, names.map(fieldTag).join(', '))
    return response
  }

  return async (c, next) => {
    const replace = (response: Response): void => {
      c.res = undefined
      c.res = response
    }
    const before = fieldsBefore(c)
    if (refreshing.has(c.req.raw)) {
      stateTextType(c)
      await next()
      const isPersonal = (await saveSessions(c, c.res)) !== undefined
      const response = prepare(c, before, isPersonal)
      if (isPersonal && response.status >= 200) forbidStoring(response.headers)
      replace(response)
      return
    }
    const cache = typeof source === 'function' ? source : await source.for(c)
    const outer = findAsking(c, cache)
    if (outer) {
      // The outer middleware has chosen the key. A response that should have another key is not stored under it.
      if (keyGenerator) outer.limits.push(() => false)
      if (mayStore) outer.limits.push(mayStore)
      stateTextType(c)
      await next()
      const saved = await saveSessions(c, c.res)
      replace(withFields(prepare(c, [], saved !== undefined), (saved ?? []).map(cookieField)))
      return
    }
    // Before the first wait: once the client has its response, Bun knows its address no more.
    const noteClient = keepAddress(c)
    const again =
      refresh &&
      (async (request: Request): Promise<Response> => {
        refreshing.add(request)
        noteClient(request)
        return refresh(request, c)
      })
    let cookies = NONE
    let asked = false
    const handler = async (request: Request): Promise<Response> => {
      // The handlers of a request can run only once.
      if (asked) return again ? again(request) : new Response(null, { status: 502 })
      asked = true
      const { raw } = c.req
      const limits: MayStore[] = []
      const own: Asking = { cache, before: askingOf(c), limits }
      noteClient(request)
      stateTextType(c)
      c.req.raw = request
      asking.set(c, own).set(request, own)
      try {
        await next()
        const saved = await saveSessions(c, c.res)
        if (saved) limits.push(() => false)
        if (limits.length > 0) {
          if (mayStore) limits.push(mayStore)
          context.mayStore = (response) => limits.every((limit) => limit(response))
        }
        const response = prepare(c, before, saved !== undefined)
        if (saved) cookies = [...saved.map(cookieField), ...takeCookies(response)]
        return response
      } finally {
        // The application may be asked with the same object again.
        asking.delete(request)
        // Middleware in front must find the conditions of its client, not those of the cache.
        if (c.req.raw === request) c.req.raw = raw
      }
    }
    const context = new RequestContext(c, again ?? false)
    if (keyGenerator) context.key = await keyGenerator(c)
    if (mayStore) context.mayStore = mayStore
    const response = await cache(c.req.raw, handler, context)
    replace(withFields(withFields(response, before), cookies))
  }
}

/**
 * The context that the cache gets with a request. A class because of its getter. For a getter in an object literal V8 makes a
 * hidden class per request, which keeps the request in memory until the next full collection.
 */
class RequestContext implements HttpCacheContext {
  readonly refresh: NonNullable<HttpCacheContext['refresh']>
  /** Hono copies the fields of a response to the one by which middleware in front replaces it. */
  readonly addLength = false
  key?: string
  mayStore?: MayStore
  private readonly c: Context
  constructor(c: Context, refresh: NonNullable<HttpCacheContext['refresh']>) {
    this.c = c
    this.refresh = refresh
  }
  /** Read only when there is work to keep alive. Reading `c.executionCtx` throws where Hono has none. */
  get waitUntil(): WaitUntil | undefined {
    return waitUntilOf(this.c)
  }
}

type Fields = readonly (readonly [string, string])[]
const NONE: Fields = []

/** Fields that control caching for all clients, or describe the body. They are stored whoever has set them. */
const SHARED =
  /^(?:cache-|cdn-|hither-|vercel-|content-|no-vary-|(?:vary|expires|etag|last-modified|date|age|location)$)/

/**
 * The fields that middleware in front has set for this request, such as its id, its limits or an allowed origin. Hono adds them
 * to the handler's response. They are removed before the response is stored: another client would get them.
 */
const fieldsBefore = (c: Context): Fields => [...c.body(null, 200).headers].filter(([name]) => !SHARED.test(name))

/** Adds to a response, which may be a stored one, the fields set for this request. */
function withFields(response: Response, fields: Fields): Response {
  if (response.status < 200) return response
  const { headers } = response
  for (const [name, value] of fields) {
    if (name === 'set-cookie' ? !headers.getSetCookie().includes(value) : !headers.has(name))
      headers.append(name, value)
  }
  return response
}

/** Throws `INVALID_ARGUMENT` for options of the wrong kind, which would otherwise fail at each request. */
function checkKinds<E extends Env>(options: CacheResponseOptions<E>): void {
  const { cacheControl, cdnCacheControl, vary, tags, keyGenerator, cacheableStatusCodes, refresh } = options
  const isText = (one: unknown): boolean => typeof one === 'string'
  const isFunction = (one: unknown): boolean => typeof one === 'function'
  const isListOf = (is: (one: unknown) => boolean) => (list: unknown) => Array.isArray(list) && list.every(is)
  const check = (name: string, given: unknown, ...kinds: ((one: unknown) => boolean)[]): void => {
    if (given !== undefined && !kinds.some((is) => is(given))) throw invalid(`${name} is of another kind`)
  }
  check('cacheControl', cacheControl, isText)
  check('cdnCacheControl', cdnCacheControl, isText)
  check('vary', vary, isText, isListOf(isText))
  check('tags', tags, isFunction, isListOf(isText))
  check('keyGenerator', keyGenerator, isFunction)
  check('cacheableStatusCodes', cacheableStatusCodes, isListOf(Number.isInteger))
  check('refresh', refresh, isFunction)
}

/**
 * As `fieldTag` of `src/http/tags.ts`: percent-encodes commas and characters that no field can carry. Not imported, since this
 * entry would then load all of `hither/http`.
 */
const fieldTag = (tag: string): string =>
  `${tag}`
    .trim()
    .toWellFormed()
    .replace(/[^ -+\--~]/gu, encodeURIComponent)

/** Whether a status may get a lifetime. A browser would keep an error with one: a 401 after a login, or a 500 after an outage. */
function isGood({ status }: Response): boolean {
  return status < 400 || status === 404 || status === 410
}

/**
 * Gives a 304 the weak tag by which it was asked. `etag()` behind `compress()` names the strong tag of the body before it was
 * compressed: by that the cache would not know the stored response again.
 */
function nameAskedTag(headers: Headers, asked: string | undefined): void {
  const tag = headers.get('etag')
  if (tag !== null && asked === `W/${tag}`) headers.set('etag', asked)
}

/** Takes the cookies off a response, so that a 304 cannot add them to the stored one. */
function takeCookies({ status, headers }: Response): Fields {
  const cookies = headers.getSetCookie()
  if (status >= 200) headers.delete('set-cookie')
  return cookies.map(cookieField)
}

const cookieField = (cookie: string): readonly [string, string] => ['set-cookie', cookie]

/** Keeps the cache from storing what a refresh got, whatever the handler said. It is sent to nobody. */
function forbidStoring(headers: Headers): void {
  headers.set('cache-control', 'no-store')
  for (const name of [...headers.keys()]) if (name.endsWith('-cache-control')) headers.delete(name)
}

/** Directives by which a handler says that a response is not for everyone, or must be validated before each use. */
const FORBIDDING = /(?<![\w-])(?:no-store|no-cache|private)(?![\w-])/i

/** Adds the directives whose names a field lacks. Adds no lifetime beside Expires, since it would override Expires. */
function addDirectives(headers: Headers, field: string, directives: string): void {
  const nameOf = (directive: string): string => (directive.split('=', 1)[0] as string).trim().toLowerCase()
  const known = (headers.get(field) ?? '').split(',').map(nameOf)
  if (field === 'cache-control' && headers.has('expires')) known.push('max-age', 's-maxage')
  for (const directive of directives.split(',')) {
    if (directive.trim() && !known.includes(nameOf(directive))) headers.append(field, directive.trim())
  }
}

function invalid(message: string): HitherError {
  return new HitherError('INVALID_ARGUMENT', message)
}
