import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Duration, toMs } from '../../../src/protocol/duration.ts'

describe('a duration', () => {
  it.each([
    [1, 1],
    [0.2, 1],
    [1e14, 1e14],
    ['250ms', 250],
    ['30s', 30_000],
    ['30 s', 30_000],
    ['1.5s', 1500],
    ['0.1ms', 1],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['7d', 604_800_000],
  ] as [Duration, number][])('%s is %s ms', (duration, ms) => {
    expect(toMs(duration, 'ttl')).toBe(ms)
  })
  it.each([
    '5 apples',
    '5',
    '',
    's',
    '5  s',
    ' 5s',
    '5s ',
    '5S',
    '-5s',
    '+5s',
    '5.s',
    '.5s',
    '1e3s',
    '0x5s',
    '5s\n',
    '5w',
    'NaNs',
    '0s',
    '99999999999999999d',
    0,
    -1,
    -0.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    1e14 + 1,
    null,
    undefined,
    true,
    {},
  ])('refuses %j', (duration) => {
    const refusal = expect.objectContaining({ code: 'INVALID_DURATION', message: expect.stringContaining('ttl') })
    expect(() => toMs(duration as Duration, 'ttl')).toThrow(refusal)
  })
  it('may be zero where that makes sense', () => {
    expect(toMs(0, 'grace', 0)).toBe(0)
    expect(toMs('0s', 'grace', 0)).toBe(0)
    expect(() => toMs(-1, 'grace', 0)).toThrow(expect.objectContaining({ code: 'INVALID_DURATION' }))
  })
  it('is a whole number of milliseconds in range, or refused, for any text and number', () => {
    const text = fc.oneof(
      fc.string(),
      fc.tuple(fc.double(), fc.constantFrom('ms', 's', 'm', 'h', 'd')).map((p) => p.join('')),
    )
    fc.assert(
      fc.property(fc.oneof(text, fc.double(), fc.anything()), (duration) => {
        let ms: number
        try {
          ms = toMs(duration as Duration, 'ttl')
        } catch (error) {
          expect(error).toMatchObject({ code: 'INVALID_DURATION' })
          return
        }
        expect(Number.isSafeInteger(ms) && ms >= 1 && ms <= 1e14).toBe(true)
      }),
      { numRuns: 300 },
    )
  })
})
