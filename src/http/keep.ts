import { digest } from '../protocol/digest.ts'
import { REQUEST_SCOPED } from '../runtime/background.ts'
import { keepBody } from './body.ts'
import { startOf } from './coding.ts'
import { parseDate } from './dates.ts'
import { type Control, controlOf } from './directives.ts'
import { type Engine, failureOf, type Outcome } from './engine.ts'
import { inlineBody, type StoredBody, type StoredResponse } from './entry.ts'
import { storableFields } from './fields.ts'
import { initialAgeMs, type Received } from './freshness.ts'
import { placeBy, queryRuleOf } from './look.ts'
import { type Plan, timesOf } from './plan.ts'
import { wholeOf206 } from './ranges.ts'
import { DISCONNECTED_MS, termsOf } from './reuse.ts'
import { judgeStorable, type Verdict } from './storable.ts'
import type { Fetching } from './storage.ts'
import { versionKeysOf } from './tags.ts'
import { selectorsOf } from './vary.ts'

/** A response without its body, ready to be stored. */
export type Draft = Omit<StoredResponse, 'versions' | 'startUs' | 'body' | 'length'>

const LONGEST_LIFE_MS = 31_536_000_000
const nothing = (): void => {}

/** Whether a response may be stored, by its fields and by the rule of its request. */
export function judge(engine: Engine, plan: Plan, received: Received): { verdict: Verdict; control: Control } {
  const control = controlOf(received.headers)
  const asked = { headers: plan.request.headers, hasIdentity: plan.hasIdentity, ...timesOf(plan.rule) }
  return { verdict: judgeStorable(asked, received, control, engine.policy), control }
}

/** A response that may be stored by its fields. */
export interface Accepted {
  readonly received: Received
  readonly control: Control
  readonly verdict: Verdict & { readonly store: true }
}

/** The parts of a response that are stored, without its body. */
export async function draftOf(engine: Engine, plan: Plan, { received, control, verdict }: Accepted): Promise<Draft> {
  const { headers, responseMs, status } = received
  const selectors = selectorsOf(plan.request.headers, headers, engine.policy.anyOrder) ?? []
  return {
    status,
    fields: storableFields(headers, control, responseMs),
    selectors,
    dateMs: parseDate(headers.get('date'), responseMs) ?? responseMs,
    search: plan.place.search,
    shared: verdict.shared,
    responseMs,
    ageMs: initialAgeMs(received),
    lifetimeMs: verdict.lifetime.ms,
    variant: await digest(JSON.stringify(selectors)),
    ...termsOf(control.directives, engine.staleDespiteSMaxage),
  }
}

/** Milliseconds for which a response is stored: while it is fresh, then as long as it may be used stale or be validated. */
function lifeOf(draft: Draft): number {
  const afterMs = Math.max(draft.swrMs, draft.sieMs ?? 0, DISCONNECTED_MS)
  return Math.min(Math.max(1, draft.lifetimeMs - draft.ageMs) + afterMs, LONGEST_LIFE_MS)
}

export interface PutRequest {
  readonly plan: Plan
  readonly fetching: Fetching
  readonly draft: Draft
  readonly body: StoredBody
  readonly length: number
  readonly versionKeys: readonly string[]
  /** Another variant that this response replaces; or ''. */
  readonly replaces: string
  /** The response that this one renews. */
  readonly renews?: StoredResponse
}

/** Stores a response whose body is complete. Resolves to undefined when it came too late. */
export async function putDraft(engine: Engine, put: PutRequest): Promise<StoredResponse | undefined> {
  const { storage } = engine
  const { plan, fetching, draft, body, length, versionKeys, replaces, renews } = put
  const lifeMs = 'id' in body ? Math.min(lifeOf(draft), body.untilMs - draft.responseMs) : lifeOf(draft)
  if (lifeMs < 1) return undefined
  const field = queryRuleOf(draft)
  let { place } = plan
  if (field !== null && place.search) {
    await storage.setQueryRule(place, field, lifeMs)
    place = await placeBy(engine, place, field)
    if (place !== plan.place) {
      // A purge of the URL before its query rule was known did not reach the place at which the response is stored now.
      const { invalidatedUs } = await storage.read(plan.place)
      if (invalidatedUs >= fetching.startUs) return undefined
      await storage.begin(place, 'before')
      // The response is stored under another query, so nobody must wait for it under this one.
      if (fetching.role === 'leads') await storage.release(plan.place, fetching, false)
    }
  }
  return storage.put(place, fetching, { response: { ...draft, body, length }, versionKeys, replaces, lifeMs, renews })
}

