import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isEntry, isFresh, NO_END, NONE, parseEntry } from '../../../src/protocol/entry.ts'
import { checkNamespace, storedKey } from '../../../src/protocol/keys.ts'

const text = (fresh: string, ends: string, payload = '{}', mark = 'j', tags = ''): string =>
  `h${mark}abcdefghijklmno_1795000000123456000000042${fresh}${ends}${NONE}${'0'.repeat(15)}${NONE}` +
  `${String(tags.length).padStart(8, '0')}${tags}${payload}`
const stamp = (ms: number): string => String(ms).padStart(15, '0')

/** Any text, lone surrogates included. */
const anyText = (maxLength: number): fc.Arbitrary<string> =>
  fc
    .array(fc.oneof(fc.integer({ min: 32, max: 126 }), fc.integer({ min: 0, max: 0xffff })), { maxLength })
    .map((units) => String.fromCharCode(...units))

describe('the stored form of an entry', () => {
  it('is read field by field', () => {
    expect(parseEntry(text(stamp(1_795_000_001_000), stamp(1_795_000_002_000), 'žluť', 'Z', '{"a":1}'))).toMatchObject({
      mark: 'Z',
      id: 'abcdefghijklmno_',
      writtenMs: 1_795_000_000_123.456,
      loadMs: 42,
      freshUntilMs: 1_795_000_001_000,
      expiresMs: 1_795_000_002_000,
      lease: NONE,
      generation: NONE,
      tags: '{"a":1}',
      payload: 'žluť',
    })
    expect(parseEntry(text(NO_END, NO_END))?.freshUntilMs).toBe(Number.POSITIVE_INFINITY)
  })
  it('never throws on text, and takes none but its own', () => {
    const whole = text(NO_END, NO_END)
    expect(isEntry(whole)).toBe(true)
    fc.assert(
      fc.property(
        fc.oneof(
          anyText(150),
          fc
            .tuple(fc.nat(whole.length), fc.nat(3), anyText(3))
            .map(([at, cut, part]) => whole.slice(0, at) + part + whole.slice(at + cut)),
          fc.nat(127).map((length) => whole.slice(0, length)),
        ),
        (any) => {
          const entry = parseEntry(any)
          expect(entry !== undefined).toBe(isEntry(any))
          if (!entry) return
          expect(any.startsWith('h')).toBe(true)
          expect([Math.floor(entry.writtenMs), entry.loadMs].every(Number.isSafeInteger)).toBe(true)
          expect(Number.isNaN(entry.freshUntilMs + entry.expiresMs)).toBe(false)
        },
      ),
      { numRuns: 300 },
    )
  })
  it.each([0, 1, 2, 18, 34, 43, 58, 73, 89, 104, 120, 127])('is no entry with a foreign character at %i', (at) => {
    const whole = text(NO_END, NO_END)
    for (const part of [' ', 'é', '\n', '\u0000']) {
      expect(parseEntry(whole.slice(0, at) + part + whole.slice(at + 1))).toBeUndefined()
    }
  })
  it('is fresh until its instant, and without grace for as long as it is there', () => {
    const graced = parseEntry(text(stamp(1000), stamp(2000)))
    const bare = parseEntry(text(stamp(1000), stamp(1000)))
    const leaseOnly = parseEntry(text(stamp(0), stamp(0), '', '-'))
    expect(graced && [999, 1000, 1001].map((at) => isFresh(graced, () => at))).toEqual([true, false, false])
    expect(bare && isFresh(bare, () => 5000)).toBe(true)
    expect(leaseOnly && isFresh(leaseOnly, () => 0)).toBe(false)
  })
})

describe('a stored key', () => {
  it('joins namespace and key, and no two pairs share one', () => {
    const namespace = fc.stringMatching(/^[\w-]{1,5}(\.[\w-]{1,5})?$/)
    fc.assert(
      fc.property(namespace, fc.string({ minLength: 1 }), namespace, fc.string({ minLength: 1 }), (n, k, m, l) => {
        expect(storedKey(n, k) === storedKey(m, l)).toBe(n === m && k === l)
        expect(storedKey(n, k).startsWith(':')).toBe(false)
      }),
    )
  })
  it.each(['', undefined, null, 7, {}, ['a']])('refuses the key %j', (key) => {
    expect(() => storedKey('n', key as string)).toThrow(expect.objectContaining({ code: 'INVALID_KEY' }))
  })
  it.each(['', ':', 'a:b', '.', 'a.', '.a', 'a..b', 'é', 'a b', 'a\n'])('refuses the namespace %j', (name) => {
    expect(() => checkNamespace(name)).toThrow(expect.objectContaining({ code: 'INVALID_KEY' }))
  })
})
