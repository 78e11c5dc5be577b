import { elapsedMs, now, setTimer, sleep } from '../runtime/clock.ts'
import { random } from '../runtime/random.ts'
import { isFinal, tellStatus } from './answer.ts'
import type { Story } from './cache-status.ts'
import { createFlight, type Engine, type Flight, flightOf, isPassedOn, type Outcome } from './engine.ts'
import type { StoredResponse } from './entry.ts'
import { type FetchTask, type Forwarded, fetchAndKeep, gatewayTimeout, respond, withHeaders } from './fetch.ts'
import { choose, type Looked, look, lookNear } from './look.ts'
import { bypassReason, directivesOf, hasIdentity, type Plan, ruleFor } from './plan.ts'
import { judgeUse } from './reuse.ts'
import type { Lease } from './storage.ts'
import type { HttpCacheContext, NextHandler } from './types.ts'
import { handleUnsafe } from './unsafe.ts'

const nothing = (): void => {}
const HIT: Story = { hit: true }

/**
 * Responds to one request, in the first of these ways that applies:
 *
 * - another method than GET and HEAD: `handleUnsafe`;
 * - a rule, a host or the request itself excludes it from the cache: pass it to the origin (`bypassReason`);
 * - a near tier entry is fresh, or a stored response may be used as it is (`judgeUse`): respond with it;
 * - the store is down: pass the request to the origin, or 504 if it says `only-if-cached`;
 * - the request says `only-if-cached`: 504;
 * - a stored response is within `stale-while-revalidate`: respond with it, and `refresh` it in the background, unless the request
 *   may be such a refresh, of another cache of the same record (`isPassedOn`);
 * - otherwise `load`: join the flight of another request, or `lead` one, which takes the lease in the store (`begin`) and
 *   fetches (`fetchAndKeep`).
 */
export async function handle(
  engine: Engine,
  request: Request,
  next: NextHandler,
  context: HttpCacheContext,
): Promise<Response> {
  const rule = ruleFor(engine.rules, request)
  const { method } = request
  if (method !== 'GET' && method !== 'HEAD') return handleUnsafe(engine, { request, next, context, rule })
  const why = bypassReason(request, rule, engine.hosts)
  if (why) return passThrough(engine, request, next, { fwd: 'bypass', detail: why })
  const place = await engine.placeOf(request.url, rule?.key?.(request) ?? '', rule?.ignoreQuery, context.key)
  const plan: Plan = {
    request,
    next,
    context,
    rule,
    place,
    directives: directivesOf(request),
    hasIdentity: hasIdentity(request.headers, rule, !engine.policy.personal),
  }
  const near = lookNear(engine, plan)
  if (near) {
    engine.tell({ type: 'hit' })
    return respond(engine, plan, near, HIT)
  }
  let looked: Looked
  try {
    looked = await look(engine, plan)
  } catch (error) {
    engine.tell({ type: 'store-error', error })
    if (plan.directives.has('only-if-cached')) return gatewayTimeout(engine, { detail: 'store' })
    return passThrough(engine, request, next, { fwd: 'miss', detail: 'store' })
  }
  const { stored, plan: found } = looked
  const use = stored && judgeUse(stored, plan.directives, now())
  if (stored && (use === 'fresh' || use === 'max-stale')) {
    engine.tell({ type: use === 'fresh' ? 'hit' : 'stale' })
    return respond(engine, found, stored, HIT)
  }
  if (plan.directives.has('only-if-cached')) return gatewayTimeout(engine, { detail: 'only-if-cached' })
  if (stored && use === 'refresh' && context.refresh !== false && !isPassedOn(engine, plan)) {
    engine.tell({ type: 'stale' })
    // The response to a request with `no-store` would not be stored.
    if (!plan.directives.has('no-store')) refresh(engine, found, stored)
    return respond(engine, found, stored, HIT)
  }
  engine.tell({ type: 'miss' })
  const fwd = use === 'request' ? use : use ? 'stale' : looked.others ? 'vary-miss' : 'uri-miss'
  return load(engine, { plan: found, stored, story: { fwd } })
}

