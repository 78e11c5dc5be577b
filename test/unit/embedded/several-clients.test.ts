import { describe, expect, it } from 'vitest'
import { createConnection, Engine } from '../../../src/embedded/index.ts'

/** Connections of one engine: each takes a line, and `heard` returns what was written to it since. */
function open() {
  const engine = new Engine({ now: () => 1_795_000_000_000 })
  const connect = () => {
    let text = ''
    const connection = createConnection(engine, {
      write(part) {
        text += part
      },
      end() {
        text += '(closed)'
      },
    })
    const heard = (): string => {
      const all = text
      text = ''
      return all.replaceAll('\r\n', ' ').trim()
    }
    const ask = (line: string): string => {
      connection.feed(new TextEncoder().encode(`${line}\r\n`))
      return heard()
    }
    return Object.assign(ask, { heard, id: connection.client.id, leave: () => connection.close() })
  }
  return { a: connect(), b: connect(), c: connect() }
}
const told = (...keys: string[]): string =>
  `>2 $10 invalidate *${keys.length} ${keys.map((key) => `$${key.length} ${key}`).join(' ')}`

describe('a client that tracks', () => {
  it('hears of its own write behind the reply', () => {
    const { a } = open()
    a('HELLO 3')
    a('CLIENT TRACKING ON')
    a('GET k')
    expect(a('SET k 1')).toBe(`+OK ${told('k')}`)
  })
  it('hears once of FLUSHALL', () => {
    const { a, b } = open()
    a('HELLO 3')
    a('CLIENT TRACKING ON')
    b('FLUSHALL')
    expect(a.heard()).toBe('>2 $10 invalidate _')
  })
  it('adds prefixes to those it has, and hears of all that a command or a transaction changed in one message', () => {
    const { a, b } = open()
    a('HELLO 3')
    a('CLIENT TRACKING ON BCAST PREFIX u: PREFIX i:')
    a('CLIENT TRACKING ON BCAST PREFIX z:')
    expect(a('CLIENT TRACKINGINFO')).toContain('*3 $2 i: $2 u: $2 z:')
    b('MSET u:2 x u:1 x i:1 x z:1 x other x')
    expect(a.heard()).toBe(`${told('i:1')} ${told('u:1', 'u:2')} ${told('z:1')}`)
    for (const line of ['MULTI', 'SET u:1 x', 'SET u:2 x', 'SET u:1 x', 'EXEC']) b(line)
    expect(a.heard()).toBe(told('u:1', 'u:2'))
  })
  it('says CLIENT CACHING for the next command that is not of CLIENT, or for a whole transaction', () => {
    const { a, b } = open()
    a('HELLO 3')
    a('CLIENT TRACKING ON OPTIN')
    a('CLIENT CACHING YES')
    a('CLIENT ID')
    a('GET k')
    a('GET other')
    b('MSET k 1 other 1')
    expect(a.heard()).toBe(told('k'))
    a('CLIENT CACHING YES')
    for (const line of ['MULTI', 'GET k', 'GET other', 'EXEC']) a(line)
    b('MSET k 1 other 1')
    expect(a.heard()).toBe(`${told('k')} ${told('other')}`)
  })
  it('is told when the client that messages go to has left', () => {
    const { a, b, c } = open()
    a('HELLO 3')
    a(`CLIENT TRACKING ON REDIRECT ${c.id}`)
    a('GET k')
    c.leave()
    b('SET k 1')
    expect(a.heard()).toBe(`>2 $21 tracking-redir-broken :${c.id}`)
    expect(a('CLIENT TRACKINGINFO')).toContain('broken_redirect')
  })
})

describe('a transaction', () => {
  it('has the confirmations of its subscriptions among its replies, and messages behind them', () => {
    const { a } = open()
    for (const line of ['MULTI', 'SUBSCRIBE n', 'PUBLISH n x', 'PING']) a(line)
    expect(a('EXEC')).toBe('*3 *3 $9 subscribe $1 n :1 :1 *2 $4 pong $0  *3 $7 message $1 n $1 x')
  })
  it('neither monitors nor subscribes to a shard', () => {
    const { a } = open()
    for (const line of ['MULTI', 'MONITOR', 'SSUBSCRIBE n']) a(line)
    expect(a('EXEC')).toBe(
      "*2 -ERR MONITOR isn't allowed for DENY BLOCKING client -ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client",
    )
  })
})

describe('a monitor', () => {
  it('sees no password, nothing of administrators, and nothing of its own RESET', () => {
    const { a, b } = open()
    a('MONITOR')
    b('AUTH secret')
    b('HELLO 2 AUTH default secret SETNAME x')
    b('ACL SETUSER u >secret')
    const lines = a.heard()
    expect(lines).not.toContain('secret')
    expect(lines).toContain('"HELLO" "2" "AUTH" "(redacted)" "(redacted)" "SETNAME" "x"')
    expect(a('RESET')).toBe('+RESET')
  })
})

it('a request of a browser is hung up on before its lines run', () => {
  for (const line of ['POST / HTTP/1.1', 'Host: localhost']) {
    const { a, b } = open()
    expect(a(`${line}\r\nSET k 1`)).toBe('(closed)')
    expect(b('EXISTS k')).toBe(':0')
  }
})

it('a user may do with each key what the command does with it', () => {
  const { a, b } = open()
  a('ACL SETUSER u on >p %R~r* %W~w* +@all')
  b('AUTH u p')
  const refused = '-NOPERM No permissions to access a key'
  expect(b('COPY r1 w1')).toBe(':0')
  expect(b('COPY w1 r1')).toBe(refused)
  expect(b('SORT r1 STORE w1')).toBe(':0')
  expect(b('SORT r1 STORE r2')).toBe(refused)
  expect(b('SORT r1 BY STORE LIMIT 0 1 STORE r1')).toBe(refused)
})

it('events tell of reads that find nothing, and of no bit that stays as it is', () => {
  const { a, b } = open()
  a('CONFIG SET notify-keyspace-events EAm')
  b('PSUBSCRIBE *')
  a('GET none')
  expect(b.heard()).toContain('__keyevent@0__:keymiss $4 none')
  a('MEMORY USAGE none')
  expect(b.heard()).toBe('')
  a('SETBIT bits 1 1')
  expect(b.heard()).toContain('setbit')
  a('SETBIT bits 1 1')
  expect(b.heard()).toBe('')
})
