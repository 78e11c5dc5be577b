import { describe, expect, it } from 'vitest'
import { parseDirectives } from '../../../src/http/directives.ts'
import { DISCONNECTED_MS, judgeUse, mayReplaceError, termsOf } from '../../../src/http/reuse.ts'

/** A response that is fresh for 10 s, with the Cache-Control of its origin. */
const stored = (control: string, despite = false) => ({
  responseMs: 0,
  ageMs: 0,
  lifetimeMs: 10_000,
  ...termsOf(parseDirectives(control), despite),
})
const use = (control: string, asked: string, atMs: number, despite = false) =>
  judgeUse(stored(control, despite), parseDirectives(asked), atMs)

describe('a stored response', () => {
  it.each([
    ['', '', 9999, 'fresh'],
    ['', '', 10_000, 'stale'],
    ['no-cache', '', 0, 'stale'],
    ['no-cache="x"', '', 0, 'fresh'],
    ['', 'no-cache', 0, 'request'],
    ['', 'no-cache="x"', 0, 'request'],
    ['', 'max-age=5', 5000, 'fresh'],
    ['', 'max-age=5', 5001, 'request'],
    ['', 'max-age=x', 1, 'request'],
    ['', 'min-fresh=5', 5000, 'fresh'],
    ['', 'min-fresh=5', 5001, 'request'],
    ['', 'min-fresh=x', 9999, 'fresh'],
    ['', 'max-stale', 1e9, 'max-stale'],
    ['', 'max-stale=5', 15_000, 'max-stale'],
    ['', 'max-stale=5', 15_001, 'stale'],
    ['', 'max-stale=x', 10_001, 'stale'],
    ['must-revalidate', 'max-stale', 10_000, 'stale'],
    ['proxy-revalidate', 'max-stale', 10_000, 'stale'],
    ['s-maxage=10', 'max-stale', 10_000, 'stale'],
    ['no-cache', 'max-stale', 0, 'stale'],
    ['', 'unknown, only-if-cached', 0, 'fresh'],
    ['stale-while-revalidate=5', '', 10_000, 'refresh'],
    ['stale-while-revalidate=5', '', 15_000, 'refresh'],
    ['stale-while-revalidate=5', '', 15_001, 'stale'],
    ['stale-while-revalidate=0', '', 10_000, 'stale'],
    ['stale-while-revalidate=x', '', 10_000, 'stale'],
    ['stale-while-revalidate', '', 10_000, 'stale'],
    ['stale-while-revalidate=5, must-revalidate', '', 12_000, 'stale'],
    ['stale-while-revalidate=5, s-maxage=10', '', 12_000, 'stale'],
    ['stale-while-revalidate=5, no-cache', '', 12_000, 'stale'],
    ['stale-while-revalidate=5', 'max-age=1', 12_000, 'request'],
  ])('%j, asked for with %j after %i ms: %s', (control, asked, atMs, expected) =>
    expect(use(control, asked, atMs)).toBe(expected),
  )
  it('with s-maxage may be stale by the option of that name, and still not over must-revalidate', () => {
    expect(use('s-maxage=10, stale-while-revalidate=5', '', 12_000, true)).toBe('refresh')
    expect(use('s-maxage=10, stale-while-revalidate=5, must-revalidate', '', 12_000, true)).toBe('stale')
  })
})

describe('in place of an error', () => {
  it('what was never fresh stands only where its origin says so', () => {
    const never = { ...stored(''), lifetimeMs: 0 }
    expect(mayReplaceError(never, 'none', 1000)).toBe(false)
    expect(mayReplaceError({ ...never, sieMs: 5000 }, 'none', 1000)).toBe(true)
    expect(judgeUse(never, parseDirectives('max-stale'), 1000)).toBe('stale')
    expect(judgeUse({ ...never, swrMs: 5000 }, parseDirectives('max-stale'), 1000)).toBe('refresh')
  })
  it('it stands as long as the client allows, too, where it was fresh once and its origin does not forbid it', () => {
    const may = (control: string, pastMs: number, asked = 'stale-if-error=5', more = {}) =>
      mayReplaceError({ ...stored(control), ...more }, 503, 10_000 + pastMs, parseDirectives(asked))
    expect([may('', 5000), may('', 5001), may('stale-if-error=9', 9000), may('stale-if-error=1', 5000)]).toEqual([
      true,
      false,
      true,
      true,
    ])
    for (const asked of ['stale-if-error', 'stale-if-error=x', 'stale-if-error=0'])
      expect(may('', 1, asked)).toBe(false)
    expect(may('must-revalidate', 1)).toBe(false)
    expect(may('', -9000, undefined, { lifetimeMs: 0 })).toBe(false)
    // The stored response is fresh, so the client asked for a younger one: it gets what the origin answered, error or not.
    expect(may('', -1)).toBe(false)
  })
  const may = (control: string, answer: number | 'none', pastMs: number) =>
    mayReplaceError(stored(control), answer, 10_000 + pastMs)
  it.each<[string, number | 'none', number, boolean]>([
    ['stale-if-error=5', 500, 5000, true],
    ['stale-if-error=5', 502, 5000, true],
    ['stale-if-error=5', 503, 5000, true],
    ['stale-if-error=5', 504, 5000, true],
    ['stale-if-error=5', 'none', 5000, true],
    ['stale-if-error=5', 503, 5001, false],
    ['stale-if-error=5', 'none', 5001, false],
    ['stale-if-error=0', 'none', 1, false],
    ['stale-if-error=5', 501, 0, false],
    ['stale-if-error=5', 404, 0, false],
    ['stale-if-error=5', 429, 0, false],
    ['', 503, 0, false],
    ['', 'none', DISCONNECTED_MS, true],
    ['', 'none', DISCONNECTED_MS + 1, false],
    ['stale-if-error=5, must-revalidate', 503, 0, false],
    ['stale-if-error=5, proxy-revalidate', 'none', 0, false],
    ['stale-if-error=5, s-maxage=10', 503, 0, false],
    ['stale-if-error=5, no-cache', 503, 0, false],
    ['no-cache', 'none', -5000, false],
  ])('a response with %j stands for %s, %i ms past its end: %s', (control, answer, pastMs, expected) =>
    expect(may(control, answer, pastMs)).toBe(expected),
  )
})
