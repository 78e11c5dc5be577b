import { embeddedStore } from 'hither/embedded'
import { lua } from 'hither/lua'
import { describe, expect, it } from 'vitest'
import { createConnection, Engine } from '../../src/embedded/index.ts'
import { rounds } from '../support/rounds.ts'
import { seedOfTheDay } from '../support/seed.ts'
import { createChance } from './support/history.ts'
import { overEngine } from './support/servers.ts'

const SEED = seedOfTheDay()
const TOTAL = Number(process.env.HITHER_FUZZ_BYTES ?? rounds({ quick: 1_000_000, soak: 10_000_000 }))

const PIECES = [
  '*1\r\n$4\r\nPING\r\n',
  '*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n',
  '*2\r\n$3\r\nGET\r\n$1\r\na\r\n',
  '*-1\r\n',
  '*0\r\n',
  '$5\r\n',
  '*1000000000\r\n',
  '*99999999999999999999\r\n',
  '$536870913\r\n',
  '*2\r\n$536870912\r\n',
  'PING\r\n',
  'SET "a\\x00" \'b\'\r\n',
  '"\r\n',
  '\r\n',
  '\n',
  '\0',
  '*1\r\n:5\r\n',
  '*3\r\n$4\r\nEVAL\r\n',
  'MULTI\r\n',
  'EXEC\r\n',
  'HELLO 3\r\n',
  'SUBSCRIBE a\r\n',
  'BLPOP l 0.001\r\n',
  '*1\r\n$-1\r\n',
]

/** Makes hostile input: frames that are whole, cut, mixed, or noise. */
function makeChunk(chance: () => number): Buffer {
  let text = ''
  for (let i = 0; i < 20; i++) {
    const piece = PIECES[Math.floor(chance() * PIECES.length)] as string
    const cut = chance() < 0.2 ? piece.slice(0, Math.floor(chance() * piece.length)) : piece
    text += chance() < 0.1 ? String.fromCharCode(...Array.from({ length: 8 }, () => Math.floor(chance() * 256))) : cut
  }
  return Buffer.from(text, 'latin1')
}

describe('hostile input', () => {
  it(`is ${TOTAL} bytes of frames, and neither ends the engine nor fills its memory`, () => {
    const engine = new Engine()
    const chance = createChance(SEED)
    let bytes = 0
    let open = 0
    while (bytes < TOTAL) {
      let ended = false
      const connection = createConnection(engine, {
        write() {},
        end: () => {
          ended = true
        },
      })
      open++
      for (let i = 0; i < 40 && !ended; i++) {
        const chunk = makeChunk(chance)
        bytes += chunk.length
        connection.feed(chunk)
      }
      connection.close()
    }
    expect(open).toBeGreaterThan(10)
    expect(engine.clients.size).toBe(0)
    expect(engine.waiters.count).toBe(0)
    const server = overEngine(engine)
    return expect(server.ask([['PING']])).resolves.toEqual([{ ok: 'PONG' }])
  })
  it('does not make a pattern of many stars slow', async () => {
    const server = overEngine(new Engine())
    await server.ask([['SET', 'a'.repeat(1000), '1']])
    expect(await server.ask([['KEYS', `${'*a'.repeat(200)}b`]])).toEqual([[]])
  })
})

