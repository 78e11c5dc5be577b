import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { createParser, type ParserOptions } from '../../src/store/resp.ts'
import { createEncoder } from '../../src/store/resp-encoder.ts'
import { ReplyError, type Wire } from '../../src/store/transport.ts'

const utf8 = new TextEncoder()
const bytesOf = (...parts: (string | Uint8Array)[]): Uint8Array => {
  const all = parts.map((part) => (typeof part === 'string' ? utf8.encode(part) : part))
  const whole = new Uint8Array(all.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of all) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

type Seen = { reply: Wire } | { push: Wire } | { error: unknown }

/** What a parser makes of the pieces: replies, pushes, and last the error if it throws one. */
function seen(pieces: readonly Uint8Array[], options: Partial<ParserOptions> = {}): Seen[] {
  const out: Seen[] = []
  const parse = createParser({
    onReply: (reply) => void out.push({ reply }),
    onPush: (push) => void out.push({ push }),
    ...options,
  })
  try {
    for (const piece of pieces) parse(piece)
  } catch (error) {
    out.push({ error })
  }
  return out
}
const replies = (text: string, options?: Partial<ParserOptions>): Wire[] =>
  seen([bytesOf(text)], options).map((each) => ('reply' in each ? each.reply : `unexpected: ${JSON.stringify(each)}`))
/** Like `seen`, with only the code of an error. */
const outcomeOf = (pieces: readonly Uint8Array[]): unknown[] =>
  seen(pieces).map((each) => ('error' in each ? (each.error as { code?: string }).code : each))
const oneByOne = (bytes: Uint8Array): Uint8Array[] => Array.from(bytes, (byte) => new Uint8Array([byte]))
const bad = { code: 'BAD_REPLY', maybeExecuted: true }
const refused = (text: string, options?: Partial<ParserOptions>): unknown => {
  const [last] = seen([bytesOf(text)], options).slice(-1)
  return last && 'error' in last ? last.error : last
}
const error = (message: string): ReplyError => new ReplyError(message)

describe('what the parser reads', { timeout: 60_000 }, () => {
  const table: [string, string, Wire][] = [
    ['a simple string', '+OK\r\n', 'OK'],
    ['an empty one', '+\r\n', ''],
    ['an error', '-WRONGTYPE of a key\r\n', error('WRONGTYPE of a key')],
    ['an integer', ':-17\r\n', -17],
    ['one with a plus', ':+5\r\n', 5],
    ['zero without a sign', ':-0\r\n', 0],
    ['the largest safe integer', ':9007199254740991\r\n', 9007199254740991],
    ['a larger one, exactly', ':9007199254740993\r\n', 9007199254740993n],
    ['the smallest of 64 bits', ':-9223372036854775808\r\n', -9223372036854775808n],
    ['a string', '$5\r\na\r\nbc\r\n', 'a\r\nbc'],
    ['an empty string', '$0\r\n\r\n', ''],
    ['a string of several bytes a character', '$9\r\n\ufeffž😀\r\n', '\ufeffž😀'],
    ['no string', '$-1\r\n', null],
    ['no array', '*-1\r\n', null],
    ['an empty array', '*0\r\n', []],
    ['arrays in arrays', '*3\r\n*0\r\n*2\r\n:1\r\n$-1\r\n$1\r\nx\r\n', [[], [1, null], 'x']],
    ['an error in an array', '*1\r\n-ERR no\r\n', [error('ERR no')]],
    ['RESP3: null', '_\r\n', null],
    ['RESP3: booleans', '*2\r\n#t\r\n#f\r\n', [1, 0]],
    ['RESP3: doubles', '*3\r\n,1.50\r\n,inf\r\n,nan\r\n', ['1.50', 'inf', 'nan']],
    ['RESP3: a big number', '(-123456789012345678901234567890\r\n', -123456789012345678901234567890n],
    ['RESP3: one that is not big', '(12\r\n', 12],
    ['RESP3: an error of any length', '!9\r\nERR a\r\nb!\r\n', error('ERR a\r\nb!')],
    ['RESP3: text with its format', '=7\r\ntxt:a\r\n\r\n', 'a\r\n'],
    ['RESP3: a map, flat', '%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n_\r\n', ['a', 1, 'b', [null]]],
    ['RESP3: a set', '~2\r\n+a\r\n+b\r\n', ['a', 'b']],
    ['RESP3: attributes, dropped', '|1\r\n+ttl\r\n:9\r\n*2\r\n|1\r\n+x\r\n*1\r\n:1\r\n+a\r\n|0\r\n+b\r\n', ['a', 'b']],
  ]
  it.each(table)('%s', (_, text, value) => {
    expect(replies(text)).toEqual([value])
    expect(replies(text + text)).toEqual([value, value])
  })

  it('is the same wherever the bytes are split', () => {
    const all = bytesOf(...table.map(([, text]) => text), '>2\r\n+message\r\n$2\r\nhi\r\n', '+end\r\n')
    const whole = seen([all])
    expect(whole).toHaveLength(table.length + 2)
    expect(seen(oneByOne(all))).toEqual(whole)
    for (let at = 0; at <= all.length; at++) {
      expect([at, seen([all.subarray(0, at), all.subarray(at)])]).toEqual([at, whole])
      expect([at, seen([all.subarray(0, at), all.subarray(at, at + 1), all.subarray(at + 1)])]).toEqual([at, whole])
    }
  })

  it('says apart what is said unasked', () => {
    expect(seen([bytesOf('>2\r\n+a\r\n*1\r\n:1\r\n:2\r\n>0\r\n:3\r\n')])).toEqual([
      { push: ['a', [1]] },
      { reply: 2 },
      { reply: 3 },
    ])
  })

  it('gives bytes to the replies that want them, which nothing overwrites', () => {
    const wanted = [true, false, true]
    const raw = bytesOf('$2\r\n', new Uint8Array([0xff, 0]), '\r\n$1\r\na\r\n*2\r\n$1\r\nb\r\n:1\r\n')
    const given: Wire[] = []
    const parse = createParser({ onReply: (reply) => given.push(reply), wantsBytes: () => wanted.shift() === true })
    parse(raw)
    raw.fill(0x58)
    expect(given).toEqual([new Uint8Array([0xff, 0]), 'a', [new Uint8Array([0x62]), 1]])
  })

  it('any value, in any pieces', () => {
    const text = fc.string({ unit: fc.constantFrom('a', '\r', '\n', '$', '*', ':', 'ž', '😀', '1', '-') })
    const leaf = fc.oneof(
      fc.constant(null),
      text,
      fc.maxSafeInteger(),
      fc.bigInt({ min: 2n ** 53n, max: 2n ** 200n }),
      fc.constantFrom('ERR', 'WRONGTYPE x').map(error),
    )
    const { value } = fc.letrec<{ value: Wire }>((tie) => ({
      value: fc.oneof({ depthSize: 'small' }, leaf, fc.array(tie('value'), { maxLength: 4 })),
    }))
    fc.assert(
      fc.property(fc.array(value, { maxLength: 5 }), fc.array(fc.nat(30)), fc.boolean(), (values, cuts, resp3) => {
        const whole = bytesOf(...values.map((each) => written(each, resp3)))
        expect(seen(pieces(whole, cuts))).toEqual(values.map((reply) => ({ reply })))
      }),
      { numRuns: 500 },
    )
  })
})

/** The RESP of a value, in the form of RESP3 where `resp3` is set and there are two. */
function written(value: Wire, resp3: boolean): string {
  if (value === null) return resp3 ? '_\r\n' : '$-1\r\n'
  if (typeof value === 'number') return `:${value}\r\n`
  if (typeof value === 'bigint') return `${resp3 ? '(' : ':'}${value}\r\n`
  if (typeof value === 'string') return `$${utf8.encode(value).length}\r\n${value}\r\n`
  if (value instanceof ReplyError)
    return resp3 ? `!${value.message.length}\r\n${value.message}\r\n` : `-${value.message}\r\n`
  if (value instanceof Uint8Array) return ''
  return `${resp3 ? '~' : '*'}${value.length}\r\n${value.map((each) => written(each, resp3)).join('')}`
}

function pieces(whole: Uint8Array, cuts: readonly number[]): Uint8Array[] {
  const out: Uint8Array[] = []
  let at = 0
  for (const length of cuts) {
    out.push(whole.subarray(at, at + length))
    at += length
  }
  return [...out, whole.subarray(at)]
}

describe('what the parser refuses', { timeout: 60_000 }, () => {
  it.each([
    ['another protocol', 'HTTP/1.1 400 Bad Request\r\n'],
    ['an unknown type', '?1\r\n'],
    ['a line feed alone', '+OK\n+OK\r\n'.replace('\n', '\r')],
    ['a string without its end', '$1\r\nabc\r\n'],
    ['a length that is none', '$x\r\n'],
    ['no length', '*\r\n'],
    ['a length below nothing', '$-2\r\n'],
    ['a set of no length', '~-1\r\n'],
    ['a map of no length', '%-1\r\n'],
    ['a length with a sign', '*+1\r\n'],
    ['a length of many digits', `*${'0'.repeat(20)}1\r\n`],
    ['a string that is streamed', '$?\r\n'],
    ['an integer that is none', ':1.5\r\n'],
    ['an integer without digits', ':-\r\n'],
    ['a boolean that is none', '#x\r\n'],
    ['a null that is something', '_x\r\n'],
    ['text without its format', '=2\r\nab\r\n'],
    ['a push in a reply', '*1\r\n>1\r\n:1\r\n'],
  ])('%s', (_, text) => {
    expect(refused(text)).toMatchObject(bad)
    expect(seen(oneByOne(bytesOf(text))).at(-1)).toMatchObject({ error: bad })
  })

  it('reads nothing after it', () => {
    const parse = createParser({ onReply: () => {} })
    expect(() => parse(bytesOf('x\r\n'))).toThrow(expect.objectContaining(bad))
    expect(() => parse(bytesOf('+OK\r\n'))).toThrow(expect.objectContaining(bad))
  })

  it('arrays in one another without end', () => {
    expect(refused('*1\r\n'.repeat(1_000_000))).toMatchObject(bad)
    expect(refused('|1\r\n'.repeat(1_000_000))).toMatchObject(bad)
  })
  it('a message past a bound, which is no reply to anybody', () => {
    expect(refused(`>1\r\n${'*1\r\n'.repeat(64)}:1\r\n`)).toMatchObject(bad)
  })

  it('a line of more than 64 KiB that is no text, whole or in pieces', () => {
    const line = (length: number): Uint8Array => bytesOf(`_${'x'.repeat(length - 1)}\r\n`)
    const split = (bytes: Uint8Array): Uint8Array[] =>
      pieces(
        bytes,
        Array.from({ length: 200 }, () => 500),
      )
    for (const cut of [(bytes: Uint8Array) => [bytes], split, oneByOne]) {
      expect(seen(cut(line(65_537)))).toMatchObject([{ error: bad }])
      // The line is refused before its end has come.
      expect(seen(cut(bytesOf(':', '1'.repeat(70_000))))).toMatchObject([{ error: bad }])
    }
  })

  it('what is announced is refused before it comes, past what a server may send', () => {
    expect(refused('*4294967297\r\n')).toMatchObject(bad)
    expect(refused('%2147483649\r\n')).toMatchObject(bad)
    expect(refused('$536870913\r\n')).toMatchObject(bad)
  })

  it('a string above the limit is an error in its place, however it comes', () => {
    const whole = bytesOf('*3\r\n$4\r\nkept\r\n', `$6\r\n${'y'.repeat(6)}\r\n`, ':1\r\n$5\r\nagain\r\n')
    const expected = [{ reply: ['kept', expect.objectContaining({ word: 'TOOLARGE' }), 1] }, { reply: 'again' }]
    const options = { maxValueBytes: 5 }
    for (let size = 1; size <= whole.length; size++) {
      const cuts = Array.from({ length: Math.ceil(whole.length / size) }, () => size)
      expect(seen(pieces(whole, cuts), options)).toEqual(expected)
    }
    expect(refused(`$6\r\n${'y'.repeat(8)}`, options)).toMatchObject(bad)
  })

  it('an empty number is none, also where a sign stands behind it in what was held before', () => {
    for (const before of ['+-------\r\n', '++++++++\r\n', ':-1\r\n']) {
      for (const line of [':\r\n', ':-\r\n', ':+\r\n', '(\r\n']) {
        const all = bytesOf(before, line, '+end\r\n')
        const whole = outcomeOf([all])
        expect(whole.at(-1)).toBe('BAD_REPLY')
        expect(outcomeOf(oneByOne(all))).toEqual(whole)
        for (let at = 1; at < all.length; at++) {
          expect(outcomeOf([all.subarray(0, at), all.subarray(at)])).toEqual(whole)
          for (let next = at + 1; next < all.length; next++) {
            expect(outcomeOf([all.subarray(0, at), all.subarray(at, next), all.subarray(next)])).toEqual(whole)
          }
        }
      }
    }
  })
  it('any text made of what has a meaning: the same in every split, whatever was held before', () => {
    const part = fc.constantFrom(
      ...'+-:$*#(_=%~|!>,01279tfx'.split(''),
      '\r\n',
      '\r',
      '\n',
      '+-:-+\r\n',
      ':1\r\n',
      '$1\r\n',
      '$-1\r\n',
      '*2\r\n',
      '=5\r\ntxt:x\r\n',
    )
    fc.assert(
      fc.property(
        fc.array(part, { maxLength: 24 }),
        fc.array(fc.nat(6), { minLength: 1, maxLength: 12 }),
        (parts, sizes) => {
          const all = bytesOf('+--++::--\r\n', ...parts)
          const whole = outcomeOf([all])
          expect(outcomeOf(oneByOne(all))).toEqual(whole)
          const pieces: Uint8Array[] = []
          for (let at = 0, i = 0; at < all.length; i++) {
            const size = 1 + (sizes[i % sizes.length] as number)
            pieces.push(all.subarray(at, at + size))
            at += size
          }
          expect(outcomeOf(pieces)).toEqual(whole)
        },
      ),
      { numRuns: 3000 },
    )
  })
  it('any bytes: replies, or one BAD_REPLY, and the same in every split', () => {
    const piece = fc.constantFrom(
      ...['*', '$', ':', '+', '-', '%', '~', '>', '|', '_', '#', ',', '(', '!', '='],
      ...['\r\n', '\r', '\n', '0', '1', '2', '3', '-1', '9007199254740993', 'x', 't', 'txt:', '\u0000'],
    )
    const noise = fc.array(fc.oneof({ weight: 9, arbitrary: piece }, { weight: 1, arbitrary: fc.string() }), {
      maxLength: 40,
      size: 'max',
    })
    fc.assert(
      fc.property(noise, fc.array(fc.nat(5), { maxLength: 40 }), (parts, cuts) => {
        const bytes = bytesOf(parts.join(''))
        const whole = seen([bytes])
        for (const each of whole) if ('error' in each) expect(each.error).toMatchObject(bad)
        expect(seen(oneByOne(bytes))).toEqual(whole)
        expect(seen(pieces(bytes, cuts))).toEqual(whole)
      }),
      { numRuns: 3000 },
    )
  })
})

describe('a reply past a bound is an error in its place, and the next one is read', { timeout: 60_000 }, () => {
  const options = { maxValueBytes: 2000 }
  const nested = (depth: number, sign = '*'): string => `${`${sign}1\r\n`.repeat(depth)}:1\r\n`
  const value = `$2000\r\n${'x'.repeat(2000)}\r\n`

  it.each([
    ['65 arrays in one another', nested(65)],
    ['5,000 of them', nested(5000)],
    ['in the midst of a reply', `*3\r\n+a\r\n${nested(64)}*2\r\n+b\r\n$1\r\nc\r\n`],
    ['65 maps', `${'%1\r\n+k\r\n'.repeat(65)}:1\r\n`],
    ['an attribute', `|1\r\n+k\r\n${nested(64)}+v\r\n`],
    ['too many elements', `*1048577\r\n${':1\r\n'.repeat(1_048_577)}`],
    ['too many in all', `*2\r\n*1048574\r\n${':1\r\n'.repeat(1_048_574)}*1\r\n:1\r\n`],
    ['100 values of the largest size', `*100\r\n${value.repeat(100)}`],
    ['as many in simple strings', `*1000\r\n${`+${'x'.repeat(1999)}\r\n`.repeat(1000)}`],
  ])('%s', (_, text) => {
    const expected = [{ reply: expect.objectContaining({ word: 'TOOLARGE' }) }, { reply: ['next', [1]] }]
    const whole = bytesOf(text, '*2\r\n$4\r\nnext\r\n*1\r\n:1\r\n')
    expect(seen([whole], options)).toEqual(expected)
    const cuts = Array.from({ length: Math.ceil(whole.length / 997) }, () => 997)
    expect(seen(pieces(whole, cuts), options)).toEqual(expected)
  })

  it('a simple string and an error may be as long as any string, whole or in pieces', () => {
    const bound = { maxValueBytes: 100_000 }
    const next = [{ reply: 'next' }]
    for (const [sign, most] of [
      ['+', { reply: 'x'.repeat(99_999) }],
      ['-', { reply: error('x'.repeat(99_999)) }],
    ] as const) {
      const line = (length: number): Uint8Array =>
        bytesOf(sign, 'x'.repeat(length - 1), '\r\n*1\r\n$4\r\nnext\r\n'.replace('*1\r\n', ''))
      for (const size of [1, 7, 1000, 99_999, 100_001, 1e9]) {
        const cuts = (bytes: Uint8Array): Uint8Array[] =>
          pieces(
            bytes,
            Array.from({ length: Math.ceil(bytes.length / size) }, () => size),
          )
        expect(seen(cuts(line(100_000)), bound)).toEqual([most, ...next])
        expect(seen(cuts(line(100_001)), bound)).toEqual([
          { reply: expect.objectContaining({ word: 'TOOLARGE' }) },
          ...next,
        ])
        expect(seen(cuts(line(300_000)), bound)).toEqual([
          { reply: expect.objectContaining({ word: 'TOOLARGE' }) },
          ...next,
        ])
      }
      expect(refused(`${sign}${'x'.repeat(200_000)}\n`, bound)).toMatchObject(bad)
    }
  })

  it('one at a bound is read', () => {
    expect(replies(nested(64) + nested(64))).toEqual([expect.any(Array), expect.any(Array)])
    expect(replies(`*1048576\r\n${':1\r\n'.repeat(1_048_576)}`)[0]).toHaveLength(1_048_576)
    expect(replies(`*64\r\n${value.repeat(64)}`.repeat(3), options).map((each) => (each as Wire[]).length)).toEqual([
      64, 64, 64,
    ])
  })
})

describe('what the parser costs', { timeout: 60_000 }, () => {
  /** Runs `act`. Returns how many bytes it copied, and the size of the largest array that it copied into. */
  function costOf(act: () => void): { copied: number; largest: number } {
    const cost = { copied: 0, largest: 0 }
    const set = vi.spyOn(Uint8Array.prototype, 'set').mockImplementation(function (this: Uint8Array, from, at = 0) {
      cost.copied += from.length
      cost.largest = Math.max(cost.largest, this.length)
      for (let i = 0; i < from.length; i++) this[at + i] = from[i] as number
    })
    try {
      act()
    } finally {
      set.mockRestore()
    }
    return cost
  }

  it('is linear in what arrived, byte by byte', () => {
    for (const text of [`$200000\r\n${'x'.repeat(200_000)}\r\n`, `+${'x'.repeat(65_000)}\r\n`]) {
      const bytes = bytesOf(text)
      const each = oneByOne(bytes)
      let count = 0
      const parse = createParser({ onReply: () => count++ })
      const { copied } = costOf(() => {
        for (const piece of each) parse(piece)
      })
      expect(count).toBe(1)
      expect(copied).toBeGreaterThanOrEqual(text.length - 20)
      expect(copied).toBeLessThan(4 * text.length)
    }
  })

  it('allocates for what came, not for what was announced', () => {
    const parse = createParser({ onReply: () => {}, maxValueBytes: 2 ** 29 })
    const { largest } = costOf(() => {
      parse(bytesOf(`$536870912\r\n${'x'.repeat(1000)}`))
      parse(bytesOf('x'.repeat(1000)))
    })
    expect(largest).toBeGreaterThan(1000)
    expect(largest).toBeLessThanOrEqual(4000)
  })
})

describe('the encoder', () => {
  const text = ({ chunks }: { chunks: readonly (string | Uint8Array)[] }): string =>
    new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytesOf(...chunks))

  it('writes text, numbers and bytes as strings, with their length in bytes', () => {
    const encoder = createEncoder()
    encoder.add(['SET', 'žluť', new Uint8Array([0x61, 0x0d]), 12])
    expect(text(encoder.take())).toBe('*4\r\n$3\r\nSET\r\n$6\r\nžluť\r\n$2\r\na\r\r\n$2\r\n12\r\n')
    expect(encoder.take()).toEqual({ chunks: [], ascii: true })
  })
  it('says whether the text is ASCII', () => {
    const encoder = createEncoder()
    encoder.add(['GET', 'a'])
    encoder.add(['GET', 'b'])
    expect(encoder.take()).toEqual({
      chunks: ['*2\r\n$3\r\nGET\r\n$1\r\na\r\n*2\r\n$3\r\nGET\r\n$1\r\nb\r\n'],
      ascii: true,
    })
    encoder.add(['GET', 'ß'])
    encoder.add(['GET', 'b'])
    expect(encoder.take().ascii).toBe(false)
  })
  it('what it writes is what the parser reads', () => {
    const arg = fc.oneof(fc.string({ unit: 'binary' }), fc.uint8Array(), fc.maxSafeInteger())
    fc.assert(
      fc.property(fc.array(fc.array(arg, { minLength: 1 }), { maxLength: 5 }), (commands) => {
        const encoder = createEncoder()
        for (const args of commands) encoder.add(args)
        const bytes = bytesOf(...encoder.take().chunks)
        const read = seen([bytes], { wantsBytes: () => true }) as { reply: Uint8Array[] }[]
        expect(read.map(({ reply }) => reply.map((each) => [...each]))).toEqual(
          commands.map((args) =>
            args.map((each) => [...(each instanceof Uint8Array ? each : utf8.encode(String(each)))]),
          ),
        )
      }),
    )
  }, 60_000)
})
