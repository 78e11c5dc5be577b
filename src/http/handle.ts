import { REQUEST_SCOPED } from '../runtime/background.ts'
import { elapsedMs, now, sleep } from '../runtime/clock.ts'
import { random } from '../runtime/random.ts'
import { encodedInit, isFinal, tellStatus } from './answer.ts'
import type { Story } from './cache-status.ts'
import { createFlight, type Engine, flightOf } from './engine.ts'
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

/** Answers one request: what is stored is looked up, judged, and used or fetched. */
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
  if (stored && use === 'refresh' && context.refresh !== false) {
    engine.tell({ type: 'stale' })
    // The answer to a request with `no-store` would not be stored.
    if (!plan.directives.has('no-store')) refresh(engine, found, stored)
    return respond(engine, found, stored, HIT)
  }
  engine.tell({ type: 'miss' })
  const fwd = use === 'request' ? use : use ? 'stale' : looked.others ? 'vary-miss' : 'uri-miss'
  return load(engine, { plan: found, stored, story: { fwd } })
}

/**
 * Fetches a response, alone or for all that ask for the same meanwhile. `endMs`: until when it waits for another's, by `elapsedMs`.
 * `variant`: the fields that select one, where that is known.
 */
async function load(
  engine: Engine,
  forwarded: Forwarded,
  endMs: number = elapsedMs() + engine.collapseTimeoutMs,
  variant?: string,
): Promise<Response> {
  const { plan, stored, story } = forwarded
  const key = `${plan.place.record} ${variant ?? stored?.variant ?? ''}`
  const shares = mayShare(plan, story)
  const flight = shares && !REQUEST_SCOPED ? flightOf(engine, key) : undefined
  if (flight) {
    flight.join()
    const answer = await Promise.race([flight.answer, sleep(endMs - elapsedMs()).then(() => 'late' as const)])
    // It may hang: the first that has waited for long enough stands in for it, so that those that come later wait for that one.
    if (answer === 'late') {
      const isFirst = engine.flights.get(key) === flight
      return lead(engine, { ...forwarded, story: { ...story, collapsed: false } }, isFirst ? key : undefined, 'take')
    }
    // What was stored may be gone: it is asked for as if nothing was, together with those that came since.
    if (answer === 'again') return load(engine, { plan, stored: undefined, story: { fwd: 'uri-miss' } }, endMs)
    if (answer === 'left') {
      // Clients often leave together: of a thousand that have gone none is to lead, and to wake the others for nothing.
      plan.request.signal.throwIfAborted()
      return load(engine, forwarded, endMs, variant)
    }
    if (answer && isUsable(engine, answer, plan)) return respond(engine, plan, answer, { ...story, collapsed: true })
    const alone: Forwarded = { ...forwarded, story: { ...story, collapsed: false } }
    if (!answer || choose(engine, { responses: [answer] }, plan)) return lead(engine, alone)
    // Its Vary says which of those that have waited ask for the same.
    const { headers } = plan.request
    return load(engine, alone, endMs, JSON.stringify(answer.selectors.map(([name]) => [name, headers.get(name)])))
  }
  return lead(engine, forwarded, shares ? key : undefined, variant === undefined ? 'ask' : 'none')
}

/** Whether the answer to a request may be given to others, as far as its own fields tell. */
function mayShare({ request, hasIdentity, directives }: Plan, { fwd }: Story): boolean {
  const { method, headers } = request
  const isPlain = !['authorization', 'range', 'if-none-match', 'if-modified-since'].some((name) => headers.has(name))
  return method === 'GET' && isPlain && !hasIdentity && fwd !== 'request' && !directives.has('no-store')
}

const isUsable = (engine: Engine, answer: StoredResponse, plan: Plan): boolean =>
  choose(engine, { responses: [answer] }, plan) !== undefined && judgeUse(answer, plan.directives, now()) === 'fresh'

/**
 * `key`: others of this process, and by the `lease` of other processes, wait for it. Without it the answer is for this client alone.
 * One variant does not wait for another's lease, which is that of the URL.
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
    const { awaited, settle: onDone, leave: onStoring } = flight
    return await fetchAndKeep({ ...forwarded, ...begun, engine, onDone, onStoring, awaited })
  } catch (error) {
    flight.settle(undefined)
    throw error
  }
}

/**
 * Begins to fetch. Asking for the lease, waits while another process fetches the same, and resolves to what that has stored: also
 * where it did both between this one's look and its question. Takes the lease of one that does not end in time, so that nobody
 * else waits for it. `stored`: what is there to be validated after that.
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

/** Renews a stale response that was answered with; once at a time in this process, and by the lease in others. */
function refresh(engine: Engine, plan: Plan, stored: StoredResponse): void {
  const { request, context } = plan
  const key = `${plan.place.record} ${stored.variant}`
  if (flightOf(engine, key) && !REQUEST_SCOPED) return
  const work = async (): Promise<void> => {
    // Not the client's signal, nor its conditions: it may be gone by then.
    const headers = new Headers(request.headers)
    for (const name of ['if-none-match', 'if-modified-since', 'range', 'if-range']) headers.delete(name)
    const again = withHeaders(request, headers, { method: 'GET', signal: null })
    const next = context.refresh || plan.next
    const inner: Plan = { ...plan, request: again, next }
    const begun = await engine.storage.begin(plan.place, 'ask', plan.seenUs)
    if (begun.role === 'waits' || begun.role === 'behind') return
    const { settle } = createFlight(engine, key)
    const story = { fwd: 'stale' } as const
    const task = { engine, plan: inner, stored, fetching: begun, story, onDone: settle, awaited: Promise.resolve() }
    const response = await fetchAndKeep(task)
    // Read to its end: it is stored on its way.
    await response.body?.pipeTo(new WritableStream())
  }
  const done = work().catch((error: unknown) => engine.tell({ type: 'background-error', error }))
  engine.background.add(done, context.waitUntil, nothing)
}

/** The origin's answer as it is. */
async function passThrough(engine: Engine, request: Request, next: NextHandler, story: Story): Promise<Response> {
  engine.tell({ type: 'bypass' })
  return withStatus(engine, await next(request), story)
}

function withStatus(engine: Engine, response: Response, story: Story): Response {
  if (!isFinal(response)) return response
  const headers = new Headers(response.headers)
  tellStatus(headers, engine.name, { ...story, fwdStatus: response.status })
  const { status, statusText } = response
  return new Response(response.body, { status, statusText, headers, ...encodedInit(headers) })
}
