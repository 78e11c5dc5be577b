import { now } from '../runtime/clock.ts'
import { isFinal, tellStatus } from './answer.ts'
import { controlOf } from './directives.ts'
import type { Engine } from './engine.ts'
import { lifetimeOf, type Received } from './freshness.ts'
import { judge, passAndKeep } from './keep.ts'
import { directivesOf, type Plan, ruleFor, type Visit } from './plan.ts'
import { endedGroups } from './tags.ts'

/** Methods that change nothing. Their responses are not stored here. */
const SAFE: ReadonlySet<string> = new Set(['OPTIONS', 'TRACE', 'QUERY', 'PROPFIND', 'REPORT', 'SEARCH'])

/** Passes on a request whose method is not GET or HEAD. Drops the responses that it may have outdated before it responds. */
export async function handleUnsafe(engine: Engine, visit: Visit): Promise<Response> {
  engine.tell({ type: 'bypass' })
  const { request, next } = visit
  const { method } = request
  const requestMs = now()
  const response = await next(request)
  if (!isFinal(response)) return response
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
  const made = new Response(stored === undefined ? response.body : stored, response)
  tellStatus(made.headers, engine.name, {
    fwd: 'method',
    fwdStatus: response.status,
    ...(stored === undefined ? {} : { stored: true }),
  })
  return made
}

/** Drops the request's URL, those of Location and Content-Location, and the groups that the response names, all of one origin. */
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
 * Drops the responses of a URL. If some may be stored under other queries or keys (by the `key` of a rule or a context, or by
 * No-Vary-Search), drops all responses of its path. `headers`: those of a request for the URL, to find its rule.
 * `hasOtherKeys`: a `key` of the context replaces path and query.
 */
export async function invalidateUrl(
  engine: Engine,
  url: string,
  headers?: Headers,
  hasOtherKeys?: boolean,
): Promise<void> {
  const target = new URL(url)
  // A `Request` cannot be made of a URL with a user name and a password, and keys have neither.
  target.username = target.password = target.hash = ''
  const rule = ruleFor(engine.rules, new Request(target, headers && { headers }))
  const place = await engine.placeOf(target.href, '', rule?.ignoreQuery)
  // The rule may depend on fields of the request, which a purge does not know: other requests for the URL may have other keys.
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
 * Stores the response to a POST as that of a GET, if it says so by a Content-Location of the same URL, and states its lifetime
 * (RFC 9110, section 9.3.3). Only in `full`, and only for requests without Cookie and Authorization. Undefined if not stored.
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
  const body = await passAndKeep(engine, {
    plan,
    fetching,
    response,
    received,
    control,
    verdict,
    onStored() {},
    awaited: new Promise(() => {}),
  })
  return typeof body === 'string' ? undefined : body
}
