import { describe, expect, it } from 'vitest'
import { createConnection, Engine, type EngineOptions, embeddedStore } from '../../../src/embedded/index.ts'

let nowMs = 1_795_000_000_000

/** An engine. `ask` takes a line and returns what was written. */
function open(options: EngineOptions = {}) {
  const engine = new Engine({ now: () => nowMs, ...options })
  const connect = () => {
    let text = ''
    const connection = createConnection(engine, {
      write(part) {
        text += part
      },
      end() {},
    })
    return (line: string): string => {
      text = ''
      connection.feed(new TextEncoder().encode(`${line}\r\n`))
      return text
    }
  }
  return { engine, ask: connect(), other: connect() }
}

describe('the embedded engine', () => {
  it('ends a key at its time, on a read and by a sweep', () => {
    const { engine, ask } = open()
    ask('SET a 1 PX 100')
    ask('SET b 1 PX 100')
    ask('HSET h f v g w')
    ask('HPEXPIRE h 100 FIELDS 1 f')
    nowMs += 100
    expect(ask('GET a')).toBe('$-1\r\n')
    expect(ask('HGET h f')).toBe('$-1\r\n')
    engine.sweep()
    expect(ask('DBSIZE')).toBe(':1\r\n')
  })
  it('looks at other keys and other hashes in the next sweep, where a sweep has a bound', () => {
    const { engine, ask } = open()
    for (const key of ['a', 'b', 'c']) ask(`SET ${key} 1 PX ${key === 'c' ? 100 : 1000}`)
    for (const hash of ['h', 'i', 'j']) {
      ask(`HSET ${hash} f v`)
      ask(`HPEXPIRE ${hash} ${hash === 'j' ? 100 : 1000} FIELDS 1 f`)
    }
    nowMs += 100
    engine.sweep(2)
    expect(ask('DBSIZE')).toBe(':6\r\n')
    engine.sweep(2)
    expect(ask('DBSIZE')).toBe(':4\r\n')
  })
  it('gives a transaction up whose key changed or ended', () => {
    const { ask, other } = open()
    ask('SET a 1')
    ask('WATCH a')
    other('SET a 2')
    ask('MULTI')
    expect(ask('GET a')).toBe('+QUEUED\r\n')
    expect(ask('EXEC')).toBe('*-1\r\n')
    ask('SET b 1 PX 10')
    ask('WATCH b')
    ask('MULTI')
    nowMs += 11
    expect(ask('EXEC')).toBe('*-1\r\n')
  })
  it('refuses a transaction that had an error', () => {
    const { ask } = open()
    ask('MULTI')
    ask('NOSUCH')
    expect(ask('EXEC')).toMatch(/^-EXECABORT/)
  })
  it('keeps whole numbers exact to 64 bits', () => {
    const { ask } = open()
    ask('SET n 9223372036854775806')
    expect(ask('INCR n')).toBe(':9223372036854775807\r\n')
    expect(ask('INCR n')).toMatch(/^-ERR increment or decrement would overflow/)
    expect(ask('INCRBYFLOAT f 0.1')).toBe('$3\r\n0.1\r\n')
    expect(ask('INCRBYFLOAT f 0.2')).toBe('$3\r\n0.3\r\n')
  })
  it('refuses a write beyond its bound, or deletes what was used least recently', () => {
    const refusing = open({ maxBytes: 400 })
    for (let i = 0; i < 10; i++) refusing.ask(`SET k${i} ${'x'.repeat(50)}`)
    expect(refusing.ask('SET more 1')).toMatch(/^-OOM/)
    const deleting = open({ maxBytes: 400, evictionPolicy: 'allkeys-lru' })
    deleting.ask(`SET kept ${'x'.repeat(50)}`)
    for (let i = 0; i < 10; i++) {
      deleting.ask(`SET k${i} ${'x'.repeat(50)}`)
      deleting.ask('GET kept')
    }
    expect(deleting.ask('EXISTS kept')).toBe(':1\r\n')
    expect(deleting.ask('EXISTS k0')).toBe(':0\r\n')
  })
  it('serves who waits once the transaction is over, in order', () => {
    const { engine, ask, other } = open()
    const served: string[] = []
    for (const name of ['first', 'second']) {
      engine.connect({ reply: () => served.push(name), push() {} }).submit(['BLPOP', 'l', '0'])
    }
    other('MULTI')
    other('RPUSH l a')
    other('LPOP l')
    other('EXEC')
    expect(served).toEqual([])
    ask('RPUSH l b')
    expect(served).toEqual(['first'])
    engine.close()
  })
  it('asks for its password first', () => {
    const { ask } = open({ password: 'secret' })
    expect(ask('GET a')).toMatch(/^-NOAUTH/)
    expect(ask('AUTH wrong')).toMatch(/^-WRONGPASS/)
    expect(ask('AUTH secret')).toBe('+OK\r\n')
    expect(ask('GET a')).toBe('$-1\r\n')
  })
  it('writes an error as one line, and ends an inline request at its NUL', () => {
    const { ask } = open()
    expect(ask('"no\\r\\nsuch"').split('\r\n')).toHaveLength(2)
    expect(ask('PING\0 more')).toBe('+PONG\r\n')
  })
  it('tells who keeps a key that it changed', () => {
    const { ask, other } = open()
    ask('HELLO 3')
    ask('CLIENT TRACKING ON')
    ask('GET a')
    let told = ''
    other('SET a 1')
    told = ask('PING')
    expect(told).toContain('+PONG')
    expect(ask('CLIENT TRACKINGINFO')).toContain('on')
  })
  it('takes no command on what is no key, and rejects with what it refuses', async () => {
    const store = embeddedStore()
    for (const key of ['', '\ud800', 'x'.repeat(5000)])
      await expect(store.command([key], ['GET', key], 'read')).rejects.toMatchObject({ code: 'INVALID_KEY' })
    await store.command(['k'], ['RPUSH', 'k', 'a'], 'once')
    await expect(store.command(['k'], ['GET', 'k'], 'read')).rejects.toMatchObject({ reply: 'WRONGTYPE' })
    await store.close()
  })
  it('knows its options', () => {
    expect(() => embeddedStore({ maxByte: 1 } as never)).toThrow('no option maxByte')
    expect(() => embeddedStore({ maxBytes: 0 })).toThrow('maxBytes is a whole number above 0')
  })
})

it('scripts without their runtime are refused in the words of a server that has none', async () => {
  const store = embeddedStore({ lua: () => Promise.reject(new Error('no such package')) })
  for (let round = 0; round < 2; round++) {
    const reply = await store.transport.send({ args: ['EVAL', 'return 1', 0], effect: 'once' })
    expect(String((reply as { message?: unknown }).message)).toMatch(
      /^ERR scripting support disabled: .*lua-redis-wasm/,
    )
  }
  await store.close()
})
