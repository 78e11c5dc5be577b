import { describe, expect, it } from 'vitest'
import {
  agreesWithHead,
  conditional,
  isConfirmed,
  isNotModified,
  needsOrigin,
  trimTo304,
} from '../../../src/http/validate.ts'

type Fields = Record<string, string>
const NOW = Date.UTC(2026, 0, 1)
const date = (ms: number): string => new Date(ms).toUTCString()

describe('a request that validates', () => {
  const ask = (request: Fields, stored: Fields): Fields =>
    Object.fromEntries(conditional(new Headers(request), new Headers(stored)))
  it('has both validators of what is stored, and no condition of the client', () => {
    const client = {
      'if-none-match': '"mine"',
      'if-modified-since': date(0),
      range: 'bytes=0-1',
      'if-range': '"mine"',
      'x-a': '1',
    }
    expect(ask(client, { etag: 'W/"a"', 'last-modified': date(NOW) })).toEqual({
      'if-none-match': 'W/"a"',
      'if-modified-since': date(NOW),
      'x-a': '1',
    })
    expect(ask({}, { etag: '"a"' })).toEqual({ 'if-none-match': '"a"' })
    expect(ask({}, { 'last-modified': 'x' })).toEqual({ 'if-modified-since': 'x' })
  })
  it('is as the client sent it where nothing stored has a validator', () => {
    expect(ask({ 'if-none-match': '"mine"', range: 'bytes=0-1' }, {})).toEqual({
      'if-none-match': '"mine"',
      range: 'bytes=0-1',
    })
  })
})

describe('a 304', () => {
  const [strong, weak, other] = [{ etag: '"a"' }, { etag: 'W/"a"' }, { etag: '"b"' }]
  const [old, young] = [{ 'last-modified': date(0) }, { 'last-modified': date(NOW) }]
  it.each<[Fields, Fields, boolean]>([
    [strong, strong, true],
    [strong, other, false],
    [weak, strong, false],
    [strong, weak, true],
    [weak, weak, true],
    [other, weak, false],
    [{}, strong, false],
    [old, strong, false],
    [strong, {}, true],
    [old, {}, true],
    [old, old, true],
    [old, young, false],
    [{ ...strong, ...old }, young, true],
  ])('speaks of what is stored by its validator: %j, 304 with %j', (stored, update, expected) =>
    expect(isConfirmed(new Headers(stored), new Headers(update))).toBe(expected),
  )
})

describe('a client that has a copy', () => {
  const has = (request: Fields, stored: Fields): boolean =>
    isNotModified(new Headers(request), new Headers(stored), NOW)
  it.each<[string, string, boolean]>([
    ['"a"', '"a"', true],
    ['W/"a"', '"a"', true],
    ['"a"', 'W/"a"', true],
    ['"b", "a"', '"a"', true],
    ['"a,b"', '"a,b"', true],
    ['"x", "a,b", W/"c"', 'W/"c"', true],
    ['*', '"a"', true],
    ['"*"', '"a"', false],
    ['"b"', '"a"', false],
    ['"a', '"a"', false],
    ['a', '"a"', false],
    ['', '"a"', false],
  ])('gets 304 by the tags that it lists: %s of %s', (tags, etag, expected) =>
    expect(has({ 'if-none-match': tags }, { etag })).toBe(expected),
  )
  it('gets 304 by its date only where it lists no tag', () => {
    const stored = { etag: '"a"', 'last-modified': date(NOW - 5000) }
    expect(has({ 'if-modified-since': date(NOW - 5000) }, stored)).toBe(true)
    expect(has({ 'if-modified-since': date(NOW - 6000) }, stored)).toBe(false)
    expect(has({ 'if-modified-since': date(NOW), 'if-none-match': '"b"' }, stored)).toBe(false)
    expect(has({ 'if-modified-since': 'x' }, stored)).toBe(false)
    expect(has({}, stored)).toBe(false)
  })
  it('is compared with Date where nothing says when it was changed', () => {
    expect(has({ 'if-modified-since': date(NOW) }, { date: date(NOW) })).toBe(true)
    expect(has({ 'if-modified-since': date(NOW - 1000) }, { date: date(NOW) })).toBe(false)
    expect(has({ 'if-modified-since': date(NOW) }, {})).toBe(false)
    expect(has({ 'if-none-match': '*' }, {})).toBe(true)
  })
  it('has 1,000 tags looked at', () => {
    const many = Array(1000).fill('"b"')
    expect(has({ 'if-none-match': [...many.slice(1), '"a"'].join() }, { etag: '"a"' })).toBe(true)
    expect(has({ 'if-none-match': [...many, '"a"'].join() }, { etag: '"a"' })).toBe(false)
  })
  it('is sent what a 304 has, and nothing that describes a body', () => {
    const headers = new Headers({
      'cache-control': 'x',
      'content-location': 'x',
      date: 'x',
      etag: 'x',
      expires: 'x',
      vary: 'x',
      'content-type': 'x',
      'content-length': '1',
      'content-encoding': 'x',
      'set-cookie': 'x',
      'x-a': 'x',
    })
    trimTo304(headers)
    expect([...headers.keys()]).toEqual(['cache-control', 'content-location', 'date', 'etag', 'expires', 'vary'])
  })
  it('has what lets a page of another origin read it', () => {
    const headers = new Headers({
      'access-control-allow-origin': '*',
      'access-control-expose-headers': 'x',
      'x-a': 'x',
    })
    trimTo304(headers)
    expect([...headers.keys()]).toEqual(['access-control-allow-origin', 'access-control-expose-headers'])
  })
})

describe('the answer to a HEAD', () => {
  const stored = { etag: '"a"', 'last-modified': date(0), 'content-length': '5' }
  it.each<[Fields, boolean | undefined]>([
    [stored, true],
    [{ etag: '"a"' }, true],
    [{}, undefined],
    [{ 'content-length': '5' }, undefined],
    [{ 'content-length': '6' }, false],
    [{ etag: '"b"' }, false],
    [{ ...stored, 'last-modified': date(NOW) }, false],
    [{ 'x-a': '1' }, undefined],
  ])('agrees with what is stored, or not: %j', (head, expected) =>
    expect(agreesWithHead(new Headers(stored), new Headers(head), 5)).toBe(expected),
  )
  it('does not agree if it has a validator that what is stored lacks', () => {
    expect(agreesWithHead(new Headers(), new Headers({ etag: '"a"' }), 5)).toBe(false)
  })
})

describe('a condition', () => {
  it.each<[Fields, boolean]>([
    [{ 'if-match': '"a"' }, true],
    [{ 'if-unmodified-since': date(0) }, true],
    [{ expect: '100-continue' }, true],
    [{ 'if-none-match': '"a"' }, false],
    [{}, false],
  ])('is for the origin, or not: %j', (request, expected) => expect(needsOrigin(new Headers(request))).toBe(expected))
})
