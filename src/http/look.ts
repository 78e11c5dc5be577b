import { now } from '../runtime/clock.ts'
import type { Engine } from './engine.ts'
import type { StoredResponse } from './entry.ts'
import { canonicalQuery } from './no-vary-search.ts'
import type { Place } from './place.ts'
import type { Plan } from './plan.ts'
import { judgeUse } from './reuse.ts'
import type { Found } from './storage.ts'
import { isNewer } from './vary.ts'

export interface Looked {
  readonly plan: Plan
  readonly stored: StoredResponse | undefined
  /** Something is stored of this URL that the request does not select. */
  readonly others: boolean
}

/** What this process has near that may answer at once. A stale one may have been renewed by another process. */
export function lookNear(engine: Engine, plan: Plan): StoredResponse | undefined {
  const near = engine.storage.near(plan.place)
  const nearby = near && choose(engine, near, plan)
  return nearby && judgeUse(nearby, plan.directives, now()) === 'fresh' ? nearby : undefined
}

/** Finds in the store what a request selects: under its own query, then under the one that stands for it. */
export async function look(engine: Engine, before: Plan): Promise<Looked> {
  const { storage } = engine
  const found = await storage.read(before.place)
  const plan: Plan = { ...before, seenUs: found.seenUs }
  const stored = choose(engine, found, plan)
  const others = found.responses.length > 0
  if (stored || found.queryRule === undefined) return { plan, stored, others }
  const place = await placeBy(engine, plan.place, found.queryRule)
  if (place === plan.place) return { plan, stored, others }
  const elsewhere = await storage.read(place)
  return { plan, stored: choose(engine, elsewhere, plan), others: others || elsewhere.responses.length > 0 }
}

/** Where a response with this No-Vary-Search field is stored that came from `place`. */
export async function placeBy({ placeOf }: Engine, place: Place, field: string | null): Promise<Place> {
  const search = canonicalQuery(place.search, field)
  return search === place.search ? place : placeOf(place.origin + place.path + search, place.extra)
}

/** Its No-Vary-Search field. */
export const queryRuleOf = ({ fields }: Pick<StoredResponse, 'fields'>): string | null =>
  fields.find(([name]) => name === 'no-vary-search')?.[1] ?? null

/** The response that a request selects, of those that may answer it. */
export function choose(
  engine: Engine,
  { responses }: Pick<Found, 'responses'>,
  plan: Plan,
): StoredResponse | undefined {
  const { headers } = plan.request
  const mayBeOne = plan.hasIdentity || (!engine.policy.personal && headers.has('authorization'))
  let best: StoredResponse | undefined
  for (const one of responses) {
    if (mayBeOne && !one.shared) continue
    if (one.search !== plan.place.search && !isSameQuery(one, plan.place.search)) continue
    if (isNewer(one, best, headers, engine.policy.anyOrder)) best = one
  }
  return best
}

function isSameQuery(stored: StoredResponse, asked: string): boolean {
  const field = queryRuleOf(stored)
  return field !== null && canonicalQuery(stored.search, field) === canonicalQuery(asked, field)
}
