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
  const { origin, path, extra } = plan.place
  const search = canonicalQuery(plan.place.search, found.queryRule)
  if (search === plan.place.search) return { plan, stored, others }
  const elsewhere = await storage.read(await engine.placeOf(origin + path + search, extra))
  return { plan, stored: choose(engine, elsewhere, plan), others: others || elsewhere.responses.length > 0 }
}

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

function isSameQuery({ fields, search }: StoredResponse, asked: string): boolean {
  const field = fields.find(([name]) => name === 'no-vary-search')?.[1] ?? null
  return field !== null && canonicalQuery(search, field) === canonicalQuery(asked, field)
}
