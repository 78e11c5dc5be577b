import { now } from '../runtime/clock.ts'
import { encodedInit, isFinal, tellStatus } from './answer.ts'
import { controlOf } from './directives.ts'
import type { Engine } from './engine.ts'
import { lifetimeOf, type Received } from './freshness.ts'
import { judge, passAndKeep } from './keep.ts'
import { directivesOf, type Plan, ruleFor, type Visit } from './plan.ts'
import { endedGroups } from './tags.ts'

/** Methods that change nothing; their answers are not stored here. */
const SAFE: ReadonlySet<string> = new Set(['OPTIONS', 'TRACE', 'QUERY', 'PROPFIND', 'REPORT', 'SEARCH'])

/** Passes a request on whose method is not GET or HEAD; what it may have changed is dropped before its client is answered. */
export async function handleUnsafe(engine: Engine, visit: Visit): Promise<Response> {
  engine.tell({ type: 'bypass' })
  const { request, next } = visit
  const { method } = request
  const requestMs = now()
  const response = await next(request)
  if (!isFinal(response)) return response
  const headers = new Headers(response.headers)
  let stored: BodyInit | null | undefined
  if (!SAFE.has(method) && response.status >= 200 && response.status < 400) {
    try {
      await invalidateAfter(engine, visit, response.headers)
      const received = { status: response.status, headers: response.headers, requestMs, responseMs: now() }
      if (method === 'POST') stored = await keepAsGet(engine, { ...visit, response, received })
    } catch (error) {
      engine.tell({ type: 'store-error', error })
    }
  }
  tellStatus(headers, engine.name, {
    fwd: 'method',
    fwdStatus: response.status,
    ...(stored === undefined ? {} : { stored: true }),
  })
  const { status, statusText } = response
  const body = stored === undefined ? response.body : stored
  return new Response(body, { status, statusText, headers, ...encodedInit(headers) })
}

/** Drops the URL, those of Location and Content-Location, and the groups that are named: all of one origin. */
async function invalidateAfter(engine: Engine, { request, context }: Visit, headers: Headers): Promise<void> {
  const { url } = request
  const target = new URL(url)
  const urls = new Set([target.href])
  for (const name of ['location', 'content-location']) {
    const value = headers.get(name)
    if (value === null || !URL.canParse(value, url)) continue
    const other = new URL(value, url)
    if (other.origin === target.origin) urls.add(other.href)
  }
  const work = [...urls].map((one) => invalidateUrl(engine, one, request.headers, context.key !== undefined))
  const groups = await endedGroups(engine.keys, target.origin, headers)
  if (groups.length > 0) work.push(engine.storage.end(groups).then(() => {}))
  await Promise.all(work)
}

/**
 * Drops a URL; with its path's other queries and keys where a rule makes one of several. `headers`: of a request that might ask for
 * it. `hasOtherKeys`: something else stands for path and query.
 */
export async function invalidateUrl(
  engine: Engine,
  url: string,
  headers?: Headers,
  hasOtherKeys?: boolean,
): Promise<void> {
  const target = new URL(url)
  // No `Request` can have a name and a password, nor has a key.
  target.username = target.password = target.hash = ''
  const rule = ruleFor(engine.rules, new Request(target, headers && { headers }))
  const place = await engine.placeOf(target.href, '', rule?.ignoreQuery)
  // Another request for it may match another rule: by its fields, which a purge does not know.
  const mayHaveOthers = engine.rules.some((one) => typeof one.match === 'function' && (one.key || one.ignoreQuery))
  const isShared = hasOtherKeys || rule?.key || mayHaveOthers || (await engine.storage.hasQueryRule(place))
  const pathKey = isShared ? [await engine.keys.path(place.origin, place.path)] : []
  await Promise.all([engine.storage.invalidate(place), ...(isShared ? [engine.storage.end(pathKey)] : [])])
}

interface PostAnswer extends Visit {
  readonly response: Response
  readonly received: Received
}

/**
 * The answer to a POST that says, by Content-Location, that it is what a GET of the same URL would be, and for how long
 * (RFC 9110, section 9.3.3). In `full` only, and of requests that name nobody. Undefined: it is not stored.
 */
async function keepAsGet(engine: Engine, post: PostAnswer): Promise<BodyInit | null | undefined> {
  const { request, response, received, rule } = post
  const { headers } = response
  const at = headers.get('content-location')
  if (!engine.policy.heuristics || response.status !== 200 || at === null || !URL.canParse(at, request.url))
    return undefined
  const isSame = new URL(at, request.url).href === new URL(request.url).href
  const namesSomebody = request.headers.has('authorization') || request.headers.has('cookie')
  if (!isSame || namesSomebody || !lifetimeOf(received, controlOf(headers), undefined, false).explicit) return undefined
  const place = await engine.placeOf(request.url, rule?.key?.(request) ?? '', rule?.ignoreQuery, post.context.key)
  const plan: Plan = { ...post, place, directives: directivesOf(request), hasIdentity: false }
  const { verdict, control } = judge(engine, plan, received)
  if (!verdict.store) return undefined
  const fetching = await engine.storage.begin(place)
  return passAndKeep(engine, {
    plan,
    fetching,
    response,
    received,
    control,
    verdict,
    onStored() {},
    awaited: new Promise(() => {}),
  })
}
