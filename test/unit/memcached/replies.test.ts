import { expect, it } from 'vitest'
import { createReplyReader } from '../../../adapters/memcached/replies.ts'

const PLACE = { text: 'key', flag: '' } as const

/** What the reader makes of these chunks. Each reply is to the request of the next number. */
function read(chunks: readonly Uint8Array[]): string[] {
  const found: string[] = []
  let opaque = 100_001
  const reader = createReplyReader(1000, {
    awaited: () => ({ place: PLACE, opaque }),
    onReply({ code, bytes, from, to, flags, seconds, cas }) {
      opaque++
      found.push(`${code} ${flags} ${seconds} ${cas} ${Buffer.from(bytes.subarray(from, to)).toString()}`)
    },
    onLine: (line) => void found.push(line),
  })
  for (const chunk of chunks) reader(chunk)
  return found
}

it('reads the same from pieces of any size', () => {
  const stream = Buffer.from(
    [
      'VA 8 f7 t-1 c18446744073709551615 kkey O100001\r\nV\r\nA 1é',
      'EN kkey O100002',
      'SERVER_ERROR out of memory',
      'VA 0 f0 kkey O100003\r\n',
      'VA 2 f1751217256 t30 kkey O100004\r\nxy',
      'HD kkey O100005',
      '',
    ].join('\r\n'),
  )
  const whole = read([stream])
  expect(whole.map((each) => each.slice(0, 40))).toEqual([
    'VA 7 -1 18446744073709551615 V\r\nA 1é',
    expect.stringMatching(/^EN -1 /),
    'SERVER_ERROR out of memory',
    expect.stringMatching(/^VA 0 .* $/),
    expect.stringMatching(/^VA 1751217256 30 .* xy$/),
    expect.stringMatching(/^HD -1 /),
  ])
  for (let size = 1; size < stream.length; size++) {
    const pieces = Array.from({ length: Math.ceil(stream.length / size) }, (_, i) =>
      stream.subarray(i * size, (i + 1) * size),
    )
    expect(read(pieces)).toEqual(whole)
  }
})

it('gives as a line what does not name its request, or is no reply', () => {
  for (const line of [
    'VA 1 f0 kkey O100002',
    'VA 1 f0 kkex O100001',
    'VA 1 f0 kkey O10000',
    'VA 1 f0 kkey O1000011',
    'VA 1 f0 kkey O100001 x',
    'VA 1 f0 kkey b O100001',
    'VA 1 f0 key O100001',
    'VA x f0 kkey O100001',
    'VA  f0 kkey O100001',
    'VA1 f0 kkey O100001',
    'VA -1 f0 kkey O100001',
    'HDx kkey O100001',
    'HD',
    '',
  ]) {
    expect(read([Buffer.from(`${line}\r\n`)])).toEqual([line])
  }
})
