import { describe, expect, it } from 'vitest'
import { parseDate } from '../../../src/http/dates.ts'

const NOW = Date.UTC(2026, 0, 1)
const AT = Date.UTC(1994, 10, 6, 8, 49, 37)

describe('a date', () => {
  it.each([
    'Sun, 06 Nov 1994 08:49:37 GMT',
    'sun, 06 nov 1994 08:49:37 gmt',
    'Sunday, 06-Nov-94 08:49:37 GMT',
    'Sun Nov  6 08:49:37 1994',
    'Sun Nov 06 08:49:37 1994',
  ])('has one of three forms, in any case: %s', (text) => expect(parseDate(text, NOW)).toBe(AT))
  it.each([
    '',
    '0',
    '-1',
    'now',
    'Sun, 6 Nov 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 8:49:37 GMT',
    'Sun 06 Nov 1994 08:49:37 GMT',
    'Sun, 06-Nov-1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 08:49:37 UTC',
    'Sun, 06 Nov 1994 08:49:37 +0000',
    'Sun, 06 Nov 1994 08:49:37',
    'Sun, 06 Nov 94 08:49:37 GMT',
    'Sun, 06 Nob 1994 08:49:37 GMT',
    'Sun, 31 Feb 1994 08:49:37 GMT',
    'Sun, 00 Nov 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 24:00:00 GMT',
    'Sun, 06 Nov 1994 08:60:00 GMT',
    'Sun, 06 Nov 1994 08:49:61 GMT',
    ' Sun, 06 Nov 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT',
    '1994-11-06T08:49:37Z',
  ])('is nothing else: %s', (text) => expect(parseDate(text, NOW)).toBeUndefined())
  it('with two digits for its year is at most 50 years ahead', () => {
    expect(parseDate('Sunday, 06-Nov-76 08:49:37 GMT', NOW)).toBe(Date.UTC(2076, 10, 6, 8, 49, 37))
    expect(parseDate('Sunday, 06-Nov-77 08:49:37 GMT', NOW)).toBe(Date.UTC(1977, 10, 6, 8, 49, 37))
  })
  it('may have a leap second', () => {
    expect(parseDate('Sat, 31 Dec 2016 23:59:60 GMT', NOW)).toBe(Date.UTC(2017, 0, 1))
  })
  it('that is absent is no date', () =>
    expect([parseDate(null, NOW), parseDate(undefined, NOW)]).toEqual([undefined, undefined]))
})
