import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { checkDevOptions } from '../../../adapters/node/dev-options.ts'
import { checkSnapshot, loadSnapshot, saveSnapshot } from '../../../adapters/node/snapshot.ts'
import { createConnection, createTransport, Engine, type EngineOptions } from '../../../src/embedded/index.ts'
import type { LuaHost, LuaRuntime, LuaValue } from '../../../src/embedded/script-host.ts'

let nowMs = 1_795_000_000_000

/** An engine. `ask` and each connection take a line, and return what the engine then writes to that connection. */
function open(options: EngineOptions = {}) {
  const engine = new Engine({ now: () => nowMs, ...options })
  const connect = () => {
    let text = ''
    let isOpen = true
    const connection = createConnection(engine, {
      write(part) {
        text += part
      },
      end() {
        isOpen = false
      },
    })
    const ask = (line: string): string => {
      text = ''
      connection.feed(new TextEncoder().encode(line.endsWith('\n') ? line : `${line}\r\n`))
      return text
    }
    return Object.assign(ask, { leave: () => connection.close(), isOpen: () => isOpen })
  }
  return { engine, ask: connect(), connect }
}
const x = (count: number): string => 'x'.repeat(count)

const frame = (words: readonly string[]): string =>
  `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join('')}`

describe('the longest string of this process', () => {
  it.each(['SETBIT k 4294967295 1', 'SETRANGE k 536870911 x'])('is an error where it is exceeded: %s', (line) => {
    const { ask } = open()
    expect(ask(line)).toMatch(/^-ERR the value or the reply is larger/)
    expect(ask('EXISTS k')).toBe(':0\r\n')
    ask('MULTI')
    ask(line)
    ask('SET other 1')
    expect(ask('EXEC')).toMatch(/^\*2\r\n-ERR the value or the reply is larger[^\r]*\r\n\+OK\r\n$/)
  })
  it('is an error in place of a longer reply, and later replies follow', () => {
    const { ask } = open()
    ask('SETRANGE k 209715199 x')
    expect(ask('MGET k k k')).toMatch(/^-ERR the value or the reply is larger/)
    expect(ask('STRLEN k')).toBe(':209715200\r\n')
  })
  it('does not mix up the replies of a transport', async () => {
    const transport = createTransport(open().engine)
    const send = (...args: string[]) => transport.send({ args, effect: 'once' })
    const [refused, echoed] = await Promise.all([send('SETBIT', 'k', '4294967295', '1'), send('ECHO', 'second')])
    expect(refused).toMatchObject({ message: expect.stringContaining('larger than') })
    expect(echoed).toBe('second')
  })
})

it('takes more words than a function may have arguments', () => {
  const { ask } = open()
  const names = Array.from({ length: 130_000 }, (_, i) => `${i}`)
  expect(ask(frame(['BITOP', 'AND', 'result', ...names]))).toBe(':0\r\n')
  ask('MULTI')
  ask(frame(['SUBSCRIBE', ...names]))
  expect(ask('EXEC').slice(0, 9)).toBe('*130000\r\n')
}, 20_000)

describe('a bound of bytes', () => {
  it('counts what a key takes now, not what it took before', () => {
    const { ask } = open({ maxBytes: 1000 })
    for (let i = 0; i < 50; i++) expect(ask(`SET a ${x(200)}`)).toBe('+OK\r\n')
  })
  it('has room again once everything is deleted', () => {
    const { ask } = open({ maxBytes: 500 })
    for (let i = 0; i < 10; i++) ask(`SET k${i} ${x(100)}`)
    expect(ask('SET a 1')).toMatch(/^-OOM/)
    ask('FLUSHALL')
    expect(ask('SET a 1')).toBe('+OK\r\n')
  })
  for (const policy of ['volatile-lru', 'volatile-random', 'volatile-ttl']) {
    it(`of ${policy} deletes no key that has no end`, () => {
      const { ask } = open({ maxBytes: 2000, evictionPolicy: policy })
      for (let i = 0; i < 5; i++) ask(`SET kept${i} ${x(100)}`)
      for (let i = 0; i < 20; i++) ask(`SET k${i} ${x(100)} EX 1000`)
      for (let i = 0; i < 5; i++) expect(ask(`EXISTS kept${i}`)).toBe(':1\r\n')
      expect(ask('DBSIZE')).not.toBe(':25\r\n')
    })
  }
  it('of volatile-ttl deletes what ends first', () => {
    const { ask } = open({ maxBytes: 500, evictionPolicy: 'volatile-ttl' })
    ask(`SET later ${x(100)} EX 2000`)
    ask(`SET late ${x(100)} EX 1000`)
    ask(`SET soon ${x(100)} EX 10`)
    for (let i = 0; i < 3; i++) ask(`SET k${i} ${x(50)}`)
    expect(ask('EXISTS soon')).toBe(':0\r\n')
    expect(ask('EXISTS later')).toBe(':1\r\n')
  })
})

