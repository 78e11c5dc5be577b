import { HitherError, StoreRejectedError } from '../errors.ts'
import { type Arg, type Operation, type Reply, scriptOf } from '../protocol/operation.ts'
import { now, sleep } from '../runtime/clock.ts'
import { random } from '../runtime/random.ts'
import { checkArgs, checkKey, checkKeys, checkTtl, checkValue } from './checks.ts'
import { isUnexpectedFlag } from './script-flags.ts'
import type { AtomicStore, Call, StoreEvent, StoreTraits } from './store.ts'
import { createTick, type Timer, type Unit } from './tick.ts'
import { type Command, ReplyError, type Transport, type Wire } from './transport.ts'

export interface CommandStoreOptions {
  readonly name: string
  readonly traits: StoreTraits
  readonly transport: Transport
  /** Deadline of a call that names none, in milliseconds. @default 5000 */
  readonly timeoutMs?: number
  /** The transport keeps the order of requests made one after another (one connection). @default false */
  readonly ordered?: boolean
  /** A timer for all deadlines: it outlives the request that set it and keeps no process alive. @default one a batch */
  readonly lasting?: Timer
  /** A key's hash slot, on a cluster: keys of different slots never share a command. @default one slot */
  readonly slotOf?: (key: string) => number
  /** As `transport.sendMany`, with an outcome per command, where a part of a batch can fail alone (a cluster's node). */
  readonly sendEach?: (commands: readonly Command[], call: Call) => readonly Promise<Wire>[]
  /** First line, newline included, put before every script for as long as the endpoint knows it. @default none */
  readonly prelude?: string
  /** Runs an operation where the server refuses scripts. @default such a call rejects with `UNSUPPORTED` */
  readonly fallback?: <A extends readonly Arg[], R extends Reply>(
    operation: Operation<A, R>,
    key: string,
    args: A,
    call: Call & { readonly deadline: number },
  ) => Promise<R>
  readonly onEvent?: ((event: StoreEvent) => void) | undefined
}

interface Script {
  readonly text: string
  sha: string | undefined
  known: boolean
}

/** A unit, and what became of its request. */
type Failure = readonly [unit: Unit, error: unknown]

interface Request {
  readonly units: readonly Unit[]
  readonly command: Command
}

const MAX_COMMANDS = 1000
const MAX_BYTES = 1_000_000
const ALONE_BYTES = 65_536
/** Of a call whose reply was lost: about a second, longer than a client takes to connect again. */
const MAX_ATTEMPTS = 6

/**
 * The `Store` contract over any `Transport`: calls of one tick as one batch in call order, neighbouring reads as
 * one MGET, scripts by digest once the endpoint knows them, and resends by effect alone: after a lost reply, reads,
 * deletes and operations marked `repeat` go out again with jittered back-off, up to five times before their deadline;
 * nothing else does.
 */