/**
 * Fetches a response, for this request alone or for all that ask for the same meanwhile. `endMs`: until when it waits for the
 * flight of another request, by `elapsedMs`. `variant`: the request's values of the fields in Vary, where that is known.
 */
async function load(
  engine: Engine,
  forwarded: Forwarded,
  endMs: number = elapsedMs() + engine.collapseTimeoutMs,
  variant?: string,
): Promise<Response> {
  const { plan, stored, story } = forwarded
  const key = `${plan.place.record} ${variant ?? stored?.variant ?? ''}`
  const shares = !isPassedOn(engine, plan) && mayShare(plan, story) && !(stored && isNeverFresh(stored))
  const flight = shares ? flightOf(engine, key) : undefined
  if (flight) {
    flight.join()
    const answer = await answerOf(flight, endMs - elapsedMs())
    // The flight may hang. The first request that waited too long replaces it, so that later requests wait for the new flight.
    if (answer === 'late') {
      plan.request.signal.throwIfAborted()
      const isFirst = engine.flights.get(key) === flight
      const lease = variant === undefined ? 'take' : 'none'
      return lead(engine, { ...forwarded, story: { ...story, collapsed: false } }, isFirst ? key : undefined, lease)
    }
    // The stored response may be purged. Load as if nothing was stored, together with the requests that came since.
    if (answer === 'again') return load(engine, { plan, stored: undefined, story: { fwd: 'uri-miss' } }, endMs)
    if (answer === 'left') {
      // Clients often leave together. One that has left must not lead the next flight: that would wake the others for nothing.
      plan.request.signal.throwIfAborted()
      return load(engine, forwarded, endMs, variant)
    }
    if (answer && isUsable(engine, answer, plan)) return respond(engine, plan, answer, { ...story, collapsed: true })
    const alone: Forwarded = { ...forwarded, story: { ...story, collapsed: false } }
    if (!answer || choose(engine, { responses: [answer] }, plan)) return lead(engine, alone)
    // The response is of another variant. Its Vary says which of the requests that waited ask for the same one.
    const { headers } = plan.request
    return load(engine, alone, endMs, JSON.stringify(answer.selectors.map(([name]) => [name, headers.get(name)])))
  }
  return lead(engine, forwarded, shares ? key : undefined, variant === undefined ? 'ask' : 'none')
}

/** The outcome of the flight, or `late` if that takes more than `ms` milliseconds. */
function answerOf({ answer }: Flight, ms: number): Promise<Outcome | 'late'> {
  return new Promise((resolve) => {
    answer.then(resolve)
    answer.then(setTimer(() => resolve('late'), ms))
  })
}

/** Whether each use of a stored response has to be validated: a response like it is of no use to the requests that wait for it. */
const isNeverFresh = ({ noCache, lifetimeMs, swrMs }: StoredResponse): boolean => noCache || lifetimeMs + swrMs === 0

/** Whether the response to a request may be shared with other requests, as far as the request's own fields show. */
function mayShare({ request, hasIdentity, directives }: Plan, { fwd }: Story): boolean {
  const { method, headers } = request
  const isPlain = !['authorization', 'range', 'if-none-match', 'if-modified-since'].some((name) => headers.has(name))
  return method === 'GET' && isPlain && !hasIdentity && fwd !== 'request' && !directives.has('no-store')
}

const isUsable = (engine: Engine, answer: StoredResponse, plan: Plan): boolean =>
  choose(engine, { responses: [answer] }, plan) !== undefined && judgeUse(answer, plan.directives, now()) === 'fresh'

/**
 * Fetches for this request. With `key`, other requests wait for the response: in this process by the flight, in others by the
 * lease. Without `key` the response is for this client alone. A known variant takes no lease: the lease is that of the whole URL.
 */
