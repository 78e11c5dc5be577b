/**
 * Asks the origin for a response, and decides what becomes of it (`ask`):
 *
 * - a 304 that confirms the stored response: `freshen` renews it; a 304 about another response: ask again without conditions;
 * - a 5xx, or no response at all: the stored response may stand in (`mayReplaceError`);
 * - the response to a HEAD: `passHead`; any other: `passOn`, which stores it on its way to the client if it may be stored.
 *
 * `done` is called as soon as it is known what the waiting requests may use; only its first call counts. It frees the lease if
 * nothing was stored.
 *
 * `respond` makes a response from a stored one.
 */
import { now } from '../runtime/clock.ts'
import { type AnswerRequest, answerAtOnce, answerFrom, isFinal, readFirst, tellStatus } from './answer.ts'
import type { Story } from './cache-status.ts'
import { listOf } from './directives.ts'
import { type Engine, failureOf, isPassedOn, type Outcome, passedOn } from './engine.ts'
import type { StoredResponse } from './entry.ts'
import { headersOf, storableFields, updatedFields } from './fields.ts'
import { initialAgeMs, type Received } from './freshness.ts'
import { draftOf, judge, passAndKeep, putDraft } from './keep.ts'
import { placeBy, queryRuleOf } from './look.ts'
import type { Plan } from './plan.ts'
import { mayReplaceError } from './reuse.ts'
import type { Fetching } from './storage.ts'
import { addTags, ruleTags, versionKeysOf } from './tags.ts'
import { agreesWithHead, conditional, hasOwnConditions, isConfirmed, isNotModified } from './validate.ts'

/** A request that goes to the origin. */
export interface Forwarded {
  readonly plan: Plan
  /** The stored response that has to be validated, if there is one. */
  readonly stored: StoredResponse | undefined
  /** Why the request goes to the origin. */
  readonly story: Story
}

export interface FetchTask extends Forwarded {
  readonly engine: Engine
  /** Undefined when the store does not reply: then nothing is stored. */
  readonly fetching: Fetching | undefined
  /** Called once, as soon as it is known what other requests may use: a stored response, or nothing. */
  onDone(stored: Outcome): void
  /** Called before a response is stored. */
  readonly onStoring?: () => void
  /** Resolves once other requests wait for the response. */
  readonly awaited: Promise<void>
}

/** Asks the origin. Resolves to its response, or to the stored one. Rejects as `next` does. */
export async function fetchAndKeep(task: FetchTask): Promise<Response> {
  let isDone = false
  const done: Done = (stored, isShareable = stored !== undefined) => {
    if (isDone) return
    isDone = true
    const { engine, plan, fetching } = task
    if (typeof stored !== 'object' && fetching?.role === 'leads') {
      const release = engine.storage.release(plan.place, fetching, !isShareable)
      engine.background.add(
        release.catch(() => {}),
        plan.context.waitUntil,
        () => {},
      )
    }
    task.onDone(stored)
  }
  try {
    return await ask(await withFirst(task), done)
  } catch (error) {
    done(undefined, true)
    throw error
  }
}

/**
 * Before a handler is asked that can be asked only once: reads the first chunk of the stored body, which is sent after a 304. If it
 * cannot be read, the whole response is asked for.
 */
async function withFirst(task: FetchTask): Promise<FetchTask> {
  const { engine, plan, stored } = task
  const { request, context } = plan
  if (context.refresh !== false || !stored || !('id' in stored.body) || request.method === 'HEAD') return task
  // A client that has the tag of the stored response gets a 304 after a 304, whatever fields that renews.
  const { headers } = request
  if (stored.status === 200 && headers.has('if-none-match') && isNotModified(headers, headersOf(stored.fields), 0))
    return task
  const first = await readFirst({ request, stored, chunks: engine.storage.chunks }).catch((error: unknown) =>
    engine.tell({ type: 'store-error', error }),
  )
  return first ? { ...task, plan: { ...plan, first } } : { ...task, stored: undefined }
}

type Done = (stored: Outcome, isShareable?: boolean) => void