describe('a script', () => {
  const run = (script: string) => embeddedStore({ lua }).transport.send({ args: ['EVAL', script, 0], effect: 'once' })
  it('that loops without end is ended', async () => {
    expect(await run('while true do end')).toMatchObject({ message: expect.stringContaining('ran past the steps') })
  }, 120_000)
  const loop = 'function() while true do end end'
  const CATCHES: Record<string, string> = {
    pcall: `pcall(${loop})`,
    '_G.pcall': `_G.pcall(${loop})`,
    '_G._G.pcall': `_G._G['pcall'](${loop})`,
    'pcall of compiled code': `loadstring('return pcall')()(${loop})`,
    'pcall of code that compiled code compiles': `loadstring("return loadstring('return _G')")()().pcall(${loop})`,
    'pcall of code that load reads': `local c='return pcall' load(function() local n=c c=nil return n end)()(${loop})`,
    'the reader of load': `load(${loop})`,
    'xpcall, whose handler says something else': `xpcall(${loop}, function() return 'other' end)`,
    'the handler of xpcall': `xpcall(error, ${loop})`,
    'a coroutine': `coroutine.resume(coroutine.create(${loop}))`,
    'a coroutine of _G': `_G.coroutine.resume(coroutine.create(${loop}))`,
    'a coroutine that is wrapped': `pcall(coroutine.wrap(${loop}))`,
  }
  for (const [name, attempt] of Object.entries(CATCHES)) {
    it(`that catches its own end by ${name} is ended all the same`, async () => {
      expect(await run(`while true do ${attempt} end`)).toMatchObject({
        message: expect.stringContaining('ran past the steps'),
      })
    }, 120_000)
  }
  it('that catches other errors goes on as on a server', async () => {
    expect(await run("return {pcall(error, 'boo', 0)}")).toEqual([null, 'boo'])
    expect(await run("local ok, e = pcall(error, 'boo', 0) return e")).toBe('boo')
    expect(await run("return select(2, xpcall(function() error('a', 0) end, function(e) return e .. 'b' end))")).toBe(
      'ab',
    )
    expect(await run("return loadstring('return ...')(5)")).toBe(5)
    expect(await run("local f, e = loadstring('return +') return e")).toContain('unexpected symbol')
    expect(await run('local c = coroutine.wrap(function(x) coroutine.yield(x + 1) end) return c(1)')).toBe(2)
    expect(await run('return tostring(_G.redis == redis)')).toBe('true')
    expect(await run('_G.x = 1')).toMatchObject({
      message: expect.stringContaining('user_script:1: Attempt to modify'),
    })
    expect(await run('return _G.nope')).toMatchObject({ message: expect.stringContaining("global variable 'nope'") })
  })
  it('that allocates without end is ended, and the next one runs', async () => {
    const store = embeddedStore({ lua })
    const send = (script: string) => store.transport.send({ args: ['EVAL', script, 0], effect: 'once' })
    expect(await send("local s = 'x' while true do s = s .. s end")).toMatchObject({
      message: expect.stringContaining('more memory'),
    })
    expect(await send('return 7')).toBe(7)
  }, 120_000)
})

describe('what ends', () => {
  it('is gone by its time through 24 hours of a virtual clock, and its memory with it', () => {
    let nowMs = 1_795_000_000_000
    const engine = new Engine({ now: () => nowMs })
    const client = engine.connect({ reply() {}, push() {} })
    const chance = createChance(SEED)
    for (let i = 0; i < 20_000; i++)
      client.submit(['SET', `k${i}`, 'v', 'PX', `${1 + Math.floor(chance() * 86_400_000)}`])
    const db = engine.databases[0] as NonNullable<(typeof engine.databases)[0]>
    for (let hour = 0; hour < 24; hour++) {
      nowMs += 3_600_000
      engine.sweep()
      for (const endMs of db.ends.values()) expect(endMs).toBeGreaterThan(nowMs)
      expect(db.ends.size).toBe(db.entries.size)
    }
    expect(db.entries.size).toBe(0)
    expect(db.entries.bytes).toBe(0)
    engine.close()
  })
  it('leaves nothing of clients that waited and left', () => {
    const engine = new Engine()
    for (let i = 0; i < 1000; i++) {
      const client = engine.connect({ reply() {}, push() {} })
      client.submit(['BLPOP', `a${i % 7}`, `b${i}`, '0'])
      engine.disconnect(client)
    }
    expect(engine.waiters.count).toBe(0)
    expect(engine.clients.size).toBe(0)
    engine.close()
  })
  it('serves who waits in the order in which they came', () => {
    const engine = new Engine()
    const served: number[] = []
    for (let i = 0; i < 5; i++) engine.connect({ reply: () => served.push(i), push() {} }).submit(['BLPOP', 'l', '0'])
    engine.connect({ reply() {}, push() {} }).submit(['RPUSH', 'l', 'a', 'b', 'c'])
    expect(served).toEqual([0, 1, 2])
    engine.close()
  })
})
