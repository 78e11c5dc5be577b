import { describe, expect, it } from 'vitest'
import { HitherError } from '../../src/errors.ts'
import { createScriptCheck } from '../../src/gateway/script-check.ts'
import { createCommandStore } from '../../src/store/command-store.ts'
import { withWatch } from '../../src/store/redis-watch.ts'
import { createScriptGuard, GUARD_LINE } from '../../src/store/script-guard.ts'
import { type Command, type Exclusive, ReplyError, type Transport, type Wire } from '../../src/store/transport.ts'
import { testCounter } from '../../src/testing/index.ts'

type Span = readonly [from: number, till: number, served?: number]
const REFUSED = new ReplyError('UNPROVEN scripts')

/** A server with Lua 5.4. Each round of the proof gets the next two spans, and the last round repeats. */
function server(rounds: readonly (readonly [Span, Span])[], info = 'garnet_version:2.2.11') {
  const sent: string[] = []
  let lent = 0
  let spins = 0
  const released: boolean[] = []
  const reply = ({ args }: Command): Wire => {
    sent.push(String(args[0]))
    if (args[0] === 'INFO') return info
    if (args[0] === 'EVALSHA') return new ReplyError('NOSCRIPT No matching script.')
    return args[0] === 'EVAL' && String(args[1]).startsWith(GUARD_LINE) ? REFUSED : 1
  }
  const next = (): Span => {
    const round = rounds[Math.min(Math.floor(spins / 2), rounds.length - 1)] as readonly [Span, Span]
    return round[spins % 2] as Span
  }
  const spin = (): Wire => {
    const [from, till] = next()
    spins++
    return [`${from}`, `${till}`]
  }
  const transport: Transport = {
    send: async (command) => reply(command),
    sendMany: async (commands) => commands.map(reply),
    transaction: async (commands) => commands.map(() => 'OK'),
    exclusive: async (): Promise<Exclusive> => {
      lent++
      const send = async (command: Command): Promise<Wire> =>
        command.args[0] === 'EVAL' ? spin() : command.args[0] === 'TIME' ? ['0', `${next()[2] ?? 10}`] : null
      return { send, transaction: async () => ['OK'], release: (broken) => void released.push(broken) }
    },
    close: async () => {},
  }
  return { transport, sent, released, lent: () => lent, spins: () => spins }
}

const APART: readonly [Span, Span] = [
  [0, 30_000],
  [30_050, 60_050],
]
const OVERLAP: readonly [Span, Span] = [
  [0, 30_000],
  [29_000, 59_000],
]
/** The server replied to the second connection only when the thread of the first came free. */
const STARVED: readonly [Span, Span] = [
  [0, 30_000],
  [30_050, 60_050, 29_990],
]
const LATE: readonly [Span, Span] = [
  [0, 30_000],
  [90_000, 120_000],
]
const guardOf = ({ transport }: ReturnType<typeof server>) => createScriptGuard(transport.send, transport.exclusive)