export function createCommandStore(options: CommandStoreOptions): AtomicStore {
  const { name, traits, transport, slotOf, sendEach, ordered, fallback, timeoutMs = 5000 } = options
  const deadlineOf = (call: Call | undefined): number => call?.deadline ?? now() + timeoutMs
  let scriptless = false
  let prelude = options.prelude ?? ''
  let preludeProved = prelude === ''
  const scripts = new Map<object, Script>()
  const emit = (type: StoreEvent['type'], command: string): void => {
    try {
      options.onEvent?.({ type, command })
    } catch {
      // a listener's failure is its own
    }
  }

  const scriptFor = (operation: { readonly lua: string }): Script => {
    let script = scripts.get(operation)
    if (!script) {
      const made: Script = { text: prelude + scriptOf(operation), sha: undefined, known: false }
      scripts.set(operation, made)
      script = made
      void sha1(made.text).then((sha) => {
        made.sha = sha
      })
    }
    return script
  }

  /** One command for one unit; `last`: no other call on its key follows in the batch. */
  const requestOf = (unit: Unit, last: boolean): Request => {
    let { args } = unit
    if (!args) return readOf([unit])
    unit.sent = true
    if (unit.script) {
      const { known, sha, text } = scriptFor(unit.script as { lua: string })
      args = known && sha && last ? ['EVALSHA', sha, ...args.slice(2)] : ['EVAL', text, ...args.slice(2)]
    }
    return { units: [unit], command: { args, effect: unit.effect } }
  }

  /** The batch as commands. Order is kept but for reads of one run, which change nothing. */
  const plan = (units: readonly Unit[]): Request[] => {
    const requests: Request[] = []
    let lastUse: Map<string, number> | undefined
    const isLast = (unit: Unit, i: number): boolean => {
      if (!lastUse) {
        lastUse = new Map()
        for (const [at, { keys }] of units.entries()) for (const key of keys) lastUse.set(key, at)
      }
      return lastUse.get(unit.keys[0] as string) === i
    }
    const read = (reads: readonly Unit[]): void => {
      for (let i = 0; i < reads.length; i += MAX_COMMANDS) requests.push(readOf(reads.slice(i, i + MAX_COMMANDS)))
    }
    for (let i = 0; i < units.length; ) {
      const unit = units[i] as Unit
      if (unit.args) {
        requests.push(requestOf(unit, !unit.script || isLast(unit, i)))
        i++
        continue
      }
      const start = i
      while (i < units.length && !units[i]?.args) i++
      const run = units.slice(start, i)
      for (const reads of bySlot(run, ({ keys }) => keys[0] as string)) read(reads)
    }
    return requests
  }

  /** `items` in groups whose keys share a slot. */
  const bySlot = <T>(items: readonly T[], keyOf: (item: T) => string): Iterable<readonly T[]> => {
    if (!slotOf) return [items]
    const groups = new Map<number, T[]>()
    for (const item of items) {
      const slot = slotOf(keyOf(item))
      const group = groups.get(slot)
      if (group) group.push(item)
      else groups.set(slot, [item])
    }
    return groups.values()
  }

  /** What a reply other than the plain answer means. */
  const interpret = (unit: Unit, command: Command, reply: ReplyError): void => {
    const verb = command.args[0] as string
    const script = unit.script && scripts.get(unit.script)
    if (script && reply.word === 'NOSCRIPT') {
      script.known = false
      tick.again([unit])
    } else if (script && prelude !== '' && isUnexpectedFlag(reply)) {
      dropPrelude()
      tick.again([unit])
    } else if (!unit.args && reply.word === 'WRONGTYPE') {
      emit('foreign-type', verb)
      unit.resolve(undefined)
    } else unit.reject(rejected(verb, reply))
  }
  const dropPrelude = (): void => {
    prelude = ''
    preludeProved = true
    scripts.clear()
  }

  const answer = (request: Request, reply: Wire): void => {
    const { units, command } = request
    if (units.length > 1 && !(reply instanceof ReplyError)) {
      if (!Array.isArray(reply) || reply.length !== units.length) {
        for (const unit of units) unit.reject(badReply('MGET'))
        return
      }
      for (let i = 0; i < units.length; i++) (units[i] as Unit).resolve(present(reply[i] as Wire))
      return
    }
    for (const unit of units) {
      if (reply instanceof ReplyError) {
        interpret(unit, command, reply)
        continue
      }
      const script = unit.script && scripts.get(unit.script)
      if (script) script.known = preludeProved = true
      unit.resolve(unit.args ? reply : present(reply))
    }
  }

  const fail = (failures: readonly Failure[]): void => {
    const again: Unit[] = []
    for (const [unit, error] of failures) {
      const known = error instanceof HitherError ? error : undefined
      const lost = known?.maybeExecuted === true || unit.attempts > 0
      const may = lost && (unit.effect !== 'once' || known?.maybeExecuted === false)
      if (known?.code === 'STORE_UNAVAILABLE' && may && ++unit.attempts < MAX_ATTEMPTS) again.push(unit)
      else unit.reject(known ? judged(known, unit, lost) : error)
    }
    if (again.length === 0) return
    emit('resend', 'batch')
    const attempt = (again[0] as Unit).attempts
    void sleep(20 * 2 ** attempt * (0.5 + random())).then(() => tick.again(again))
  }

  const sendOne = (request: Request, call: Call): Promise<void> =>
    transport.send(request.command, call).then(
      (reply) => answer(request, reply),
      (error: unknown) => fail(request.units.map((unit) => [unit, error])),
    )

  /** What fails at one moment fails together, so that what goes out again keeps its order. */
  const settleEach = (requests: readonly Request[], replies: readonly Promise<Wire>[]): Promise<unknown> => {
    let failed: Failure[] = []
    const settled = requests.map((request, i) =>
      (replies[i] as Promise<Wire>).then(
        (reply) => answer(request, reply),
        (error: unknown) => {
          if (failed.length === 0) {
            queueMicrotask(() => {
              fail(failed)
              failed = []
            })
          }
          for (const unit of request.units) failed.push([unit, error])
        },
      ),
    )
    return Promise.all(settled)
  }

  const sendRequests = (requests: readonly Request[], call: Call): Promise<unknown> => {
    if (requests.length === 1) return sendOne(requests[0] as Request, call)
    const commands = requests.map(({ command }) => command)
    if (sendEach) return settleEach(requests, sendEach(commands, call))
    return transport.sendMany(commands, call).then(
      (replies) => requests.forEach((request, i) => void answer(request, replies[i] as Wire)),
      (error: unknown) => fail(requests.flatMap(({ units }) => units.map((unit) => [unit, error] as const))),
    )
  }

  /** One request, or several where it passes 1,000 commands or 1 MB. Settles every unit; never rejects. */
  const sendGroup = (units: readonly Unit[]): Promise<unknown> => {
    let deadline = 0
    for (const unit of units) deadline = Math.max(deadline, unit.deadline)
    const call: Call = { deadline, bytes: (units[0] as Unit).bytes }
    const parts: Request[][] = []
    let bytes = MAX_BYTES
    for (const request of plan(units)) {
      const size = request.units.reduce((sum, unit) => sum + unit.size, 0)
      bytes += size
      if (bytes > MAX_BYTES || (parts.at(-1)?.length ?? 0) >= MAX_COMMANDS) {
        parts.push([])
        bytes = size
      }
      parts.at(-1)?.push(request)
    }
    if (ordered) return Promise.all(parts.map((part) => sendRequests(part, call)))
    return parts.reduce<Promise<unknown>>(
      (before, part) => before.then(() => sendRequests(part, call)),
      Promise.resolve(),
    )
  }

  const probe = async (deadline: number): Promise<void> => {
    const reply = await transport.send({ args: ['EVAL', `${prelude}return 1`, 0], effect: 'read' }, { deadline })
    if (reply instanceof ReplyError && isUnexpectedFlag(reply)) dropPrelude()
    preludeProved = true
  }

  /** Runs of units that ask for the same form of reply, one after another. */
  const sendInOrder = async (units: readonly Unit[]): Promise<void> => {
    if (!preludeProved && units.length > 1 && units.some((unit) => unit.script)) {
      // In a batch the refusal of the flag would come too late to keep order.
      await probe((units[0] as Unit).deadline).catch(() => {})
    }
    for (let i = 0; i < units.length; ) {
      const start = i
      while (units[i]?.bytes === units[start]?.bytes && i < units.length) i++
      const sending = sendGroup(units.slice(start, i))
      if (!ordered) await sending
    }
  }

  const flush = (units: readonly Unit[]): void => {
    let rest = units
    if (units.length === 1) {
      const unit = units[0] as Unit
      return void sendOne(requestOf(unit, true), unit)
    }
    if (!ordered) {
      const uses = new Map<string, number>()
      let longest = 0
      for (const unit of units) {
        longest = Math.max(longest, unit.deadline)
        for (const key of unit.keys) uses.set(key, (uses.get(key) ?? 0) + 1)
      }
      const at = now()
      rest = units.filter((unit) => {
        const alone = unit.bytes || unit.size > ALONE_BYTES || (unit.deadline - at) * 2 < longest - at
        if (!alone || unit.keys.some((key) => uses.get(key) !== 1)) return true
        void sendGroup([unit])
        return false
      })
    }
    if (rest.length > 0) void sendInOrder(rest)
  }

  const tick = createTick(timeoutMs, flush, options.lasting)

  const { add } = tick
  const read = (key: string, call?: Call): Promise<Wire | undefined> =>
    add([key], undefined, 'read', key.length + 16, call)

  const store: AtomicStore = {
    name,
    traits,
    transport,
    get(key, call) {
      try {
        checkKey(key, traits)
      } catch (error) {
        return Promise.reject(error)
      }
      return read(key, call) as Promise<string | undefined>
    },
    async getMany(keys, call) {
      checkKeys(keys, traits)
      return (await Promise.all(keys.map((key) => read(key, call)))) as (string | undefined)[]
    },
    async set(key, value, ttlMs, call) {
      checkKey(key, traits)
      checkValue(value, traits)
      await write(key, value, ttlMs, call)
    },
    async delete(keys, call) {
      checkKeys(keys, traits)
      const calls: Promise<unknown>[] = []
      for (const group of bySlot(keys, (key) => key)) {
        for (let i = 0; i < group.length; i += MAX_COMMANDS) {
          const part = group.slice(i, i + MAX_COMMANDS)
          calls.push(add(part, ['UNLINK', ...part], 'repeat', part.length * 64, call))
        }
      }
      let count = 0
      for (const reply of await Promise.all(calls)) count += Number(reply)
      return count
    },
    async run<A extends readonly Arg[], R extends Reply>(
      operation: Operation<A, R>,
      key: string,
      args: A,
      call?: Call,
    ) {
      checkKey(key, traits)
      checkArgs(args, traits)
      let size = 256
      for (const arg of args) size += String(arg).length
      if (!scriptless) {
        try {
          return (await add([key], ['EVAL', '', 1, key, ...args], operation.effect, size, call, operation)) as R
        } catch (error) {
          if (!fallback || !(error instanceof HitherError && error.code === 'UNSUPPORTED')) throw error
          scriptless = true
        }
      }
      return (fallback as NonNullable<typeof fallback>)(operation, key, args, { ...call, deadline: deadlineOf(call) })
    },
    async ready(call) {
      const deadline = deadlineOf(call)
      if (!preludeProved) await probe(deadline)
      if (fallback) return void (await store.get('hither', { ...call, deadline }))
      const reply = await add([], ['EVAL', `${prelude}return 1`, 0], 'read', 64, { ...call, deadline })
      if (reply !== 1) throw badReply('EVAL')
    },
    async close() {
      tick.close()
      await transport.close()
    },
    async getBytes(key, call) {
      checkKey(key, traits)
      const reply = await read(key, { ...call, bytes: true })
      if (reply === undefined || reply instanceof Uint8Array) return reply
      throw badReply('GET')
    },
    async setBytes(key, value, ttlMs, call) {
      checkKey(key, traits)
      if (value.byteLength > traits.maxValueBytes) {
        throw new HitherError('VALUE_TOO_LARGE', `a value may have ${traits.maxValueBytes} bytes`)
      }
      await write(key, value, ttlMs, { ...call, bytes: true })
    },
  }
  const write = async (key: string, value: string | Uint8Array, ttlMs?: number, call?: Call): Promise<void> => {
    checkTtl(ttlMs)
    const args = ttlMs === undefined ? ['SET', key, value] : ['SET', key, value, 'PX', ttlMs]
    await add([key], args, 'once', key.length + value.length + 32, call)
  }
  return store
}

