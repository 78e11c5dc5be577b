import { keepForOthers, REQUEST_SCOPED } from '../runtime/background.ts'
import { NEVER, now } from '../runtime/clock.ts'
import { random } from '../runtime/random.ts'
import type { Call } from './call.ts'
import { type Exclusive, ReplyError, type Transport } from './transport.ts'

/**
 * Keeps scripts from a server that may run several of them on one key at once. Redis, Valkey and Upstash speak Lua 5.1 and run one
 * script at a time. Garnet speaks Lua 5.4, and runs scripts one at a time on a key only where it was started with
 * `--lua-transaction-mode`, which it does not report. So each script begins with a line that makes such a server refuse
 * it, until a proof has shown that two scripts sent at once wait for one another.
 */
export interface ScriptGuard {
  /** Lua code before each script; empty once scripts are known to be atomic. */
  readonly line: string
  /** Whether `line` has refused a script since this field was last set to false. */
  isRefused: boolean
  /**
   * Resolves to whether scripts are known to be atomic. Rejects if the server does not reply. A result is kept, unless the
   * server was too busy to show either.
   */
  prove(): Promise<boolean>
}

type Acquire = (call: Call, key: string) => Promise<Exclusive>

/** First word of the error with which the guard's line refuses a script. */
export const UNPROVEN = 'UNPROVEN'
export const GUARD_LINE: string = `if _VERSION == 'Lua 5.4' then return { err = '${UNPROVEN} scripts' } end `
const KEY = ':hither:scripts'
/** How long one of the two scripts runs, in microseconds. */
const SPAN_US = 30_000
/** If the second script waited for the first, it begins within this time after the first has ended, in microseconds. */
const HANDOVER_US = 10_000
const ROUNDS = 12
/** How many rounds must show that the second script waited. */
const ENOUGH = 3
/**
 * On Workers, a proof that takes longer than this may belong to a request that has ended, so that it never settles. In
 * milliseconds.
 */
const LOST_MS = 1000
/** Longest time of a proof, in milliseconds. A caller waits for it no longer than its own call may take. */
const LIMIT_MS = 20_000
/** Returns when it began and when it ended. Its steps are bounded too: a server may stop the clock while a script runs. */
const SPIN = `
local function at() local t = redis.call('TIME') return t[1] * 1000000 + t[2] end
local from, steps = at(), 0
local till = from
repeat till, steps = at(), steps + 1 until till - from > ${SPAN_US} or steps > 100000
return { ('%.0f'):format(from), ('%.0f'):format(till) }`

/** `acquire`: lends the connections for the proof. Without it, scripts are never proven atomic on a server such as Garnet. */
export function createScriptGuard(send: Transport['send'], acquire: Acquire | undefined): ScriptGuard {
  let line = GUARD_LINE
  let proof: Promise<boolean> | undefined
  let provingSinceMs = NEVER
  /** Resolves to undefined if the server was too busy to show either. */
  const show = async (): Promise<boolean | undefined> => {
    const call = { deadline: now() + LIMIT_MS }
    const info = await send({ args: ['INFO', 'server'], effect: 'read' }, call)
    // DragonflyDB speaks Lua 5.4 too, and locks the keys of each script.
    const isGarnet = !/^dragonfly_version:/m.test(String(info))
    return isGarnet ? !!acquire && runApart(acquire, call) : true
  }
  return {
    get line() {
      return line
    },
    isRefused: false,
    prove() {
      if (REQUEST_SCOPED && now() - provingSinceMs > LOST_MS) proof = undefined
      if (proof) return proof
      provingSinceMs = now()
      const end = (isKept: boolean): void => {
        // A proof that was believed to be lost may end while the next one runs.
        if (proof !== begun) return
        provingSinceMs = NEVER
        if (!isKept) proof = undefined
      }
      const begun = show().then(
        (isAtomic) => {
          if (isAtomic) line = ''
          end(isAtomic !== undefined)
          return isAtomic === true
        },
        (error) => {
          end(false)
          throw error
        },
      )
      proof = begun
      keepForOthers(begun.catch(() => {}))
      return begun
    },
  }
}

/**
 * Sends two scripts on one key at once, on two connections. If scripts are not atomic, they overlap: resolves to false. If they
 * are, the second waits for the first: it begins right after the first ends, and its connection was served while the first ran.
 * A server whose threads are all busy also runs the two one after the other. So a round shows nothing if the second connection
 * itself had to wait, or the second script began late, and another round follows. Resolves to true after `ENOUGH` rounds that
 * show it, to undefined if all `ROUNDS` together do not.
 */
async function runApart(acquire: Acquire, call: Call): Promise<boolean | undefined> {
  // The key is random: scripts of other processes that prove at the same time would run in between.
  const key = `${KEY}:${random()}`
  const connections: Exclusive[] = []
  let isDone = false
  try {
    connections.push(await acquire(call, key))
    connections.push(await acquire(call, key))
    let apart = 0
    for (let round = 0; round < ROUNDS && apart < ENOUGH; round++) {
      const spans = await Promise.all(connections.map((connection) => spin(connection, key, call)))
      const [first, second] = spans.toSorted((a, b) => a.from - b.from) as [Span, Span]
      const waitedUs = second.from - first.till
      // Also true for NaN, when a script was refused.
      isDone = !(waitedUs >= 0)
      if (isDone) return false
      const isServed = second.served > first.from && second.served < first.till - HANDOVER_US
      if (isServed && waitedUs < HANDOVER_US) apart++
    }
    isDone = true
    return apart === ENOUGH || undefined
  } finally {
    for (const connection of connections) connection.release(!isDone)
  }
}

/** Microseconds of the server's clock; NaN where it gave none. */
interface Span {
  /** When the connection was served, just before its script. */
  readonly served: number
  readonly from: number
  readonly till: number
}

async function spin({ send }: Exclusive, key: string, call: Call): Promise<Span> {
  // Both commands are in one write, which a server handles in one go.
  const [time, span] = await Promise.all([
    send({ args: ['TIME'], effect: 'read' }, call),
    send({ args: ['EVAL', SPIN, 1, key], effect: 'read' }, call),
  ])
  const [[seconds = Number.NaN, micros = Number.NaN], [from = Number.NaN, till = Number.NaN]] = [time, span].map(
    (reply) => (reply instanceof ReplyError ? [] : (reply as readonly string[]).map(Number)),
  ) as [number[], number[]]
  return { served: seconds * 1_000_000 + micros, from, till }
}