describe('a server that may run several scripts on one key at once', () => {
  it('is believed once three rounds have run one after the other, whichever came first', async () => {
    const garnet = server([APART, [APART[1], APART[0]]])
    const guard = guardOf(garnet)
    expect(guard.line).toBe(GUARD_LINE)
    expect([await guard.prove(), guard.line, garnet.spins(), garnet.released]).toEqual([true, '', 6, [false, false]])
    await guard.prove()
    expect(garnet.spins()).toBe(6)
  })
  it('is not believed after one overlap, and is not asked again', async () => {
    const garnet = server([APART, OVERLAP])
    const guard = guardOf(garnet)
    expect([await guard.prove(), await guard.prove(), guard.line]).toEqual([false, false, GUARD_LINE])
    expect(garnet.spins()).toBe(4)
  })
  it('is asked again where the second script came late each time, which shows nothing', async () => {
    const garnet = server([...Array.from({ length: 12 }, () => LATE), APART])
    const guard = guardOf(garnet)
    expect([await guard.prove(), guard.line]).toEqual([false, GUARD_LINE])
    expect([await guard.prove(), guard.line]).toEqual([true, ''])
  })
  it('is not believed after two rounds alone', async () => {
    expect(await guardOf(server([APART, APART, LATE])).prove()).toBe(false)
  })
  it('is not believed where the second script may have waited for a thread, not for the first', async () => {
    expect(await guardOf(server([STARVED])).prove()).toBe(false)
  })
  it('is not believed where no connection can be lent for a proof', async () => {
    const { transport } = server([APART])
    expect(await createScriptGuard(transport.send, undefined).prove()).toBe(false)
  })
  it('is believed if it is DragonflyDB, which locks the keys of a script', async () => {
    const dragonfly = server([OVERLAP], 'dragonfly_version:df-v1.30')
    expect([await guardOf(dragonfly).prove(), dragonfly.spins()]).toEqual([true, 0])
  })
  it('is asked again after it did not answer', async () => {
    const garnet = server([APART])
    let isAway = true
    const send: Transport['send'] = async (command) => {
      if (isAway) throw new HitherError('STORE_UNAVAILABLE', 'away', { retryable: true })
      return garnet.transport.send(command)
    }
    const guard = createScriptGuard(send, garnet.transport.exclusive)
    await expect(guard.prove()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    isAway = false
    expect(await guard.prove()).toBe(true)
  })
})

describe('a store over it', () => {
  const open = (rounds: Parameters<typeof server>[0]) => {
    const events: string[] = []
    const garnet = server(rounds)
    const guard = guardOf(garnet)
    const traits = { shared: true, ttlStepMs: 1, maxKeyBytes: 1024, maxValueBytes: 1024 } as const
    const plain = createCommandStore({
      name: 'test',
      traits: { ...traits, clock: 'server', consistency: 'strong' },
      transport: garnet.transport,
      guard,
    })
    const acquire = garnet.transport.exclusive as NonNullable<Transport['exclusive']>
    const store = withWatch(plain, { acquire, guard, onEvent: ({ type }) => events.push(type) })
    return { store, events, ...garnet }
  }
  it('runs the script that was refused once the proof is there', async () => {
    const { store, events, sent } = open([APART])
    expect(await store.run(testCounter, 'k', [1, 0])).toBe(1)
    expect(await store.run(testCounter, 'k', [1, 0])).toBe(1)
    // The second run may first be sent by its digest, which takes a moment to compute. This server does not know the digest.
    expect([sent.filter((name) => name !== 'EVALSHA'), events]).toEqual([['EVAL', 'INFO', 'EVAL', 'EVAL'], []])
  })
  it('runs operations under WATCH where scripts overlap, and says so once', async () => {
    const { store, events, sent } = open([OVERLAP])
    expect(await store.run(testCounter, 'k', [1, 0])).toBe(1)
    expect(await store.run(testCounter, 'k', [1, 0])).toBe(1)
    expect([sent, events]).toEqual([['EVAL', 'INFO'], ['no-scripts']])
  })
})

describe('the gateway before it', () => {
  it('asks with the first script only, and again where a server has shown nothing', async () => {
    const garnet = server([APART])
    const check = createScriptCheck(garnet.transport)
    expect([await check(), await check(), garnet.sent]).toEqual([true, true, ['EVAL', 'INFO']])
    expect(await createScriptCheck(server([OVERLAP]).transport)()).toBe(false)
    const { transport, sent } = server([APART])
    const redis = createScriptCheck({
      ...transport,
      send: async ({ args }) => {
        sent.push(String(args[0]))
        return 1
      },
    })
    expect([await redis(), await redis(), sent]).toEqual([true, true, ['EVAL']])
  })
  it('says that nothing ran where the server does not answer, and asks again', async () => {
    const { transport } = server([APART])
    let isAway = true
    const send: Transport['send'] = async () => {
      if (isAway) throw new HitherError('TIMEOUT', 'late', { retryable: true, maybeExecuted: true })
      return 1
    }
    const check = createScriptCheck({ ...transport, send })
    await expect(check()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', maybeExecuted: false })
    isAway = false
    expect(await check()).toBe(true)
  })
})