async function ask(task: FetchTask, done: Done): Promise<Response> {
  const { engine, plan, stored } = task
  const { request, next } = plan
  const known = stored && headersOf(stored.fields)
  const requestMs = now()
  const standIn = async (status?: number): Promise<Response | undefined> => {
    const answer = status !== undefined && status >= 500 ? status : 'none'
    // A client that sent `no-cache` gets no stored response.
    if (!stored || plan.directives.has('no-cache') || !mayReplaceError(stored, answer, now(), plan.directives))
      return undefined
    const why = status ? { fwdStatus: status, detail: 'error' } : { detail: 'disconnected' }
    return respond(engine, plan, stored, { ...task.story, ...why })
  }
  let response: Response
  try {
    const asked = known ? withHeaders(request, conditional(request.headers, known)) : request
    if (!isPassedOn(engine, { ...plan, request: asked })) passedOn.set(asked, { engine, record: plan.place.record })
    response = await next(asked)
  } catch (error) {
    done(failureOf(request), true)
    const instead = await standIn()
    if (instead) return instead
    if (stored?.noStale) return gatewayTimeout(engine, { ...task.story, detail: 'disconnected' })
    throw error
  }
  if (!isFinal(response)) {
    done(undefined, true)
    return response
  }
  const received: Received = {
    status: response.status,
    headers: response.status === 304 ? response.headers : withRule(engine, plan, response),
    requestMs,
    responseMs: now(),
  }
  // If the conditions are those of the client, a 304 says nothing about the stored response.
  if (stored && known && response.status === 304 && !hasOwnConditions(request.headers, known)) {
    if (isConfirmed(known, response.headers)) return freshen(task, stored, received, done)
    // This 304 is about another response than the stored one: ask again without conditions, for the whole response. A handler that
    // can be asked only once gets that chance with the next request.
    if (plan.context.refresh === false) {
      await drop(engine, plan, stored)
      const instead = await standIn(304)
      if (instead) {
        done(undefined, true)
        return instead
      }
    }
    const headers = conditional(request.headers, known)
    for (const name of ['if-none-match', 'if-modified-since']) headers.delete(name)
    return ask({ ...task, stored: undefined, plan: { ...plan, request: withHeaders(request, headers) } }, done)
  }
  if (response.status >= 500) {
    const instead = await standIn(response.status)
    if (instead) {
      done(undefined, true)
      await response.body?.cancel()
      return instead
    }
  }
  if (request.method === 'HEAD') return passHead(task, received, response, done)
  return passOn(task, received, response, done)
}

/** Passes a response on to the client, and stores it if it may be stored. */
async function passOn(task: FetchTask, received: Received, response: Response, done: Done): Promise<Response> {
  const { engine, plan, fetching, stored } = task
  const { verdict, control } = judge(engine, plan, received)
  let why = fetching && !verdict.store ? verdict.why : undefined
  let body: BodyInit | null | undefined
  // An error neither replaces nor ends a stored good response, which may still stand in for errors.
  const isWorse = stored !== undefined && stored.status < 400 && response.status >= 400 && !isGone(response.status)
  const isWanted = plan.context.mayStore?.(response) ?? true
  if (fetching && verdict.store && !isWorse && isWanted) {
    const onStored = (one: Outcome, error?: unknown): void => {
      if (error !== undefined) engine.tell({ type: 'store-error', error })
      done(one)
    }
    const kept = await passAndKeep(engine, {
      plan,
      fetching,
      response,
      received,
      control,
      verdict,
      onStored,
      onStoring: task.onStoring,
      awaited: task.awaited,
    })
    if (typeof kept === 'string') why = kept
    else body = kept
  } else {
    if (fetching && verdict.store) why = isWorse ? 'worse' : 'option'
    // An error of the server says nothing of whether its next response may be shared.
    done(undefined, received.status >= 500)
    if (fetching && stored && !isWorse && /^(no-store|private|stale)$/.test(why ?? '')) await drop(engine, plan, stored)
  }
  const isStored = body !== undefined
  const story = { ...task.story, fwdStatus: response.status }
  // Made of the response itself: only that keeps whether workerd shall encode the body.
  const made = new Response(isStored ? body : response.body, response)
  const { headers } = made
  for (const [name, value] of received.headers)
    if (name !== 'set-cookie' && headers.get(name) !== value) headers.set(name, value)
  tellStatus(headers, engine.name, { ...story, ...(isStored ? { stored: true } : {}), ...(why ? { detail: why } : {}) })
  return made
}

const isGone = (status: number): boolean => status === 404 || status === 410