export interface Passing extends Accepted {
  readonly plan: Plan
  readonly fetching: Fetching
  readonly response: Response
  /** Called with the stored response; undefined when nothing was stored. */
  onStored(stored: Outcome, error?: unknown): void
  /** Called before the response is stored. */
  readonly onStoring?: (() => void) | undefined
  /** Resolves once other requests wait for the response. */
  readonly awaited: Promise<void>
}

/**
 * The body to pass on to the client. It is collected on its way, then the response is stored. Calls `onStored` once, when the
 * body has ended or is known to be lost. A word for Cache-Status when the response is not stored after all: `onStored` has been called
 * by then.
 */
export async function passAndKeep(engine: Engine, passing: Passing): Promise<ReadableStream | null | string> {
  const { plan, fetching, response, received, onStored } = passing
  const { maxBodyBytes, storage } = engine
  const stated = response.headers.get('content-length')
  // A Content-Length that is no number becomes NaN, which no body's length equals: the body is not stored.
  const length = stated === null ? undefined : /^\d+$/.test(stated) ? Number(stated) : Number.NaN
  const versionKeys = await versionKeysOf(engine.keys, plan, response)
  const isEmptyRefused = !engine.policy.partial && isEmptyAnswer(response, length)
  const mayBegin = startOf(response.headers.get('content-encoding'), REQUEST_SCOPED)
  const refuse = (why: string): string => {
    onStored(undefined)
    return why
  }
  if (!versionKeys) return refuse('tags')
  if ((length ?? 0) > maxBodyBytes) return refuse('size')
  if (isEmptyRefused) return refuse('empty')
  if (!mayBegin) return refuse('coding')
  const isWhole206 = received.status === 206
  const whole = isWhole206 ? wholeOf206(response.headers) : length
  if (isWhole206 && whole === undefined) return refuse('part')
  let draft = await draftOf(engine, plan, passing)
  if (isWhole206) {
    // This 206 has the whole body: store it as the 200.
    const fields = draft.fields.filter(([name]) => name !== 'content-range')
    draft = { ...draft, status: 200, fields }
  }
  const put = async (body: StoredBody, bytes: number): Promise<void> => {
    passing.onStoring?.()
    onStored(
      (await putDraft(engine, { plan, fetching, draft, body, length: bytes, versionKeys, replaces: '' })) ?? 'again',
    )
  }
  if (!response.body) {
    if ((whole ?? 0) !== 0) return refuse('empty')
    await put(inlineBody(new Uint8Array(0)), 0).catch((error: unknown) => onStored(undefined, error))
    return null
  }
  const lifeMs = lifeOf(draft) + 60_000
  return keepBody(response.body, {
    chunks: storage.chunks,
    maxBytes: maxBodyBytes,
    lifeMs,
    untilMs: received.responseMs + lifeMs,
    length: whole,
    mayBegin,
    async onWhole(body, bytes) {
      // A body that turns out to be empty is refused, as one that is empty by its fields.
      if (bytes === 0 && !engine.policy.partial && received.status !== 204) return onStored(undefined)
      await put(body, bytes)
    },
    // If the client left, the waiting requests start over, one for all of them.
    onLost: (error, isAbandoned) => onStored(isAbandoned ? 'left' : failureOf(plan.request), error),
    awaited: passing.awaited,
    background: (work) => void engine.background.add(work, plan.context.waitUntil, nothing),
  })
}

/** Whether a response other than a 204 has an empty body, by its fields. `safe` stores none of these, redirects included. */
function isEmptyAnswer({ status, body }: Response, length: number | undefined): boolean {
  return status !== 204 && (body === null || length === 0)
}
