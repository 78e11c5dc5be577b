import { createHttpCache, type HttpCache } from 'hither/http'
import { memoryStore } from 'hither/memory'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { rounds } from '../../support/rounds.ts'

const RUNS = rounds({ quick: 2000, soak: 100_000 })
const START = Date.UTC(2026, 0, 1)

/** The directives of a response, and its age. Times are in seconds. */
interface Says {
  readonly maxAge?: number
  readonly sMaxage?: number
  readonly expires?: number
  readonly swr?: number
  readonly sie?: number
  readonly age?: number
  readonly noStore?: boolean
  readonly isPrivate?: boolean
  readonly noCache?: boolean
  readonly mustRevalidate?: boolean
  readonly proxyRevalidate?: boolean
  readonly isPublic?: boolean
  readonly etag?: boolean
}
interface Asks {
  readonly noCache?: boolean
  readonly noStore?: boolean
  readonly onlyIfCached?: boolean
  readonly maxAge?: number
  readonly minFresh?: number
  /** `true`: a response of any staleness. */
  readonly maxStale?: number | true
  readonly authorization?: boolean
}
type OriginState = 'up' | 'failing' | 'dead'
type Outcome = 'stored' | 'fetched' | 'validated' | 'error' | '504' | 'thrown'
interface Held {
  readonly says: Says
  readonly sinceMs: number
}

/** The model: in each table the first row that holds decides (RFC 9111, sections 3, 4.2, 4.2.4, 5.2; RFC 5861). */
const first = <T>(rows: readonly (readonly [boolean, T])[]): T =>
  (rows.find(([holds]) => holds) as readonly [boolean, T])[1]
const lifeOf = (says: Says): number => says.sMaxage ?? says.maxAge ?? says.expires ?? 0
const isExplicit = (says: Says): boolean => (says.sMaxage ?? says.maxAge ?? says.expires) !== undefined
/** What becomes of a response, and of the one that was stored before: `replace`, `drop` (neither is stored), or `keep` the old. */
const storing = (says: Says, asks: Asks): 'replace' | 'drop' | 'keep' =>
  first([
    [!!says.noStore, 'drop'],
    [!!asks.noStore, 'keep'],
    [!!says.isPrivate, 'drop'],
    [!!asks.authorization && !(says.isPublic || says.sMaxage !== undefined || says.mustRevalidate), 'keep'],
    [!isExplicit(says) && !says.etag, 'keep'],
    // It could be neither used nor validated.
    [!says.etag && (!!says.noCache || (lifeOf(says) === 0 && !says.swr)), 'drop'],
    [true, 'replace'],
  ])
const neverStale = (says: Says): boolean =>
  !!(says.mustRevalidate || says.proxyRevalidate || says.sMaxage !== undefined)

type Step = 'use' | 'use and refresh' | 'ask' | '504'
function model(held: Held | undefined, asks: Asks, nowMs: number): Step {
  const without: Step = asks.onlyIfCached ? '504' : 'ask'
  if (!held) return without
  const { says } = held
  const age = (says.age ?? 0) + (nowMs - held.sinceMs) / 1000
  const left = lifeOf(says) - age
  return first<Step>([
    [!!asks.noCache, without],
    [asks.maxAge !== undefined && age > asks.maxAge, without],
    [asks.minFresh !== undefined && left < asks.minFresh, without],
    [!!says.noCache, without],
    [left > 0, 'use'],
    [neverStale(says), without],
    [lifeOf(says) > 0 && (asks.maxStale === true || (asks.maxStale !== undefined && -left <= asks.maxStale)), 'use'],
    [!!says.swr && -left <= says.swr, asks.onlyIfCached ? '504' : 'use and refresh'],
    [true, without],
  ])
}
function failed(held: Held | undefined, asks: Asks, origin: OriginState, nowMs: number): Outcome {
  const otherwise: Outcome = origin === 'failing' ? 'error' : held && neverStale(held.says) ? '504' : 'thrown'
  if (!held) return otherwise
  const { says } = held
  const past = (says.age ?? 0) + (nowMs - held.sinceMs) / 1000 - lifeOf(says)
  const window = says.sie ?? (origin === 'dead' && lifeOf(says) > 0 ? 86_400 : undefined)
  return first<Outcome>([
    [!!asks.noCache || !!says.noCache || neverStale(says), otherwise],
    [window !== undefined && past <= window, 'stored'],
    [true, otherwise],
  ])
}

/** A seeded generator (mulberry32). */
function chance(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}

