import { expect, it } from 'vitest'
import { createEncoder, nextOpaque } from '../../../adapters/memcached/encoder.ts'

const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => (i * 7) % 256)

it('makes of commands of any size the bytes of one after another, and changes none that was taken', () => {
  const encoder = createEncoder()
  const taken: { readonly bytes: readonly Uint8Array[]; readonly expected: Uint8Array }[] = []
  let opaque = 999_990
  for (const size of [0, 1, 100, 4095, 4096, 4097, 16_000, 1_000_000, 12, 4000, 4000, 4000, 4000, 4000, 2]) {
    const expected: Uint8Array[] = []
    for (const [text, flag] of [
      ['k', ''],
      ['YSBi', ' b'],
      ['x'.repeat(250), ''],
      ['l', ''],
      ['m', ''],
    ] as const) {
      opaque = nextOpaque(opaque)
      const body = bytes(size)
      encoder.add({ verb: 'ms', flags: ` ${size} T5`, body }, { text, flag }, opaque)
      encoder.add({ verb: 'mg', flags: ' v f', body: undefined }, { text, flag }, opaque)
      const end = `k${flag} O${opaque}\r\n`
      expected.push(Buffer.from(`ms ${text} ${size} T5 ${end}`), body, Buffer.from(`\r\nmg ${text} v f ${end}`))
    }
    encoder.add({ verb: 'mn', flags: '', body: undefined }, { text: '', flag: '' }, opaque)
    expected.push(Buffer.from('mn\r\n'))
    taken.push({ bytes: encoder.take(), expected: Buffer.concat(expected) })
  }
  for (const each of taken) expect(Buffer.concat(each.bytes).equals(each.expected)).toBe(true)
  expect(encoder.take()).toEqual([])
})

it('numbers commands with six digits, one after another', () => {
  expect([nextOpaque(100_000), nextOpaque(999_998), nextOpaque(999_999)]).toEqual([100_001, 999_999, 100_000])
})
