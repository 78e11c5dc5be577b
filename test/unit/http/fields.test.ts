import { describe, expect, it } from 'vitest'
import { parseDirectives } from '../../../src/http/directives.ts'
import { headersOf, storableFields, updatedFields } from '../../../src/http/fields.ts'

const NOW = Date.UTC(2026, 0, 1)
const stored = (fields: Record<string, string>, control = '') =>
  Object.fromEntries(
    storableFields(new Headers(fields), { directives: parseDirectives(control), targeted: false }, NOW),
  )

describe('what is stored of the fields', () => {
  it('is all but those of one connection, of a proxy, and those that Connection names', () => {
    const hop = [
      'keep-alive',
      'proxy-authenticate',
      'proxy-authentication-info',
      'proxy-authorization',
      'proxy-connection',
      'te',
      'trailer',
      'transfer-encoding',
      'upgrade',
    ]
    const fields = Object.fromEntries(hop.map((name) => [name, 'x']))
    expect(stored({ ...fields, connection: 'close, X-Hop', 'x-hop': 'x', 'x-end': 'x', date: 'd' })).toEqual({
      'x-end': 'x',
      date: 'd',
    })
  })
  it('is without those that private and no-cache name', () => {
    expect(stored({ a: '1', b: '2', c: '3', d: '4', date: 'd' }, 'private="A, b", no-cache="c"')).toEqual({
      d: '4',
      date: 'd',
    })
    expect(stored({ a: '1', date: 'd' }, 'no-cache, private=""')).toEqual({ a: '1', date: 'd' })
  })
  it('has a Date, no Age, and what caches behind say', () => {
    expect(stored({ age: '5', 'cache-status': 'x; hit' })).toEqual({
      'cache-status': 'x; hit',
      date: new Date(NOW).toUTCString(),
    })
    expect(stored({ 'cache-status': 'x; hit', connection: 'cache-status', date: 'd' })).toEqual({ date: 'd' })
  })
  it('has each Set-Cookie apart', () => {
    const headers = new Headers({ date: 'd' })
    headers.append('set-cookie', 'a=1, b')
    headers.append('set-cookie', 'c=2')
    const fields = storableFields(headers, { directives: new Map(), targeted: false }, NOW)
    expect(headersOf(fields).getSetCookie()).toEqual(['a=1, b', 'c=2'])
  })
})

describe('a 304', () => {
  it('replaces fields, and leaves those that describe the body', () => {
    const before = [
      ['content-type', 'a'],
      ['content-length', '5'],
      ['content-encoding', 'gzip'],
      ['etag', '1'],
      ['x', '1'],
      ['y', '1'],
    ] as const
    const update = [
      ['content-type', 'b'],
      ['content-length', '0'],
      ['content-encoding', 'br'],
      ['content-range', 'z'],
      ['etag', '2'],
      ['x', '2'],
      ['z', '2'],
    ] as const
    expect(Object.fromEntries(updatedFields(before, update))).toEqual({
      'content-type': 'a',
      'content-length': '5',
      'content-encoding': 'gzip',
      etag: '2',
      x: '2',
      y: '1',
      z: '2',
    })
  })
})
