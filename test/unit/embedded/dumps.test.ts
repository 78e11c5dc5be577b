import { describe, expect, it } from 'vitest'
import { sha1 } from '../../../src/embedded/digest.ts'
import { embeddedStore } from '../../../src/embedded/index.ts'
import { ReplyError } from '../../../src/store/transport.ts'

function open() {
  let nowMs = 1_795_000_000_000
  const { transport } = embeddedStore({ now: () => nowMs })
  const send = async (...args: (string | Uint8Array)[]): Promise<unknown> => {
    const reply = await transport.send({ args, effect: 'once' })
    return reply instanceof ReplyError ? `-${reply.message}` : reply
  }
  const dump = async (key: string): Promise<string> => (await send('DUMP', key)) as string
  return {
    send,
    dump,
    wait(ms: number) {
      nowMs += ms
    },
  }
}

/** A payload with the right checksum, as someone who has read the source can make one. */
const forge = (value: unknown): string => {
  const body = `HITHER1${JSON.stringify(value).replace('\u0100', '\\u0100')}`
  return body + sha1(body)
}

describe('DUMP and RESTORE', () => {
  const SAMPLES: Record<string, readonly (readonly (string | Uint8Array)[])[]> = {
    GET: [['SET', 'k', new Uint8Array([0, 255, 13, 10, 34])]],
    LRANGE: [['RPUSH', 'k', 'a', 'ü']],
    SMEMBERS: [['SADD', 'k', 'a', 'b']],
    HGETALL: [['HSET', 'k', 'f', 'v', 'g', 'w']],
    ZRANGE: [['ZADD', 'k', '1.5', 'a', 'inf', 'b']],
    'JSON.GET': [['JSON.SET', 'k', '$', '{"a":[1.0,"ü",null]}']],
    XRANGE: [
      ['XADD', 'k', '1-1', 'f', 'v'],
      ['XGROUP', 'CREATE', 'k', 'g', '0'],
      ['XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 'k', '>'],
    ],
  }
  const REST: Record<string, string[]> = { LRANGE: ['0', '-1'], ZRANGE: ['0', '-1', 'WITHSCORES'], XRANGE: ['-', '+'] }
  for (const [command, made] of Object.entries(SAMPLES)) {
    it(`carry what ${command} reads`, async () => {
      const [from, to] = [open(), open()]
      for (const args of made) await from.send(...args)
      expect(await to.send('RESTORE', 'k', '0', await from.dump('k'))).toBe('OK')
      const words = [command, 'k', ...(REST[command] ?? [])]
      expect(await to.send(...words)).toEqual(await from.send(...words))
      expect(await to.dump('k')).toEqual(await from.dump('k'))
    })
  }

  it('keep the ends of fields, and set that of the key', async () => {
    const { send, dump, wait } = open()
    await send('HSET', 'h', 'f', 'v', 'g', 'w')
    await send('HPEXPIRE', 'h', '100', 'FIELDS', '1', 'f')
    const payload = await dump('h')
    expect(await send('RESTORE', 'other', '500', payload)).toBe('OK')
    wait(100)
    expect(await send('HKEYS', 'other')).toEqual(['g'])
    expect(await send('PTTL', 'other')).toBe(400)
    wait(400)
    expect(await send('EXISTS', 'other')).toBe(0)
    expect(await send('RESTORE', 'other', '1', payload, 'ABSTTL')).toBe('OK')
    expect(await send('EXISTS', 'other')).toBe(0)
    expect(await send('DUMP', 'other')).toBeNull()
  })

  it('refuse what Redis refuses, in its order', async () => {
    const { send, dump } = open()
    await send('SET', 'k', 'v')
    const payload = await dump('k')
    expect(await send('RESTORE', 'k', '-1', 'xx')).toBe('-BUSYKEY Target key name already exists.')
    expect(await send('RESTORE', 'new', '-1', 'xx')).toBe('-ERR Invalid TTL value, must be >= 0')
    expect(await send('RESTORE', 'new', '0', 'xx', 'FREQ', '1', 'IDLETIME', '1')).toBe('-ERR syntax error')
    expect(await send('RESTORE', 'new', '0', 'xx', 'FREQ', '256')).toContain('Invalid FREQ')
    const wrong = '-ERR DUMP payload version or checksum are wrong'
    expect(await send('RESTORE', 'new', '0', 'xx')).toBe(wrong)
    for (let at = 0; at < payload.length; at++) {
      const torn = payload.slice(0, at) + String.fromCharCode(payload.charCodeAt(at) ^ 1) + payload.slice(at + 1)
      expect(await send('RESTORE', 'new', '0', torn)).toBe(wrong)
    }
    expect(await send('RESTORE', 'k', '0', payload, 'REPLACE')).toBe('OK')
  })

  it('refuse a payload that was forged', async () => {
    const { send } = open()
    const forged: unknown[] = [
      null,
      {},
      [],
      ['s'],
      ['s', 1],
      ['s', '\u0100'],
      ['l', []],
      ['l', [1]],
      ['t', [null]],
      ['z', [['a', 'x']]],
      ['z', [['a', null]]],
      ['h', [['a', 'b']]],
      ['h', [['a', 'b', 1.5]]],
      ['j', '{'],
      ['q', ['a']],
      ['x', [['1-1', 'f']], '1-1', '0-0', 1, []],
      ['x', [['no', 'f', 'v']], '1-1', '0-0', 1, []],
      ['x', [], '1-1', '0-0', 1, [null]],
      ['x', [], '1-1', '0-0', 1, [{ name: 'g', last: 'no', read: null, consumers: [], pending: [] }]],
      ['x', [], '1-1', '0-0', 1, [{ name: 'g', last: '0-0', read: null, consumers: [[1, 2, 3]], pending: [] }]],
    ]
    for (const value of forged) {
      expect([value, await send('RESTORE', 'new', '0', forge(value))]).toEqual([value, '-ERR Bad data format'])
    }
  })
})

describe('LCS', () => {
  it('finds what two texts have in common', async () => {
    const { send } = open()
    await send('MSET', 'a', 'ohmytext', 'b', 'mynewtext')
    expect(await send('LCS', 'a', 'b')).toBe('mytext')
    expect(await send('LCS', 'a', 'b', 'LEN')).toBe(6)
    expect(await send('LCS', 'a', 'b', 'IDX', 'MINMATCHLEN', '4', 'WITHMATCHLEN')).toEqual([
      'matches',
      [[[4, 7], [5, 8], 4]],
      'len',
      6,
    ])
    expect(await send('LCS', 'a', 'b', 'IDX', 'LEN')).toContain('just use IDX')
    expect(await send('LCS', 'a', 'none')).toBe('')
  })
  it('refuses two texts whose table would take too much', async () => {
    const { send } = open()
    for (const key of ['a', 'b']) await send('SETRANGE', key, '20000', 'x')
    expect(await send('LCS', 'a', 'b')).toContain('Insufficient memory')
  })
})

it('OBJECT HELP and XINFO HELP say what there is', async () => {
  const { send } = open()
  expect(await send('OBJECT', 'HELP')).toContain('IDLETIME <key>')
  expect(await send('XINFO', 'HELP')).toContain('GROUPS <key>')
})
