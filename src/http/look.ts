import { now } from '../runtime/clock.ts'
import type { Engine } from './engine.ts'
import type { StoredResponse } from './entry.ts'
import { canonicalQuery } from './no-vary-search.ts'
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
  const { origin, path, extra } = plan.place
  const search = canonicalQuery(plan.place.search, found.queryRule)
  if (search === plan.place.search) return { plan, stored, others }
  const elsewhere = await storage.read(await engine.placeOf(origin + path + search, extra))
  return { plan, stored: choose(engine, elsewhere, plan), others: others || elsewhere.responses.length > 0 }
}

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

function isSameQuery({ fields, search }: StoredResponse, asked: string): boolean {
  const field = fields.find(([name]) => name === 'no-vary-search')?.[1] ?? null
  return field !== null && canonicalQuery(search, field) === canonicalQuery(asked, field)
}
