import { now } from '../runtime/clock.ts'
import { type AnswerRequest, answerAtOnce, answerFrom, encodedInit, isFinal, tellStatus } from './answer.ts'
import type { Story } from './cache-status.ts'
import { listOf } from './directives.ts'
import { type Engine, failureOf, type Outcome } from './engine.ts'
import type { StoredResponse } from './entry.ts'
import { headersOf, storableFields, updatedFields } from './fields.ts'
import type { Received } from './freshness.ts'
import { draftOf, judge, passAndKeep, putDraft } from './keep.ts'
import { placeBy, queryRuleOf } from './look.ts'
import type { Plan } from './plan.ts'
import { mayReplaceError } from './reuse.ts'
import type { Fetching } from './storage.ts'
import { addTags, ruleTags, versionKeysOf } from './tags.ts'
import { agreesWithHead, conditional, isConfirmed } from './validate.ts'

/** A request for which the origin is asked. */
export interface Forwarded {
  readonly plan: Plan
  /** What is stored and has to be validated. */
  readonly stored: StoredResponse | undefined
  /** Why the origin is asked. */
  readonly story: Story
}

export interface FetchTask extends Forwarded {
  readonly engine: Engine
  /** Undefined: the store does not answer, and nothing is stored. */
  readonly fetching: Fetching | undefined
  /** Called once, as soon as it is known what others may use: a stored response, or nothing. */
  onDone(stored: Outcome): void
  /** A response is about to be stored. */
  readonly onStoring?: () => void
  /** Resolves once others wait for it. */
  readonly awaited: Promise<void>
}

/** Asks the origin, and answers with what came or with what is stored. Rejects as `next` does. */
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
    return await ask(task, done)
  } catch (error) {
    done(undefined, true)
    throw error
  }
}

type Done = (stored: Outcome, isShareable?: boolean) => void

