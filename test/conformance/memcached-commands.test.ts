import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createEncoder, type Written } from '../../adapters/memcached/encoder.ts'
import { memcachedStore } from '../../adapters/memcached/index.ts'
import { addFlags, condition, setFlags, wireKey, wireTtl } from '../../adapters/memcached/wire.ts'
import { type Server, startServer } from '../../scripts/servers.ts'
import { plain } from '../../src/cache/parts/format-plain.ts'
import { createCounter } from '../../src/counter/index.ts'
import { isHitherError } from '../../src/errors.ts'
import { createCache } from '../../src/index.ts'
import { checkKey, checkTtl, checkValue } from '../../src/store/checks.ts'
import { testCounter } from '../../src/testing/index.ts'
import { rounds } from '../support/rounds.ts'

const CALLS = rounds({ quick: 100_000, soak: 1_000_000 })

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
const TRAITS = {
  shared: true,
  ttlStepMs: 1000,
  maxKeyBytes: 1024,
  maxValueBytes: 4096,
  clock: 'client',
  consistency: 'strong',
} as const

/** Returns a generator of pseudo-random numbers that depends only on the seed. */
function numbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + 374761393) | 0
    return (state >>> 8) % below
  }
}

const PARTS = [
  '\r\n',
  '\n',
  '\r',
  ' ',
  '\0',
  '\t',
  'flush_all',
  'mn',
  'set x 0 0 1',
  'md k',
  'é',
  '馬',
  '👩',
  'k',
  'x'.repeat(60),
  '\u0001',
  '\u007f',
  '"',
  '\\',
  '-1',
  '\ud800',
  '\u2028',
]
const NUMBERS = [0, 1, -1, 1.5, 2 ** 31, 2 ** 53, 1e21, Number.NaN, Number.POSITIVE_INFINITY, '5\r\nmn', '7 q', null]

/** Splits the bytes into commands as a server would: one command a line, and a value after `ms`. Throws if they are malformed. */
function commandsIn(bytes: Uint8Array): string[] {
  const found: string[] = []
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(10, at)
    if (end < 0 || bytes[end - 1] !== 13) throw new Error('a line that does not end')
    const words = String.fromCharCode(...bytes.subarray(at, end - 1)).split(' ')
    if (words.some((word) => !/^[!-~]+$/.test(word))) throw new Error('a word with a byte that is none of a command')
    if ((words[1]?.length ?? 0) > 250) throw new Error('a key that is too long')
    found.push(words[0] as string)
    at = end + 1
    if (words[0] !== 'ms') continue
    at += Number(words[2]) + 2
    if (bytes[at - 2] !== 13 || bytes[at - 1] !== 10) throw new Error('a value of another length')
  }
  return found
}