async function sha1(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-1', new TextEncoder().encode(text)))
  let hex = ''
  for (const byte of digest) hex += byte.toString(16).padStart(2, '0')
  return hex
}

/** The reads' one command, and their order in it. */
function readOf(units: readonly Unit[]): Request {
  const args = [units.length === 1 ? 'GET' : 'MGET']
  for (const { keys } of units) args.push(keys[0] as string)
  return { units, command: { args, effect: 'read' } }
}

/** What a read answers. */
function present(reply: Wire): Wire | undefined {
  if (typeof reply === 'string') return reply
  return reply === null ? undefined : reply instanceof Uint8Array ? reply : String(reply)
}

function rejected(verb: string, reply: ReplyError): HitherError {
  const refused = /^(ERR unknown command|NOPERM)/i.test(reply.message) && verb.startsWith('EVAL')
  return refused
    ? new HitherError('UNSUPPORTED', 'this server runs no scripts: operations need EVAL and EVALSHA')
    : new StoreRejectedError(verb, reply.word)
}

function badReply(verb: string): HitherError {
  return new HitherError('BAD_REPLY', `${verb} was answered in a form that is not Redis`)
}

/** A read changed nothing, whatever was lost; anything else may have run at an earlier attempt. */
function judged(error: HitherError, { effect }: Unit, lost: boolean): HitherError {
  const maybeExecuted = lost && effect !== 'read'
  if (error.maybeExecuted === maybeExecuted) return error
  return new HitherError(error.code, error.message, { cause: error, retryable: true, maybeExecuted })
}