async function ask(task: FetchTask, done: Done): Promise<Response> {
  const { engine, plan, stored } = task
  const { request, next } = plan
  const known = stored && headersOf(stored.fields)
  const requestMs = now()
  const standIn = async (answer: number | 'none'): Promise<Response | undefined> => {
    // A client that asked for no stored answer gets none.
    if (!stored || plan.directives.has('no-cache') || !mayReplaceError(stored, answer, now(), plan.directives))
      return undefined
    const why = answer === 'none' ? { detail: 'disconnected' } : { fwdStatus: answer, detail: 'error' }
    return respond(engine, plan, stored, { ...task.story, ...why })
  }
  let response: Response
  try {
    response = await next(known ? withHeaders(request, conditional(request.headers, known)) : request)
  } catch (error) {
    done(failureOf(request), true)
    const instead = await standIn('none')
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
  if (stored && known && response.status === 304) {
    if (isConfirmed(known, response.headers)) return freshen(task, stored, received, done)
    // It speaks of something that is not stored: the client needs a whole answer.
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

/** Passes a response on, stored or not. */
async function passOn(task: FetchTask, received: Received, response: Response, done: Done): Promise<Response> {
  const { engine, plan, fetching, stored } = task
  const { verdict, control } = judge(engine, plan, received)
  const headers = new Headers(received.headers)
  const why = fetching && !verdict.store ? verdict.why : undefined
  let body: BodyInit | null | undefined
  // An error never takes the place of a good answer that may be of use.
  const isWorse = stored !== undefined && stored.status < 400 && response.status >= 400 && !isGone(response.status)
  const isWanted = plan.context.mayStore?.(response) ?? true
  if (fetching && verdict.store && !isWorse && isWanted) {
    const onStored = (one: Outcome, error?: unknown): void => {
      if (error !== undefined) engine.tell({ type: 'store-error', error })
      done(one)
    }
    body = await passAndKeep(engine, {
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
  } else {
    done(undefined)
    if (fetching && stored && (why === 'no-store' || why === 'private')) {
      await drop(engine, plan, stored)
    }
  }
  const isStored = body !== undefined
  const story = { ...task.story, fwdStatus: response.status }
  tellStatus(headers, engine.name, { ...story, ...(isStored ? { stored: true } : {}), ...(why ? { detail: why } : {}) })
  return new Response(isStored ? body : response.body, {
    status: response.status,
    statusText: response.statusText,
    headers,
    ...encodedInit(headers),
  })
}

const isGone = (status: number): boolean => status === 404 || status === 410

/** A 304 for what is stored: its fields and its freshness are renewed, and the client is answered with it. */
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
  const told = { ...story, fwdStatus: 304 }
  const versionKeys = await versionKeysOf(engine.keys, plan, whole)
  if (!verdict.store || !fetching || !versionKeys) {
    done(undefined)
    if (fetching && !verdict.store && /^(no-store|private|vary|set-cookie)$/.test(verdict.why)) {
      await drop(engine, plan, stored)
    }
    return respond(engine, plan, { ...stored, fields, responseMs: received.responseMs, ageMs: 0 }, told)
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
  return respond(engine, plan, { ...stored, ...draft }, { ...told, ...(isStored ? { stored: true } : {}) })
}

/** A HEAD's answer may renew what is stored of the GET, or show that it has changed (RFC 9111, section 4.3.5). */
async function passHead(task: FetchTask, received: Received, response: Response, done: Done): Promise<Response> {
  const { engine, plan, stored, fetching, story } = task
  if (stored && fetching && response.status === 200) {
    const known = headersOf(stored.fields)
    if (agreesWithHead(known, received.headers, stored.length))
      await (await freshen(task, stored, received, done)).body?.cancel()
    else await drop(engine, plan, stored)
  }
  done(undefined, true)
  // A handler may make one, as of a GET; nobody reads it.
  void response.body?.cancel().catch(() => {})
  const headers = new Headers(received.headers)
  tellStatus(headers, engine.name, { ...story, fwdStatus: response.status })
  return new Response(null, { status: response.status, statusText: response.statusText, headers })
}

/** Answers with a stored response; asks the origin once more where its body is gone. */
export function respond(
  engine: Engine,
  plan: Plan,
  stored: StoredResponse,
  story: Story,
): Response | Promise<Response> {
  const { request } = plan
  const { chunks } = engine.storage
  const asked = { request, stored, story, nowMs: now(), name: engine.name, chunks }
  return answerAtOnce(asked) ?? readAndRespond(engine, plan, asked)
}

async function readAndRespond(engine: Engine, plan: Plan, asked: AnswerRequest): Promise<Response> {
  const { request } = plan
  // Without it each request would find the same body, and be cut at the same place.
  const onGone = (): unknown =>
    engine.background.add(drop(engine, plan, asked.stored), plan.context.waitUntil, () => {})
  const answer = await answerFrom(asked, onGone).catch((error: unknown) => {
    engine.tell({ type: 'store-error', error })
    return undefined
  })
  if (answer) return answer
  const response = await plan.next(request)
  const headers = new Headers(response.headers)
  tellStatus(headers, engine.name, { fwd: 'miss', fwdStatus: response.status, detail: 'body-gone' })
  return new Response(response.body, { status: response.status, headers, ...encodedInit(headers) })
}

/** Drops what is stored of a request's URL, where `stored` is of it. */
async function drop(engine: Engine, plan: Plan, stored: StoredResponse): Promise<void> {
  const place = await placeBy(engine, plan.place, queryRuleOf(stored))
  await engine.storage.invalidate(place).catch((error: unknown) => engine.tell({ type: 'store-error', error }))
}

/** Neither the store nor the origin may or can answer. */
export function gatewayTimeout({ name }: Engine, story: Story): Response {
  const headers = new Headers()
  tellStatus(headers, name, story)
  return new Response(null, { status: 504, headers })
}

/** A request with other fields. `cf`: what Workers know of its client. */
export function withHeaders(
  { url, method, signal, cf }: Request & { readonly cf?: unknown },
  headers: Headers,
  more?: RequestInit,
): Request {
  return new Request(url, { method, headers, signal, redirect: 'manual', ...(cf ? { cf } : {}), ...more })
}

/** The fields of a response with what the rule of its request adds: to its Vary, and to the tags that caches in front read. */
function withRule({ tagFields }: Engine, { rule, request }: Plan, response: Response): Headers {
  const headers = new Headers(response.headers)
  const names = listOf(headers.get('vary'))
  for (const name of rule?.vary ?? []) if (!names.includes(name.toLowerCase())) headers.append('vary', name)
  if (tagFields.length > 0) addTags(headers, ruleTags(rule, request, response), tagFields)
  return headers
}