describe('no input becomes a command', () => {
  // Most calls are refused, and most of the cost of an error is its stack trace.
  const limit = Error.stackTraceLimit
  let server: Server
  beforeAll(async () => {
    Error.stackTraceLimit = 0
    server = await startServer('memcached')
  })
  afterAll(async () => {
    Error.stackTraceLimit = limit
    await server.stop()
  })
  it(`in ${CALLS} hostile calls`, () => {
    const below = numbers(20_261_128)
    const text = (most: number): string =>
      Array.from({ length: below(most) }, () => PARTS[below(PARTS.length)] as string).join('')
    const number = (): number => NUMBERS[below(NUMBERS.length)] as number
    const encoder = createEncoder()
    let sent = 0
    let refused = 0
    let extra = 0
    for (let i = 0; i < CALLS; i++) {
      const verb = below(4)
      const key = text(6)
      let command: Written = { verb: 'mg', flags: ' v f', body: undefined }
      const wire = wireKey(key)
      try {
        checkKey(key, TRAITS)
        if (!wire) {
          refused++
          continue
        }
        const only = [undefined, 'absent', `${below(1e6)}`, text(3)][below(4)]
        if (verb === 1) {
          const value = text(5)
          const ttlMs = below(2) ? number() : 60_000
          checkValue(value, TRAITS)
          checkTtl(ttlMs)
          const flags = below(8) ? 0 : number()
          const settings = { ttl: below(8) ? wireTtl(ttlMs, 1_795_000_000_000) : number(), flags, only }
          const body = bytesOf(value)
          command = { verb: 'ms', flags: setFlags(body.length, settings), body }
        } else if (verb === 2) command = { ...command, verb: 'md', flags: condition(only) }
        else if (verb === 3) {
          command = { ...command, verb: 'ma', flags: addFlags(number(), below(2) ? number() : 'exists', only) }
        }
      } catch (error) {
        if (!isHitherError(error)) throw error
        refused++
        continue
      }
      sent++
      encoder.add(command, wire, 100_000 + (i % 900_000))
      const found = commandsIn(Buffer.concat(encoder.take()))
      if (found.length !== 1 || found[0] !== ['mg', 'ms', 'md', 'ma'][verb]) extra++
    }
    expect({ extra, all: sent + refused }).toEqual({ extra: 0, all: CALLS })
    expect(sent).toBeGreaterThan(CALLS / 10)
    expect(refused).toBeGreaterThan(CALLS / 10)
  }, 120_000)
  it('of 30,000 hostile calls of the store, as the server counts them', async () => {
    const below = numbers(7)
    const text = (most: number): string =>
      Array.from({ length: below(most) }, () => PARTS[below(PARTS.length)] as string).join('')
    const store = memcachedStore({ servers: [server.url] })
    const model = new Map<string, string>()
    let answered = 0
    for (let round = 0; round < 300; round++) {
      const calls: Promise<unknown>[] = []
      for (let i = 0; i < 100; i++) {
        const key = text(6)
        const value = text(5)
        const verb = below(4)
        const call =
          verb === 0
            ? store.set(key, value, below(2) ? 60_000 : (NUMBERS[below(NUMBERS.length)] as number))
            : verb === 1
              ? store.get(key)
              : verb === 2
                ? store.delete([key, `${key}x`])
                : store.run(testCounter, key, [NUMBERS[below(NUMBERS.length)] as number, 0])
        calls.push(
          call.then(
            () => answered++,
            (error: unknown) => expect(isHitherError(error) && error.code).toMatch(/^(INVALID_|VALUE_TOO_LARGE$)/),
          ),
        )
      }
      await Promise.all(calls)
      const key = `model:${round}`
      model.set(key, text(5).toWellFormed())
      await store.set(key, model.get(key) ?? '', 60_000)
    }
    expect(answered).toBeGreaterThan(10_000)
    for (const [key, value] of model) expect(await store.get(key)).toBe(value)
    const stats = await statistics(server.port)
    // The server ran no command that the store never sends: no flush, no touch, no login.
    expect([stats.cmd_flush, stats.cmd_touch, stats.auth_cmds]).toEqual(['0', '0', '0'])
    // `startServer` and `statistics` have one connection each. No injected command made the server close the store's connection.
    expect(Number(stats.curr_connections)).toBeLessThanOrEqual(4)
    await store.close()
  }, 120_000)
})

describe.each(['memcached16', 'memcached'] as const)('over %s, a count', (program) => {
  it('under a key with spaces, line ends or emoji is read again, and counted down', async () => {
    const server = await startServer(program)
    const store = memcachedStore({ servers: [server.url] })
    const cache = createCache({ store, format: plain() })
    for (const key of ['a b', 'a\r\nEN', 'n\0l', '😀']) {
      const counter = createCounter({ store, name: 'hits' })
      expect([await counter.increment(key, 9), await counter.increment(key), await counter.get(key)]).toEqual([
        9, 10, 10,
      ])
      expect([await cache.increment(key, 9), await cache.increment(key), await cache.get(key)]).toEqual([9, 10, 10])
      expect([await cache.increment(key, -12), await cache.take(key), await cache.get(key)]).toEqual([
        -2,
        -2,
        undefined,
      ])
    }
    await store.close()
    await server.stop()
  })
})

/** Resolves to the server's statistics. */
function statistics(port: number): Promise<Record<string, string>> {
  return new Promise((resolve, reject) => {
    let text = ''
    const socket = connect(port, '127.0.0.1', () => socket.write('stats\r\n'))
    socket.on('error', reject).on('data', (data) => {
      text += data.toString('latin1')
      if (!text.endsWith('END\r\n')) return
      socket.destroy()
      resolve(Object.fromEntries([...text.matchAll(/^STAT (\S+) (.*?)\r$/gm)].map(([, name, value]) => [name, value])))
    })
  })
}