describe('a client that leaves', () => {
  it('takes nothing that comes later', () => {
    const { engine, ask, connect } = open()
    const waiting = connect()
    waiting('BLPOP l 0')
    waiting.leave()
    expect(engine.waiters.count).toBe(0)
    ask('RPUSH l a')
    expect(ask('LLEN l')).toBe(':1\r\n')
  })
  it('is subscribed to nothing, and tracks nothing', () => {
    const { engine, ask, connect } = open()
    const other = connect()
    other('HELLO 3')
    other('CLIENT TRACKING ON')
    other('GET a')
    other('SUBSCRIBE news')
    other.leave()
    expect(ask('PUBLISH news x')).toBe(':0\r\n')
    expect([engine.tracking.clients, engine.tracking.keys]).toEqual([0, 0])
  })
})

describe('a client that waits', () => {
  it('is not served by a value of another type', () => {
    const { ask, connect } = open()
    const waiting = connect()
    expect(waiting('BLPOP l 0')).toBe('')
    ask('SET l x')
    ask('DEL l')
    expect(waiting('')).toBe('')
    ask('RPUSH l a')
    // The wait has ended with its reply, so the next command of this connection gets one.
    expect(waiting('PING')).toBe('+PONG\r\n')
    expect(ask('LLEN l')).toBe(':0\r\n')
  })
  it('does not wait within a transaction', () => {
    const { engine, ask } = open()
    ask('MULTI')
    ask('BLPOP l 0')
    expect(ask('EXEC')).toBe('*1\r\n*-1\r\n')
    expect(engine.waiters.count).toBe(0)
  })
})

describe('a connection', () => {
  it('may send no long request before it says its password', () => {
    const { connect } = open({ password: 'secret' })
    for (const line of ['*100\r\n', '*2\r\n$20000\r\n']) {
      const other = connect()
      expect(other(line)).toMatch(/^-ERR Protocol error: unauthenticated/)
      expect(other.isOpen()).toBe(false)
    }
  })
  it('may send no length without an end', () => {
    const { connect } = open()
    const other = connect()
    expect(other(`*${'1'.repeat(70_000)}\n`)).toMatch(/^-ERR Protocol error/)
    expect(other.isOpen()).toBe(false)
  })
})

describe('a script', () => {
  /** Stands in for Lua: a script is the words of one command. */
  const runtime = (breaks = { next: false }): LuaRuntime => ({
    run(script: string, _keys: readonly string[], args: readonly string[], host: LuaHost): LuaValue {
      if (script.startsWith('local f, e = loadstring(ARGV[1]')) return null
      if (breaks.next) {
        breaks.next = false
        throw new Error('no memory')
      }
      return host.call(args)
    },
  })
  const ready = async (options: EngineOptions) => {
    const opened = open(options)
    opened.ask('EVAL x 0 PING')
    await new Promise((resolve) => setTimeout(resolve, 0))
    return opened
  }

  it('has the rights of who runs it, and does not wait', async () => {
    const { engine, ask, connect } = await ready({ lua: async () => runtime() })
    expect(ask('EVAL x 0 BLPOP l 0')).toBe('$-1\r\n')
    expect(engine.waiters.count).toBe(0)
    expect(ask('EVAL x 0 EVAL x 0 PING')).toContain('not allowed from script')
    ask('ACL SETUSER u on nopass ~* +@all -set')
    const other = connect()
    other('AUTH u any')
    expect(other('EVAL x 0 SET a 1')).toContain('-ERR ACL failure in script: User u has no permissions')
    expect(ask('EXISTS a')).toBe(':0\r\n')
  })
  it('writes nothing where it only reads', async () => {
    const { ask } = await ready({ lua: async () => runtime() })
    expect(ask('EVAL_RO x 0 SET a 1')).toContain('Write commands are not allowed from read-only scripts')
    expect(ask('EXISTS a')).toBe(':0\r\n')
  })
  it('that breaks its runtime leaves none to the next', async () => {
    let opened = 0
    const breaks = { next: false }
    const { ask } = await ready({
      lua: async () => {
        opened++
        return runtime(breaks)
      },
    })
    breaks.next = true
    expect(ask('EVAL x 0 PING')).toContain('more memory than a script may have')
    ask('EVAL x 0 PING')
    await new Promise((resolve) => setTimeout(resolve, 0))
    expect(opened).toBe(2)
    expect(ask('EVAL x 0 ECHO a')).toBe('$1\r\na\r\n')
  })
})