async function lead(engine: Engine, forwarded: Forwarded, key?: string, lease: Lease = 'ask'): Promise<Response> {
  const { plan, story } = forwarded
  const flight = createFlight(engine, key)
  try {
    const begun = await begin(engine, forwarded, key === undefined ? 'none' : lease)
    if ('status' in begun) {
      flight.settle(begun)
      return await respond(engine, plan, begun, { ...story, collapsed: true })
    }
    // The last response could not be shared, so the next one is not waited for. A known variant has not asked for the lease.
    if (lease !== 'none' && begun.fetching?.role === 'alone' && !begun.stored) flight.settle(undefined)
    const { awaited, settle: onDone, leave: onStoring } = flight
    return await fetchAndKeep({ ...forwarded, ...begun, engine, onDone, onStoring, awaited })
  } catch (error) {
    flight.settle(undefined)
    throw error
  }
}

/**
 * Begins to fetch. If it asks for the lease, it waits while another process fetches the same URL, and resolves to the response
 * that it has stored. That also covers a process that has fetched and stored after this one read the store and before it asked for
 * the lease. It takes the lease from a process that does not end in time, so that no other request waits for that one. Otherwise
 * resolves to the fetch, and to the stored response that is to be validated, as last read.
 */
async function begin(
  engine: Engine,
  { plan, stored }: Forwarded,
  lease: Lease,
): Promise<StoredResponse | Pick<FetchTask, 'fetching' | 'stored'>> {
  const endMs = elapsedMs() + engine.collapseTimeoutMs
  let known = stored
  try {
    let { seenUs } = plan
    for (let pauseMs = 20; ; pauseMs = Math.min(pauseMs * 1.5, 250)) {
      const isLate = lease === 'ask' && elapsedMs() >= endMs
      const fetching = await engine.storage.begin(plan.place, isLate ? 'take' : lease, seenUs)
      if (fetching.role !== 'waits' && fetching.role !== 'behind') return { fetching, stored: known }
      if (fetching.role === 'waits') await sleep(pauseMs * (0.5 + random()))
      const found = await look(engine, plan)
      known = found.stored
      if (known && isUsable(engine, known, plan)) return known
      seenUs = found.plan.seenUs
    }
  } catch (error) {
    engine.tell({ type: 'store-error', error })
    return { fetching: undefined, stored }
  }
}

/** Renews a stale response that was sent. One refresh runs at a time: in this process by the flight, in others by the lease. */
function refresh(engine: Engine, plan: Plan, stored: StoredResponse): void {
  const { request, context } = plan
  const key = `${plan.place.record} ${stored.variant}`
  if (flightOf(engine, key)) return
  const work = async (): Promise<void> => {
    // Without the client's signal, since the client may leave before the refresh ends, and without its conditions.
    const headers = new Headers(request.headers)
    for (const name of ['if-none-match', 'if-modified-since', 'range', 'if-range']) headers.delete(name)
    const again = withHeaders(request, headers, { method: 'GET', signal: null })
    const next = context.refresh || plan.next
    const inner: Plan = { ...plan, request: again, next }
    const begun = await engine.storage.begin(plan.place, 'ask', plan.seenUs)
    if (begun.role === 'waits' || begun.role === 'behind') return
    // Where nobody waits for the lease, the first to come here goes alone as well.
    if (begun.role === 'alone' && flightOf(engine, key)) return
    const { settle } = createFlight(engine, key)
    const story = { fwd: 'stale' } as const
    const task = { engine, plan: inner, stored, fetching: begun, story, onDone: settle, awaited: Promise.resolve() }
    const response = await fetchAndKeep(task)
    // The body is stored while it is read, so read it to its end.
    await response.body?.pipeTo(new WritableStream())
  }
  const done = work().catch((error: unknown) => engine.tell({ type: 'background-error', error }))
  engine.background.add(done, context.waitUntil, nothing)
}

/** Responds with the origin's response. */
async function passThrough(engine: Engine, request: Request, next: NextHandler, story: Story): Promise<Response> {
  engine.tell({ type: 'bypass' })
  return withStatus(engine, await next(request), story)
}

function withStatus(engine: Engine, response: Response, story: Story): Response {
  if (!isFinal(response)) return response
  const made = new Response(response.body, response)
  tellStatus(made.headers, engine.name, { ...story, fwdStatus: response.status })
  return made
}
