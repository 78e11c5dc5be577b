import { describe, expect, it } from 'vitest'
import { controlOf } from '../../../src/http/directives.ts'
import { ageAt, initialAgeMs, lifetimeOf, type Received, varyNames } from '../../../src/http/freshness.ts'

const NOW = Date.UTC(2026, 0, 1)
const date = (ms: number): string => new Date(ms).toUTCString()
const received = (fields: Record<string, string>, more: Partial<Received> = {}): Received => ({
  status: 200,
  headers: new Headers(fields),
  requestMs: NOW,
  responseMs: NOW,
  ...more,
})
const life = (fields: Record<string, string>, ruleMs?: number, heuristics = true, status = 200) => {
  const one = received(fields, { status })
  const { ms, explicit } = lifetimeOf(one, controlOf(one.headers), ruleMs, heuristics)
  return [ms, explicit]
}

describe('the lifetime', () => {
  it.each<[Record<string, string>, number, boolean]>([
    [{ 'cache-control': 's-maxage=1, max-age=2', expires: date(NOW + 9000) }, 1000, true],
    [{ 'cache-control': 'max-age=2', expires: date(NOW + 9000) }, 2000, true],
    [{ 'cache-control': 'max-age=2', expires: 'x' }, 2000, true],
    [{ 'cache-control': 'max-age=x', expires: date(NOW + 9000) }, 0, true],
    [{ expires: date(NOW + 9000) }, 9000, true],
    [{ expires: date(NOW + 9000), date: date(NOW - 1000) }, 10_000, true],
    [{ expires: date(NOW - 9000) }, 0, true],
    [{ expires: '0' }, 0, true],
    [{ expires: `${date(NOW + 9000)}, ${date(NOW + 9000)}` }, 0, true],
    [{ 'cdn-cache-control': 'max-age=3', 'cache-control': 'max-age=2', expires: '0' }, 3000, true],
    [{ 'cdn-cache-control': 'public', 'cache-control': 'max-age=2', expires: date(NOW + 9000) }, 0, false],
    [{ 'last-modified': date(NOW - 100_000) }, 10_000, false],
    [{ 'last-modified': date(NOW - 100_000), date: date(NOW - 50_000) }, 5000, false],
    [{ 'last-modified': date(NOW - 1e10) }, 86_400_000, false],
    [{ 'last-modified': date(NOW + 100_000) }, 0, false],
    [{ 'last-modified': 'x' }, 0, false],
    [{}, 0, false],
  ])('is what comes first of s-maxage, max-age, Expires, a tenth of the age: %j', (fields, ms, explicit) =>
    expect(life(fields)).toEqual([ms, explicit]),
  )
  it('of a rule counts where a response says nothing of its own, before a heuristic', () => {
    const old = { 'last-modified': date(NOW - 100_000) }
    expect(life(old, 500)).toEqual([500, true])
    expect(life({ 'cache-control': 'max-age=1' }, 500)).toEqual([1000, true])
    expect(life({ expires: '0' }, 500)).toEqual([0, true])
  })
  it('is a whole number of milliseconds where a response has no Date', () => {
    const one = received({ 'last-modified': date(NOW - 100_000) }, { responseMs: NOW + 7 })
    expect(lifetimeOf(one, controlOf(one.headers), undefined, true).ms).toBe(10_000)
  })
  it('is guessed for few statuses, or where it is public, and only where that is allowed', () => {
    const old = { 'last-modified': date(NOW - 100_000) }
    expect(life(old, undefined, false)).toEqual([0, false])
    for (const status of [200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501])
      expect([status, ...life(old, undefined, true, status)]).toEqual([status, 10_000, false])
    for (const status of [201, 302, 400, 403, 500, 503])
      expect([status, ...life(old, undefined, true, status)]).toEqual([status, 0, false])
    expect(life({ ...old, 'cache-control': 'public' }, undefined, true, 201)).toEqual([10_000, false])
  })
})

describe('the age', () => {
  it.each<[Record<string, string>, number]>([
    [{}, 0],
    [{ age: '7' }, 7000],
    [{ age: '0, 7200' }, 0],
    [{ age: '7, 0' }, 7000],
    [{ age: '-1' }, 0],
    [{ age: '1.5' }, 0],
    [{ age: 'x' }, 0],
    [{ age: '"7"' }, 0],
    [{ age: '99999999999' }, 2 ** 31 * 1000],
    [{ date: date(NOW - 5000) }, 5000],
    [{ date: date(NOW - 5000), age: '3' }, 5000],
    [{ date: date(NOW - 5000), age: '9' }, 9000],
    [{ date: date(NOW + 5000) }, 0],
    [{ date: 'x' }, 0],
  ])('at arrival is the larger of Age and the time since Date, never negative: %j', (fields, ms) =>
    expect(initialAgeMs(received(fields))).toBe(ms),
  )
  it('counts the time that the answer took, beside Age', () => {
    expect(initialAgeMs(received({ age: '3' }, { requestMs: NOW - 2000 }))).toBe(5000)
    expect(initialAgeMs(received({ age: '3' }, { requestMs: NOW + 2000 }))).toBe(3000)
  })
  it('grows with the time in store, and is past every lifetime once the clock was set back', () => {
    const aged = { responseMs: NOW, ageMs: 1000, lifetimeMs: 10_000 }
    expect(ageAt(aged, NOW + 4000)).toBe(5000)
    expect(ageAt(aged, NOW - 10_000)).toBe(1000)
    expect(ageAt(aged, NOW - 10_001)).toBeGreaterThan(2 ** 32)
  })
})

describe('Vary', () => {
  it.each([
    ['B, a,b', ['a', 'b']],
    ['', []],
    ['*', undefined],
    ['a, *', undefined],
    [', *', undefined],
  ])('names fields in any case, or none with an asterisk: %s', (text, expected) =>
    expect(varyNames(new Headers({ vary: text }))).toEqual(expected),
  )
})
