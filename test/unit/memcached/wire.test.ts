import { describe, expect, it } from 'vitest'
import { md5 } from '../../../adapters/memcached/md5.ts'
import { createRing } from '../../../adapters/memcached/ring.ts'
import { wireKey, wireTtl } from '../../../adapters/memcached/wire.ts'

describe('keys', () => {
  it('go as they are, in base64, or not at all', () => {
    expect(wireKey('user:1')).toEqual({ text: 'user:1', flag: '' })
    expect(wireKey('k'.repeat(250))).toEqual({ text: 'k'.repeat(250), flag: '' })
    expect(wireKey('k'.repeat(251))).toBe(undefined)
    expect(wireKey('a b')).toEqual({ text: 'YSBi', flag: ' b' })
    expect(wireKey('\u0001')?.flag).toBe(' b')
    expect(wireKey(` ${'k'.repeat(185)}`)?.text.length).toBe(248)
    expect(wireKey(` ${'k'.repeat(187)}`)).toBe(undefined)
  })
})

describe('lifetimes', () => {
  it('are rounded up to a second, and one more for the tick; above 30 days they are instants', () => {
    expect(wireTtl(undefined, 0)).toBe(0)
    expect(wireTtl(1, 0)).toBe(2)
    expect(wireTtl(1000, 0)).toBe(2)
    expect(wireTtl(1001, 0)).toBe(3)
    expect(wireTtl(2_591_999_000, 0)).toBe(2_592_000)
    expect(wireTtl(2_592_000_000, 1_795_000_000_000)).toBe(1_795_000_000 + 2_592_001)
    expect(wireTtl(1e14, 1_795_000_000_000)).toBe(0)
  })
})

describe('placing keys', () => {
  it('has the MD5 of RFC 1321', () => {
    const hex = (text: string): string => Array.from(md5(text), (byte) => byte.toString(16).padStart(2, '0')).join('')
    expect(hex('')).toBe('d41d8cd98f00b204e9800998ecf8427e')
    expect(hex('message digest')).toBe('f96b697d7cb7938d525a2f31aaf161d0')
    expect(hex('1234567890'.repeat(8))).toBe('57edf4a22be3c955ac49da2e2107b67a')
  })
  it('is the same in any order of the servers, and moves a share when one is added', () => {
    const four = ['a', 'b:1', 'c:2', 'd:3']
    const more = [...four, 'e:4']
    const five = createRing(more)
    const before = createRing(four)
    const keys = Array.from({ length: 10_000 }, (_, i) => `key:${i}`)
    const moved = keys.filter((key) => four[before.pick(key)] !== more[five.pick(key)])
    expect(moved.length).toBeGreaterThan(1200)
    expect(moved.length).toBeLessThan(2800)
    expect(new Set(moved.map((key) => more[five.pick(key)]))).toEqual(new Set(['e:4']))
  })
  it('goes on to the next server where one is down, and to the first where all are', () => {
    const ring = createRing(['a', 'b', 'c'])
    const first = ring.pick('k')
    const next = ring.pick('k', (server) => server === first)
    expect(next).not.toBe(first)
    expect(ring.pick('k', () => true)).toBe(first)
  })
})
