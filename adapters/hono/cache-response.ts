import { HitherError, type WaitUntil } from 'hither'
import type { HttpCache, HttpCacheContext } from 'hither/http'
import type { Context, Env, MiddlewareHandler } from 'hono'
import { waitUntilOf } from './wait-until.ts'

export interface CacheResponseOptions<E extends Env = Env> {
  /** Made by `createHttpCache`, or how to come by it for a request, such as from `c.env`. */
  readonly cache: HttpCache | { readonly for: (c: Context<E>) => HttpCache | Promise<HttpCache> }
  /**
   * Directives for Cache-Control, such as `'max-age=60'`: those that a response to GET or HEAD does not have itself are added; no
   * lifetime where it has Expires. Not to errors other than 404 and 410, unless `cacheableStatusCodes` names them.
   */
  readonly cacheControl?: string
  /**
   * As `cacheControl`, for caches between this one and the browser, and this one: CDN-Cache-Control (RFC 9213). Not where the
   * handler's own Cache-Control says `private`, `no-store` or `no-cache`.
   */
  readonly cdnCacheControl?: string
  /** Request fields that a response depends on: added to its Vary. `*` is refused. */
  readonly vary?: string | readonly string[]
  /** Tags: known to `purge({ tags })`, and sent as Cache-Tag and Vercel-Cache-Tag, by which CDNs purge too. */
  readonly tags?: readonly string[] | ((c: Context<E>) => readonly string[])
  /** What stands for path and query in the key. A response is then purged by tags or by its path. */
  readonly keyGenerator?: (c: Context<E>) => string | Promise<string>
  /** Statuses that are stored, of those that may be. @default all that may be */
  readonly cacheableStatusCodes?: readonly number[]
  /**
   * Makes a response anew in the background, such as `(request, c) => app.fetch(request, c.env)`. Without it a response with
   * `stale-while-revalidate` that has become stale is renewed before it is sent.
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

/** Where caches in front read tags: most CDNs in the first field, Vercel's in the second. */
const TAG_FIELDS = ['cache-tag', 'vercel-cache-tag']

/** Requests that `refresh` makes: they go to the handler, whatever is stored. */
const refreshing = new WeakSet<Request>()

type MayStore = (response: Response) => boolean

/** A cache that has asked for a request's response, and the one before it that has. */
interface Asking {
  readonly cache: HttpCache
  readonly before: Asking | undefined
  /** What middleware of the same cache between it and the handler lets it store. */
  readonly limits: MayStore[]
}

/** What has asked for a response, by request. A cache that asked for it twice would wait for itself. */
const asking = new WeakMap<Context, Asking>()

function findAsking(c: Context, cache: HttpCache): Asking | undefined {
  let found = asking.get(c)
  while (found && found.cache !== cache) found = found.before
  return found
}

/**
 * Middleware that serves from a shared HTTP cache, and stores the responses of the handlers after it, as RFC 9111 and the cache's
 * profile allow. Unsafe methods pass, and drop what is stored of their URL. Where several of one cache are passed, the first asks
 * it; the others add their fields and tags, and what one of them gives a key is not stored.
 *
 * Throws `INVALID_ARGUMENT` for options that make no sense. A store that is down lets requests pass to their handlers.
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

  const prepare = (c: Context<E>, before: Fields): Response => {
    // A switch to WebSocket holds a socket, and no `Response` can be made of it again.
    if (c.res.status < 200) return c.res
    // Middleware in front, such as `timeout()`, has sent another: nobody waits for this one.
    if (c.res.bodyUsed) return Response.error()
    const response = new Response(c.res.body, c.res)
    const { headers } = response
    for (const [name, value] of before) if (name !== 'set-cookie' && headers.get(name) === value) headers.delete(name)
    // A field that a 304 does not have stays as it is stored; one that it has takes its place.
    const isAdded = (field: string): boolean => response.status !== 304 || headers.has(field)
    const isRead = c.req.method === 'GET' || c.req.method === 'HEAD'
    const lasts = isRead && (response.status === 304 || (mayStore ?? isGood)(response))
    const mayLast = (field: string): boolean => lasts && isAdded(field)
    // CDN-Cache-Control decides in place of Cache-Control: it must not undo what the handler forbids there.
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
      await next()
      replace(prepare(c, before))
      return
    }
    const cache = typeof source === 'function' ? source : await source.for(c)
    const outer = findAsking(c, cache)
    if (outer) {
      // It has chosen the key: what is to have another one is not stored under that.
      if (keyGenerator) outer.limits.push(() => false)
      if (mayStore) outer.limits.push(mayStore)
      await next()
      replace(prepare(c, []))
      return
    }
    const again =
      refresh &&
      (async (request: Request): Promise<Response> => {
        refreshing.add(request)
        return refresh(request, c)
      })
    let asked = false
    const handler = async (request: Request): Promise<Response> => {
      // Handlers run once for a request.
      if (asked) return again ? again(request) : new Response(null, { status: 502 })
      asked = true
      c.req.raw = request
      const limits: MayStore[] = []
      asking.set(c, { cache, before: asking.get(c), limits })
      await next()
      if (limits.length > 0) {
        if (mayStore) limits.push(mayStore)
        context.mayStore = (response) => limits.every((limit) => limit(response))
      }
      return prepare(c, before)
    }
    const context = new RequestContext(c, again ?? false)
    if (keyGenerator) context.key = await keyGenerator(c)
    if (mayStore) context.mayStore = mayStore
    replace(withFields(await cache(c.req.raw, handler, context), before))
  }
}

/**
 * The context that the cache gets with a request. A class for its getter: with one in an object literal V8 makes a hidden class for
 * each request, which keeps it in memory until the next full collection.
 */
class RequestContext implements HttpCacheContext {
  readonly refresh: NonNullable<HttpCacheContext['refresh']>
  key?: string
  mayStore?: MayStore
  private readonly c: Context
  constructor(c: Context, refresh: NonNullable<HttpCacheContext['refresh']>) {
    this.c = c
    this.refresh = refresh
  }
  /** Asked for when there is work to keep: where there is none, Hono throws. */
  get waitUntil(): WaitUntil | undefined {
    return waitUntilOf(this.c)
  }
}

type Fields = readonly (readonly [string, string])[]

/** What decides over a response for all who ask for it, or describes its body: stored whoever has set it. */
const SHARED =
  /^(?:cache-|cdn-|hither-|vercel-|content-|no-vary-|(?:vary|expires|etag|last-modified|date|age|location)$)/

/**
 * What middleware in front has set for this request, such as its id, its limits or an allowed origin. Hono puts that into what
 * the handler makes: stored with it, another client would get it.
 */
const fieldsBefore = (c: Context): Fields => [...c.body(null, 200).headers].filter(([name]) => !SHARED.test(name))

/** A response to this request with its own fields. */
function withFields(response: Response, fields: Fields): Response {
  if (response.status < 200) return response
  const { headers } = response
  for (const [name, value] of fields) {
    if (name === 'set-cookie' ? !headers.getSetCookie().includes(value) : !headers.has(name))
      headers.append(name, value)
  }
  return response
}

/** What would fail at each request, and not here. */
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
 * As `fieldTag` of `src/http/tags.ts`: what no field can carry, and a comma, is encoded as in a URL. Not imported, since this entry
 * would then load all of `hither/http`.
 */
const fieldTag = (tag: string): string =>
  `${tag}`
    .trim()
    .toWellFormed()
    .replace(/[^ -+\--~]/gu, encodeURIComponent)

/** A browser would keep an error with a max-age: 401 after a login, or 500 after an outage. */
function isGood({ status }: Response): boolean {
  return status < 400 || status === 404 || status === 410
}

/** What a handler says of a response that is not for all, or not to be used without asking it. */
const FORBIDDING = /(?<![\w-])(?:no-store|no-cache|private)(?![\w-])/i

/** Adds directives whose names a field does not have. A lifetime beside Expires would take its place. */
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
