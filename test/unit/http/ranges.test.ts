import { describe, expect, it } from 'vitest'
import { partOf, wholeOf206 } from '../../../src/http/ranges.ts'

const part = (range: string, more: Record<string, string> = {}, stored: Record<string, string> = {}, length = 10) => {
  const found = partOf(new Headers({ range, ...more }), new Headers(stored), length)
  return typeof found === 'string' ? found : [found.from, found.to]
}

describe('a range of ten bytes', () => {
  it.each([
    ['bytes=0-0', [0, 1]],
    ['bytes=2-4', [2, 5]],
    ['Bytes=2-4', [2, 5]],
    ['bytes=5-', [5, 10]],
    ['bytes=9-99', [9, 10]],
    ['bytes=-3', [7, 10]],
    ['bytes=-99', [0, 10]],
    ['bytes=000000000000002-4', [2, 5]],
    [' bytes=0-1 ', [0, 2]],
    ['bytes=10-', 'unsatisfiable'],
    ['bytes=10-11', 'unsatisfiable'],
    ['bytes=-0', 'unsatisfiable'],
    ['bytes=999999999999999-', 'unsatisfiable'],
    ['bytes=99999999999999999999-', 'unsatisfiable'],
    ['bytes=0-99999999999999999999', [0, 10]],
    ['bytes=-99999999999999999999', [0, 10]],
    [`bytes=3-${'9'.repeat(400)}`, [3, 10]],
    [`bytes=-${'9'.repeat(400)}`, [0, 10]],
    [`bytes=${'9'.repeat(400)}-`, 'unsatisfiable'],
    ['bytes=0-1, 3-99999999999999999999', 'whole'],
    ['bytes=4-2', 'whole'],
    ['bytes=-', 'whole'],
    ['bytes=', 'whole'],
    ['bytes=0-1, 3-4', 'whole'],
    ['bytes = 0-1', 'whole'],
    ['bytes=a-b', 'whole'],
    ['bytes=+1-2', 'whole'],
    ['bytes=0x1-2', 'whole'],
    ['bytes=1.5-2', 'whole'],
    ['items=0-1', 'whole'],
    ['', 'whole'],
  ])('is cut, or is none, or is the whole: %s', (range, expected) => expect(part(range)).toEqual(expected))
  it('of an empty body cannot be had', () => expect(part('bytes=0-', {}, {}, 0)).toBe('unsatisfiable'))
  it('is cut only from the response that If-Range names, compared strongly', () => {
    const [at, later] = ['Thu, 01 Jan 2015 00:00:00 GMT', 'Thu, 01 Jan 2015 00:00:01 GMT']
    const cut = (ifRange: string, stored: Record<string, string>) => part('bytes=0-1', { 'if-range': ifRange }, stored)
    expect(cut('"a"', { etag: '"a"' })).toEqual([0, 2])
    expect(cut(at, { 'last-modified': at, date: later })).toEqual([0, 2])
    for (const [ifRange, stored] of [
      ['"b"', { etag: '"a"' }],
      ['W/"a"', { etag: 'W/"a"' }],
      ['W/"a"', { etag: '"a"' }],
      ['"a"', { etag: 'W/"a"' }],
      ['"a"', {}],
      [later, { 'last-modified': at, date: later }],
      [at, { 'last-modified': at, date: at }],
      [at, { 'last-modified': at }],
      [at, { date: later }],
      ['x', { 'last-modified': 'x', date: later }],
    ] as [string, Record<string, string>][])
      expect([ifRange, stored, cut(ifRange, stored)]).toEqual([ifRange, stored, 'whole'])
  })
})

describe('a 206', () => {
  it.each([
    ['bytes 0-9/10', 10],
    ['Bytes 0-9/10', 10],
    ['bytes 0-0/1', 1],
    ['bytes 1-9/10', undefined],
    ['bytes 0-8/10', undefined],
    ['bytes 0-10/10', undefined],
    ['bytes 0-9/*', undefined],
    ['bytes */10', undefined],
    ['bytes=0-9/10', undefined],
    ['items 0-9/10', undefined],
    ['', undefined],
  ])('is the whole, or a part: %s', (text, expected) =>
    expect(wholeOf206(new Headers({ 'content-range': text }))).toBe(expected),
  )
})
