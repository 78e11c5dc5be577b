// Random histories of an origin whose pages change: each response has the body and the validators of one version of
// its page, after a validation of the current one.
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createChance } from '../../simulation/chance.ts'
import { rounds } from '../../support/rounds.ts'
import { cacheOf, type Fields } from './support.ts'

const RUNS = rounds({ quick: 150, soak: 10_000 })
const URLS = ['https://a.example/a', 'https://a.example/a?x=1']
const LANGUAGES = ['de', 'en']
const CONTROLS = [
  'max-age=10',
  'max-age=10, stale-while-revalidate=20',
  'max-age=60',
  'no-cache',
  'max-age=0',
  'private',
]

interface Version {
  readonly page: string
  readonly body: string
  /** Its ETag and Last-Modified, if it has them. */
  readonly validators: Fields
}

async function play(seed: number): Promise<void> {
  const { hit, pick } = createChance(seed)
  const cache = cacheOf({ profile: pick(['safe', 'full']) })
  const versions: Version[] = []
  const current = new Map<string, Version>()
  const deploy = (page: string): Version => {
    const count = versions.length
    const modified = new Date(Date.UTC(2025, 0, 1, 0, 0, count)).toUTCString()
    const validators = {
      ...(hit(0.5) ? { etag: pick([`"${count}"`, `W/"${count}"`]) } : {}),
      ...(hit(0.5) ? { 'last-modified': modified } : {}),
    }
    const version = { page, body: `${count};`.repeat(pick([1, 10, 10, 10, 12_000])), validators }
    versions.push(version)
    current.set(page, version)
    return version
  }
  const origin = ({ url, method, headers: asked }: Request): Response => {
    const page = `${url} ${asked.get('accept-language')}`
    const { body, validators } = current.get(page) ?? deploy(page)
    const { etag, 'last-modified': modified } = validators
    const [tags, since] = [asked.get('if-none-match'), asked.get('if-modified-since')]
    const isSame = tags === null ? since !== null && modified && modified <= since : etag && tags.includes(etag)
    const headers = { vary: 'accept-language', 'cache-control': pick(CONTROLS) }
    if (isSame) return new Response(null, { status: 304, headers: { ...headers, ...(hit(0.3) ? {} : validators) } })
    // Some handlers leave out of the response to HEAD what they compute of the body.
    if (method === 'HEAD' && hit(0.5)) return new Response(null, { headers })
    return new Response(method === 'HEAD' ? null : body, { headers: { ...headers, ...validators } })
  }
  const ask = async (): Promise<void> => {
    const [url, language] = [pick(URLS), pick(LANGUAGES)]
    const known = hit(0.5) ? current.get(`${url} ${language}`) : versions.at(-3)
    const { etag, 'last-modified': modified } = known?.validators ?? {}
    const headers = {
      'accept-language': language,
      ...(etag && hit(0.3) ? { 'if-none-match': etag } : {}),
      ...(modified && hit(0.1) ? { 'if-modified-since': modified } : {}),
      ...(hit(0.2) ? { range: 'bytes=1-1' } : {}),
      ...(hit(0.1) ? { 'cache-control': 'no-cache' } : {}),
    } as Fields
    const request = new Request(url, { method: pick(['GET', 'GET', 'GET', 'HEAD']), headers })
    const refresh = hit(0.5) ? {} : ({ refresh: false } as const)
    const { status, headers: sent, body } = await cache(request, origin, refresh)
    const text = await new Response(body).text()
    const [tag, date] = [sent.get('etag'), sent.get('last-modified')]
    const isValidated = sent.get('cache-status')?.includes('fwd-status=304')
    const isOf = (version: Version): boolean =>
      version.page === `${url} ${language}` &&
      (!isValidated || version === current.get(version.page)) &&
      (request.method === 'HEAD' || text === (status === 206 ? version.body.slice(1, 2) : version.body)) &&
      (tag ?? version.validators.etag) === version.validators.etag &&
      (date ?? version.validators['last-modified']) === version.validators['last-modified']
    const what = { seed, url, headers, status, tag, date, text: text.slice(0, 9), story: sent.get('cache-status') }
    if (status === 304 && headers['if-none-match'])
      expect(what).toMatchObject(tag ? { tag: headers['if-none-match'] } : {})
    else if (status === 304)
      expect(Date.parse(date ?? ''), JSON.stringify(what)).not.toBeGreaterThan(
        Date.parse(`${headers['if-modified-since']}`),
      )
    else expect({ ...what, isOfOneVersion: versions.some(isOf) }).toEqual({ ...what, isOfOneVersion: true })
  }
  for (let step = 0; step < 15; step++) {
    vi.setSystemTime(Date.now() + pick([0, 1000, 11_000, 40_000]))
    if (hit(0.3)) deploy(`${pick(URLS)} ${pick(LANGUAGES)}`)
    if (hit(0.1)) await cache.purge({ url: pick(URLS) })
    await Promise.all(Array.from({ length: pick([1, 1, 3]) }, ask))
    await cache.flush()
  }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.UTC(2026, 0, 1) })
})
afterEach(() => {
  vi.useRealTimers()
})

it(`a body and its validators are of one version: ${RUNS} histories`, { timeout: 7_200_000 }, async () => {
  const seed = Number(globalThis.process?.env.HITHER_SEED ?? 1)
  for (let i = 0; i < RUNS; i++) await play(seed * 1_000_003 + i)
})
