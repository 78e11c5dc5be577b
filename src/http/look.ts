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
  /** Responses of this URL are stored, although the request may select none of them. */
  readonly others: boolean
}

/** A fresh response from the near tier. Stale ones are left out: another process may have renewed them in the store. */
export function lookNear(engine: Engine, plan: Plan): StoredResponse | undefined {
  const near = engine.storage.near(plan.place)
  const nearby = near && choose(engine, near, plan)
  return nearby && judgeUse(nearby, plan.directives, now()) === 'fresh' ? nearby : undefined
}

/** Reads the stored response that a request selects: under its own query, then under the one that No-Vary-Search makes of it. */
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

/** The place at which a response with this No-Vary-Search field is stored, if its URL is that of `place`. */
export async function placeBy({ placeOf }: Engine, place: Place, field: string | null): Promise<Place> {
  const search = canonicalQuery(place.search, field)
  return search === place.search ? place : placeOf(place.origin + place.path + search, place.extra)
}

/** The No-Vary-Search field of a response; null for none. */
export const queryRuleOf = ({ fields }: Pick<StoredResponse, 'fields'>): string | null =>
  fields.find(([name]) => name === 'no-vary-search')?.[1] ?? null

/** The response that a request selects, of those that it may get. */
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
