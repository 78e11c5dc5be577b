import { now } from '../runtime/clock.ts'
import { random } from '../runtime/random.ts'
import type { Call } from './call.ts'
import { type Exclusive, ReplyError, type Transport } from './transport.ts'

/**
 * Keeps scripts from a server that may run several of them on one key at once. Redis, Valkey and Upstash speak Lua 5.1 and run one
 * script at a time. Garnet speaks Lua 5.4, and runs scripts one at a time on a key only where it was started with
 * `--lua-transaction-mode`, which it does not report. So each script begins with a line by which such a server refuses it,
 * until two scripts that were sent at once have been seen to wait for one another.
 */
export interface ScriptGuard {
  /** What stands before each script; empty once scripts are known to be atomic. */
  readonly line: string
  /** Whether a script was refused by that line since it was last set to false. */
  isRefused: boolean
  /** Whether scripts are known to be atomic. Rejects where the server does not answer. What it has shown is not asked again. */
  prove(): Promise<boolean>
}

type Acquire = (call: Call, key: string) => Promise<Exclusive>

/** First word of the error that the guard's line answers. */
export const UNPROVEN = 'UNPROVEN'
export const GUARD_LINE: string = `if _VERSION == 'Lua 5.4' then return { err = '${UNPROVEN} scripts' } end `
const KEY = ':hither:scripts'
/** How long one of the two scripts runs, in microseconds. */
const SPAN_US = 30_000
/** The second begins so soon after the first has ended, if it was the first that it waited for. */
const HANDOVER_US = 10_000
const ROUNDS = 12
/** So many rounds have to show it. */
const ENOUGH = 3
/** Of a proof. A caller waits for it no longer than its own call may take. */
const LIMIT_MS = 20_000
/** Bounded by its steps too: a server may stop the clock while a script runs. */
const SPIN = `
local function at() local t = redis.call('TIME') return t[1] * 1000000 + t[2] end
local from, steps = at(), 0
local till = from
repeat till, steps = at(), steps + 1 until till - from > ${SPAN_US} or steps > 100000
return { ('%.0f'):format(from), ('%.0f'):format(till) }`

/** `acquire`: connections for the proof, without which a server such as Garnet is not believed. */
export function createScriptGuard(send: Transport['send'], acquire: Acquire | undefined): ScriptGuard {
  let line = GUARD_LINE
  let proof: Promise<boolean> | undefined
  const prove = async (): Promise<boolean> => {
    const call = { deadline: now() + LIMIT_MS }
    const info = await send({ args: ['INFO', 'server'], effect: 'read' }, call)
    // DragonflyDB speaks Lua 5.4 too, and locks the keys of each script.
    const isGarnet = !/^dragonfly_version:/m.test(String(info))
    const isAtomic = isGarnet ? acquire && (await runApart(acquire, call)) : true
    if (isAtomic) line = ''
    // A server that was too busy to show either is asked again.
    else if (isAtomic === undefined && acquire) proof = undefined
    return isAtomic === true
  }
  return {
    get line() {
      return line
    },
    isRefused: false,
    prove() {
      proof ??= prove().catch((error) => {
        proof = undefined
        throw error
      })
      return proof
    },
  }
}

/**
 * Sends two scripts on one key at once, on connections of their own. They overlap where scripts are not atomic. Where they are, the
 * second waits for the first: it begins when that ends, and its connection was served while that ran. A server whose threads are
 * all at work runs them one after the other too, so a second whose connection waited itself shows nothing: then once more, as where
 * it was late. Undefined: so it went on.
 */
async function runApart(acquire: Acquire, call: Call): Promise<boolean | undefined> {
  // Those of other processes that ask at the same time would come in between.
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
      // Also where there is no number: the script was refused.
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
  // In one write, which a server serves in one go.
  const [time, span] = await Promise.all([
    send({ args: ['TIME'], effect: 'read' }, call),
    send({ args: ['EVAL', SPIN, 1, key], effect: 'read' }, call),
  ])
  const [[seconds = Number.NaN, micros = Number.NaN], [from = Number.NaN, till = Number.NaN]] = [time, span].map(
    (reply) => (reply instanceof ReplyError ? [] : (reply as readonly string[]).map(Number)),
  ) as [number[], number[]]
  return { served: seconds * 1_000_000 + micros, from, till }
}
