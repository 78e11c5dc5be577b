import type { HttpCacheOptions } from 'hither/http'
import { nearTier } from 'hither/near'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { isSoak } from '../../support/rounds.ts'
import { seedOfTheDay } from '../../support/seed.ts'
import { cacheOf, createOrigin, type Fields, get, type Origin } from './support.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2026, 0, 1) })
})
afterEach(() => {
  vi.useRealTimers()
})
const wait = (ms: number): void => void vi.setSystemTime(Date.now() + ms)

const users = ['ada', 'bob'] as const
type User = (typeof users)[number]
const identities: readonly ((user: User) => Fields)[] = [
  (user) => ({ cookie: `session=${user}` }),
  (user) => ({ authorization: `Bearer ${user}` }),
  (user) => ({ cookie: `session=${user}`, authorization: `Bearer ${user}` }),
  (user) => ({ cookie: `theme=dark; session=${user}` }),
]
const controls = [
  'max-age=60',
  'max-age=60, stale-while-revalidate=600, stale-if-error=600',
  'max-age=60, private="x-a", no-cache="x-b"',
  'private',
  'private, max-age=60, stale-while-revalidate=600',
  'no-store',
  'no-cache',
  'max-age=0',
  '',
]
const varies = ['', 'Cookie', 'Authorization', 'cookie, authorization', 'Accept-Language', '*']
const extras: readonly Fields[] = [
  {},
  { 'if-none-match': '"e"' },
  { range: 'bytes=0-99' },
  { 'cache-control': 'max-stale' },
  { accept: '*/*', 'accept-language': 'en' },
]

/** An origin whose response names the user who asked. */
function personalOrigin(control: string, vary: string): Origin {
  const origin = createOrigin()
  origin.answers(async (request) => {
    const text = `${request.headers.get('cookie')} ${request.headers.get('authorization')}`
    await Promise.resolve()
    return new Response(users.find((user) => text.includes(user)) ?? 'nobody', {
      headers: {
        ...(control ? { 'cache-control': control } : {}),
        ...(vary ? { vary } : {}),
        etag: '"e"',
        date: new Date().toUTCString(),
      },
    })
  })
  return origin
}

/**
 * Two users and an anonymous client: in flight together, fresh, stale, and with a dead origin. Resolves to each response that
 * reached the wrong user. In `full` a user may be served a response that was made for nobody in particular, as the RFC allows.
 */
async function crossed(options: Partial<HttpCacheOptions>, origin: Origin, of: (user: User) => Fields, extra: Fields) {
  const cache = cacheOf({ ...options, near: nearTier() })
  const found: string[] = []
  const check = async (user: User | 'nobody', stage: string): Promise<void> => {
    const headers = { ...(user === 'nobody' ? {} : of(user)), ...extra }
    const { body, status } = await get(cache, origin, { headers }).catch(() => ({ body: '', status: 502 }))
    const isFine = body === '' || body === user || (body === 'nobody' && options.profile === 'full')
    if (status < 300 && !isFine) found.push(`${stage}: ${user} got ${body}`)
  }
  await Promise.all([check('ada', 'in flight'), check('bob', 'in flight'), check('nobody', 'in flight')])
  for (const user of ['bob', 'ada', 'nobody'] as const) await check(user, 'fresh')
  wait(61_000)
  await Promise.all([check('bob', 'stale'), check('nobody', 'stale')])
  await check('ada', 'stale')
  wait(61_000)
  origin.answers(() => Promise.reject(new TypeError('gone')))
  for (const user of ['ada', 'bob', 'nobody'] as const) await check(user, 'dead origin')
  await cache.flush()
  return found
}

/** Every combination in a soak; otherwise every fifth. The day chooses at which one to begin. */
const step = isSoak ? 1 : 5
const combinations = controls
  .flatMap((control) =>
    varies.flatMap((vary) => extras.flatMap((extra) => identities.map((of) => ({ control, vary, extra, of })))),
  )
  .filter((_, i) => i % step === seedOfTheDay() % step)

describe('two users never get one another’s answers: fresh, stale, in place of an error, shared in flight', () => {
  /** Whether RFC 9111 lets a shared cache serve it to all: a plain max-age, whatever cookie the request has. */
  const isForAll = ({ control, vary, of }: (typeof combinations)[number]): boolean =>
    /^max-age=60/.test(control) && !/cookie|\*/i.test(vary) && of('ada').authorization === undefined
  it.each<[string, Partial<HttpCacheOptions>, boolean]>([
    ['safe', { profile: 'safe' }, true],
    ['full', { profile: 'full' }, false],
    ['full, where a rule names the cookie', { profile: 'full', rules: [{ cookies: ['session'] }] }, true],
    ['safe, with a rule’s lifetime', { profile: 'safe', rules: [{ ttl: '1m', tags: ['a'] }] }, true],
  ])('%s', async (_, options, every) => {
    const all = every ? combinations : combinations.filter((one) => !isForAll(one))
    expect(all.length).toBeGreaterThan(900 / step)
    for (const { control, vary, extra, of } of all) {
      const found = await crossed(options, personalOrigin(control, vary), of, extra)
      expect([control, vary, extra, of('ada'), found]).toEqual([control, vary, extra, of('ada'), []])
    }
  })
  it('and in full, a plain max-age is for all, whatever cookie they have', async () => {
    const found = await crossed(
      { profile: 'full' },
      personalOrigin('max-age=60', ''),
      identities[0] as (user: User) => Fields,
      {},
    )
    expect(found.length).toBeGreaterThan(0)
  })
})

describe('a user who logs out', () => {
  it.each(['safe', 'full'] as const)('leaves no page behind (%s)', async (profile) => {
    const cache = cacheOf({ profile, rules: [{ cookies: ['session'] }], near: nearTier() })
    const origin = personalOrigin('max-age=60, stale-while-revalidate=600', '')
    expect((await get(cache, origin, { headers: { cookie: 'session=ada' } })).body).toBe('ada')
    expect((await get(cache, origin)).body).toBe('nobody')
    expect((await get(cache, origin, { headers: { cookie: 'session=bob' } })).body).toBe('bob')
    expect((await get(cache, origin, { headers: { cookie: 'theme=dark' } })).body).toBe('nobody')
  })
})