/** After a 304 that confirms the stored response: renews its fields and its freshness, and responds with it. */
async function freshen(task: FetchTask, stored: StoredResponse, received: Received, done: Done): Promise<Response> {
  const { engine, plan, fetching, story } = task
  const update = storableFields(received.headers, { directives: new Map(), targeted: false }, received.responseMs)
  const fields = updatedFields(stored.fields, update)
  const whole = new Response(null, { status: stored.status, headers: headersOf(fields) })
  const headers = withRule(engine, plan, whole)
  const age = received.headers.get('age')
  if (age !== null) headers.set('age', age)
  const merged: Received = { ...received, status: stored.status, headers }
  const { verdict, control } = judge(engine, plan, merged)
  const outcome = { ...story, fwdStatus: 304 }
  const versionKeys = await versionKeysOf(engine.keys, plan, whole)
  if (!verdict.store || !fetching || !versionKeys) {
    done(undefined)
    if (fetching && !verdict.store && /^(no-store|private|vary|set-cookie)$/.test(verdict.why)) {
      await drop(engine, plan, stored)
    }
    const ageMs = initialAgeMs(merged)
    return respond(engine, plan, { ...stored, fields, responseMs: received.responseMs, ageMs }, outcome)
  }
  const draft = await draftOf(engine, plan, { received: merged, control, verdict })
  const replaces = draft.variant === stored.variant ? '' : stored.variant
  const { body, length } = stored
  let renewed: Outcome
  try {
    const put = { plan, fetching, draft, body, length, versionKeys, replaces, renews: stored }
    renewed = (await putDraft(engine, put)) ?? 'again'
  } catch (error) {
    engine.tell({ type: 'store-error', error })
  }
  done(renewed)
  const isStored = typeof renewed === 'object'
  return respond(engine, plan, { ...stored, ...draft }, { ...outcome, ...(isStored ? { stored: true } : {}) })
}

/** The response to a HEAD may renew the stored response to the GET, or show that it is outdated (RFC 9111, section 4.3.5). */
async function passHead(task: FetchTask, received: Received, response: Response, done: Done): Promise<Response> {
  const { engine, plan, stored, fetching, story } = task
  if (stored && fetching && response.status === 200) {
    const agrees = agreesWithHead(headersOf(stored.fields), received.headers, stored.length)
    if (agrees) await (await freshen(task, stored, received, done)).body?.cancel()
    else if (agrees === false) await drop(engine, plan, stored)
  }
  done(undefined, true)
  // A handler may respond to HEAD with a body, as to GET. Nobody reads that body.
  void response.body?.cancel().catch(() => {})
  const headers = new Headers(received.headers)
  tellStatus(headers, engine.name, { ...story, fwdStatus: response.status })
  return new Response(null, { status: response.status, statusText: response.statusText, headers })
}

/** Responds with a stored response. If its body is gone, asks the origin. */
export function respond(
  engine: Engine,
  plan: Plan,
  stored: StoredResponse,
  story: Story,
): Response | Promise<Response> {
  const { request } = plan
  const { chunks } = engine.storage
  const { first, context } = plan
  const addsLength = context.addLength ?? true
  const asked = { request, stored, story, nowMs: now(), name: engine.name, chunks, first, addsLength }
  return answerAtOnce(asked) ?? readAndRespond(engine, plan, asked)
}

async function readAndRespond(engine: Engine, plan: Plan, asked: AnswerRequest): Promise<Response> {
  const { request } = plan
  // Drop the response whose body is gone: otherwise each later request would be cut at the same place.
  const onGone = (): unknown =>
    engine.background.add(drop(engine, plan, asked.stored), plan.context.waitUntil, () => {})
  const answer = await answerFrom(asked, onGone).catch((error: unknown) => {
    engine.tell({ type: 'store-error', error })
    return undefined
  })
  if (answer) return answer
  const response = await plan.next(request)
  if (!isFinal(response)) return response
  const made = new Response(response.body, response)
  tellStatus(made.headers, engine.name, { fwd: 'miss', fwdStatus: response.status, detail: 'body-gone' })
  return made
}

/** Drops the stored responses of the place of `stored`, which may be another than that of the request's URL (No-Vary-Search). */
async function drop(engine: Engine, plan: Plan, stored: StoredResponse): Promise<void> {
  const place = await placeBy(engine, plan.place, queryRuleOf(stored))
  await engine.storage.invalidate(place).catch((error: unknown) => engine.tell({ type: 'store-error', error }))
}

/** The response when neither the store nor the origin can give one, or may be asked. */
export function gatewayTimeout({ name }: Engine, story: Story): Response {
  const headers = new Headers()
  tellStatus(headers, name, story)
  return new Response(null, { status: 504, headers })
}

/** Returns the request with other fields. `cf`: what the Workers runtime knows about the client. */
export function withHeaders(
  { url, method, signal, cf }: Request & { readonly cf?: unknown },
  headers: Headers,
  more?: RequestInit,
): Request {
  return new Request(url, { method, headers, signal, redirect: 'manual', ...(cf ? { cf } : {}), ...more })
}

/** The fields of a response with the additions of its request's rule: names in Vary, and tags for caches in front. */
function withRule({ tagFields }: Engine, { rule, request }: Plan, response: Response): Headers {
  const headers = new Headers(response.headers)
  const names = listOf(headers.get('vary'))
  for (const name of rule?.vary ?? []) if (!names.includes(name.toLowerCase())) headers.append('vary', name)
  if (tagFields.length > 0) addTags(headers, ruleTags(rule, request, response), tagFields)
  return headers
}