describe('an option of a development server', () => {
  it.each([
    'port',
    'redisPort',
    'host',
    'token',
    'password',
    'maxBytes',
    'evictionPolicy',
    'snapshot',
    'seed',
    'hosts',
  ])('is of its kind: %s', (name) => {
    for (const value of [null, {}, -1, 0.5, Number.NaN, true, () => 1])
      expect(() => checkDevOptions({ [name]: value })).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })
  it.each(['onCommand', 'onError', 'onEvent'])('is of its kind: %s', (name) => {
    for (const value of [null, {}, 'x', 5])
      expect(() => checkDevOptions({ [name]: value })).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })
  it('is known, and may be left out', () => {
    for (const none of [null, 5, { toString: 'x' }, { nope: 1 }])
      expect(() => checkDevOptions(none as never)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
    checkDevOptions({ port: 0, redisPort: 65_535, maxBytes: 0, seed: undefined, hosts: ['a'], onEvent: () => {} })
  })
})

describe('a snapshot', () => {
  const inFolder = (work: (file: string, folder: string) => void): void => {
    const folder = mkdtempSync(join(tmpdir(), 'hither-snapshot-'))
    try {
      work(join(folder, 'data'), folder)
    } finally {
      rmSync(folder, { recursive: true })
    }
  }
  it('that is torn is refused and left as it is', () => {
    inFolder((file) => {
      const { engine, ask } = open()
      ask('SET a 1')
      saveSnapshot(engine, file)
      const whole = readFileSync(file, 'utf8')
      for (const torn of [whole.slice(0, -1), whole.slice(0, 10), whole.replace('"a"', '"b"'), '']) {
        writeFileSync(file, torn)
        expect(() => loadSnapshot(open().engine, file)).toThrow('the snapshot is torn')
        expect(readFileSync(file, 'utf8')).toBe(torn)
      }
    })
  })
  it('that could not be written is told of before there is data, and trying leaves nothing', () => {
    inFolder((file, folder) => {
      checkSnapshot(file)
      expect(readdirSync(folder)).toEqual([])
      expect(() => checkSnapshot(join(folder, 'none', 'data'))).toThrow('cannot be written (ENOENT)')
    })
  })
  it('that cannot be written leaves the one before, and nothing beside it', () => {
    inFolder((file, folder) => {
      const { engine, ask } = open()
      ask('SET a 1')
      saveSnapshot(engine, file)
      const before = readFileSync(file, 'utf8')
      ask('SET a 2')
      // A disk that is full, in place of the temporary file.
      symlinkSync('/dev/full', `${file}.${process.pid}.tmp`)
      expect(() => saveSnapshot(engine, file)).toThrow('cannot be written')
      expect(readFileSync(file, 'utf8')).toBe(before)
      expect(readdirSync(folder)).toEqual(['data'])
    })
  })
  it('does not bring back what ended meanwhile', () => {
    inFolder((file) => {
      const { engine, ask } = open()
      ask('SET a 1 PX 100')
      ask('SET b 1')
      saveSnapshot(engine, file)
      nowMs += 200
      const next = open()
      loadSnapshot(next.engine, file)
      expect(next.ask('DBSIZE')).toBe(':1\r\n')
    })
  })
})