function generator(next: () => number) {
  const pick = <T>(values: readonly T[]): T => values[Math.floor(next() * values.length)] as T
  const some = <T>(odds: number, value: () => T): T | undefined => (next() < odds ? value() : undefined)
  const seconds = (): number => pick([0, 1, 5, 10, 30, 60, 100])
  const flag = (odds: number): boolean => next() < odds
  const defined = <T extends object>(object: T): T =>
    Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined && value !== false)) as T
  const says = (): Says =>
    defined({
      maxAge: some(0.6, seconds),
      sMaxage: some(0.2, seconds),
      expires: some(0.2, seconds),
      swr: some(0.3, seconds),
      sie: some(0.3, seconds),
      age: some(0.2, seconds),
      noStore: flag(0.05),
      isPrivate: flag(0.05),
      noCache: flag(0.1),
      mustRevalidate: flag(0.1),
      proxyRevalidate: flag(0.1),
      isPublic: flag(0.2),
      etag: flag(0.5),
    } as Says)
  const asks = (): Asks =>
    defined({
      noCache: flag(0.05),
      noStore: flag(0.05),
      onlyIfCached: flag(0.1),
      maxAge: some(0.1, seconds),
      minFresh: some(0.1, seconds),
      maxStale: some(0.1, () => pick([true as const, 0, 5, 30])),
      authorization: flag(0.1),
    } as Asks)
  /** One spelling of many: order, case, spaces, quotes, empty members. */
  const spell = (members: readonly (readonly [string, number | string | true | undefined])[]): string => {
    const parts = members.flatMap(([name, value]) => {
      if (value === undefined) return []
      const word = pick([name, name.toUpperCase(), `${name[0]?.toUpperCase()}${name.slice(1)}`])
      if (value === true) return [word]
      return [`${word}=${typeof value === 'number' ? pick([`${value}`, `0${value}`, `"${value}"`]) : value}`]
    })
    for (let i = parts.length - 1; i > 0; i--) {
      const j = Math.floor(next() * (i + 1))
      ;[parts[i], parts[j]] = [parts[j] as string, parts[i] as string]
    }
    if (flag(0.2)) parts.push(pick(['ext', 'ext="max-age=9999, private"', 'x=1', '']))
    return parts.join(pick([',', ', ', ' , ', ',\t', ', ,']))
  }
  return { pick, says, asks, spell }
}

const yes = (flag: boolean | undefined): true | undefined => flag || undefined

async function play(seed: number, cache: HttpCache, url: string): Promise<void> {
  const { pick, says: makeSays, asks: makeAsks, spell } = generator(chance(seed))
  let held: Held | undefined
  let says: Says = {}
  let origin: OriginState = 'up'
  let count = 0
  let conditional = false
  const next = async (request: Request): Promise<Response> => {
    if (origin === 'dead') throw new TypeError('gone')
    if (origin === 'failing') return new Response('failing', { status: 503 })
    count++
    conditional = request.headers.has('if-none-match')
    const headers: Record<string, string> = { date: new Date().toUTCString() }
    const control = spell([
      ['max-age', says.maxAge],
      ['s-maxage', says.sMaxage],
      ['stale-while-revalidate', says.swr],
      ['stale-if-error', says.sie],
      ['no-store', yes(says.noStore)],
      ['private', yes(says.isPrivate)],
      ['no-cache', yes(says.noCache)],
      ['must-revalidate', yes(says.mustRevalidate)],
      ['proxy-revalidate', yes(says.proxyRevalidate)],
      ['public', yes(says.isPublic)],
    ])
    if (control) headers['cache-control'] = control
    if (says.expires !== undefined) headers.expires = new Date(Date.now() + says.expires * 1000).toUTCString()
    if (says.age !== undefined) headers.age = `${says.age}`
    if (says.etag) headers.etag = `"${seed}"`
    return new Response(`${count}`, { headers })
  }
  for (let step = 0; step < 5; step++) {
    vi.setSystemTime(Date.now() + pick([0, 1000, 5000, 10_000, 31_000, 90_000]))
    const asks = makeAsks()
    says = makeSays()
    origin = pick(['up', 'up', 'up', 'failing', 'dead'] as const)
    const nowMs = Date.now()
    const before = count
    const control = spell([
      ['no-cache', yes(asks.noCache)],
      ['no-store', yes(asks.noStore)],
      ['only-if-cached', yes(asks.onlyIfCached)],
      ['max-age', asks.maxAge],
      ['min-fresh', asks.minFresh],
      ['max-stale', asks.maxStale],
    ])
    const headers: Record<string, string> = {
      ...(control ? { 'cache-control': control } : {}),
      ...(asks.authorization ? { authorization: 'x' } : {}),
    }
    conditional = false
    const step_ = model(held, asks, nowMs)
    const expected: Outcome =
      step_ === 'use' || step_ === 'use and refresh'
        ? 'stored'
        : step_ === '504'
          ? '504'
          : origin === 'up'
            ? held?.says.etag
              ? 'validated'
              : 'fetched'
            : failed(held, asks, origin, nowMs)
    const answer = await cache(new Request(url, { headers }), next).catch(() => undefined)
    await answer?.text()
    const wasAsked = count > before && !(step_ === 'use and refresh')
    await cache.flush()
    const got: Outcome = !answer
      ? 'thrown'
      : answer.status === 504
        ? '504'
        : answer.status === 503
          ? 'error'
          : wasAsked
            ? conditional
              ? 'validated'
              : 'fetched'
            : 'stored'
    const what = { seed, step, held: held?.says, says, asks, origin }
    if (got !== expected) expect({ ...what, outcome: got }).toEqual({ ...what, outcome: expected })
    const refreshed = step_ === 'use and refresh' && origin === 'up'
    if (expected === 'fetched' || expected === 'validated' || refreshed) {
      const what = storing(says, asks)
      if (what === 'replace') held = { says, sinceMs: nowMs }
      else if (what === 'drop') held = undefined
    }
  }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: START })
})
afterEach(() => {
  vi.useRealTimers()
})

describe('random histories', () => {
  it(`answer as a table of RFC 9111 says: ${RUNS}`, async () => {
    const store = memoryStore()
    const cache = createHttpCache({ store, profile: 'full' })
    const seed = Number(globalThis.process?.env.HITHER_SEED ?? 1)
    for (let i = 0; i < RUNS; i++) {
      // A few URLs, each purged before it is used again.
      const url = `https://a.example/${i % 50}`
      await cache.purge({ url })
      await play(seed * 1_000_003 + i, cache, url)
    }
  }, 7_200_000)
})
