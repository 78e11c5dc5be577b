import { HitherError, StoreRejectedError } from '../errors.ts'
import { random } from '../runtime/random.ts'
import { now, sleep } from '../runtime/clock.ts'
import { scriptOf, type Arg, type Operation, type Reply } from '../protocol/operation.ts'
import { checkArgs, checkKey, checkKeys, checkTtl, checkValue } from './checks.ts'
import { isUnexpectedFlag } from './script-flags.ts'
import type { AtomicStore, Call, StoreEvent, StoreTraits } from './store.ts'
import { createTick, type Unit } from './tick.ts'
import { ReplyError, type Command, type Transport, type Wire } from './transport.ts'

export interface CommandStoreOptions {
  readonly name: string
  readonly traits: StoreTraits
  readonly transport: Transport
  /** Deadline of a call that names none, in milliseconds. @default 5000 */
  readonly timeoutMs?: number
  /** The transport keeps the order of requests made one after another (one connection). @default false */
  readonly ordered?: boolean
  /** A key's hash slot, on a cluster: keys of different slots never share a command. @default one slot */
  readonly slotOf?: (key: string) => number
  /** First line, newline included, put before every script for as long as the endpoint knows it. @default none */
  readonly prelude?: string
  readonly onEvent?: ((event: StoreEvent) => void) | undefined
}

interface Script {
  readonly text: string
  sha: string | undefined
  known: boolean
}

interface Request {
  readonly units: Unit[]
  readonly command: Command
}

const MAX_COMMANDS = 1000
const MAX_BYTES = 1_000_000
const ALONE_BYTES = 65_536
const MAX_ATTEMPTS = 4

/**
 * The `Store` contract over any `Transport`: calls of one tick as one batch in call order, neighbouring reads as
 * one MGET, scripts by digest once the endpoint knows them, and resends by effect alone: after a lost reply, reads,
 * deletes and operations marked `repeat` go out again with jittered back-off until their deadline; nothing else does.
 */
export function createCommandStore(options: CommandStoreOptions): AtomicStore {
  const { name, traits, transport, slotOf, ordered } = options
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

  /** The batch as commands. Order is kept but for reads of one run, which change nothing. */
  const plan = (units: readonly Unit[]): Request[] => {
    const lastUse = new Map<string, number>()
    units.forEach((unit, i) => {
      for (const key of unit.keys) lastUse.set(key, i)
    })
    const requests: Request[] = []
    let run = new Map<number, Unit[]>()
    const endRun = (): void => {
      for (const reads of run.values()) {
        for (let i = 0; i < reads.length; i += MAX_COMMANDS) {
          const part = reads.slice(i, i + MAX_COMMANDS)
          const args = [part.length === 1 ? 'GET' : 'MGET']
          for (const unit of part) args.push(unit.keys[0] as string)
          requests.push({ units: part, command: { args, effect: 'read' } })
        }
      }
      if (run.size > 0) run = new Map()
    }
    units.forEach((unit, i) => {
      unit.sent = true
      if (!unit.args) {
        const slot = slotOf ? slotOf(unit.keys[0] as string) : 0
        const reads = run.get(slot)
        if (reads) reads.push(unit)
        else run.set(slot, [unit])
        return
      }
      endRun()
      let args = unit.args
      if (unit.script) {
        const script = scriptFor(unit.script as { lua: string })
        const alone = lastUse.get(unit.keys[0] as string) === i
        args =
          script.known && script.sha && alone
            ? ['EVALSHA', script.sha, ...args.slice(2)]
            : ['EVAL', script.text, ...args.slice(2)]
      }
      requests.push({ units: [unit], command: { args, effect: unit.effect } })
    })
    endRun()
    return requests
  }

  /** What a reply other than the plain answer means; true when it was dealt with. */
  const interpret = (unit: Unit, command: Command, reply: Wire): boolean => {
    if (!(reply instanceof ReplyError)) return false
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
      unit.resolve(null)
    } else unit.reject(rejected(verb, reply))
    return true
  }
  const dropPrelude = (): void => {
    prelude = ''
    preludeProved = true
    scripts.clear()
  }

  const answer = (request: Request, reply: Wire): void => {
    const { units, command } = request
    if (command.args[0] === 'MGET' && !(reply instanceof ReplyError)) {
      if (!Array.isArray(reply) || reply.length !== units.length) {
        for (const unit of units) unit.reject(badReply('MGET'))
        return
      }
      units.forEach((unit, i) => {
        unit.resolve(reply[i] as Wire)
      })
      return
    }
    for (const unit of units) {
      if (interpret(unit, command, reply)) continue
      const script = unit.script && scripts.get(unit.script)
      if (script) script.known = true
      unit.resolve(reply)
    }
  }

  const fail = (units: readonly Unit[], error: unknown): void => {
    const known = error instanceof HitherError ? error : undefined
    const again: Unit[] = []
    for (const unit of units) {
      const lost = known?.maybeExecuted === true || unit.attempts > 0
      const may = lost && (unit.effect !== 'once' || known?.maybeExecuted === false)
      if (known?.code === 'STORE_UNAVAILABLE' && may && ++unit.attempts < MAX_ATTEMPTS) again.push(unit)
      else unit.reject(known && unit.effect === 'read' && known.maybeExecuted ? unread(known) : error)
    }
    if (again.length === 0) return
    emit('resend', 'batch')
    const attempt = (again[0] as Unit).attempts
    void sleep(20 * 2 ** attempt * (0.5 + random())).then(() => tick.again(again))
  }

  const sendRequests = async (requests: readonly Request[], call: Call): Promise<void> => {
    try {
      const commands = requests.map((request) => request.command)
      const replies =
        commands.length === 1
          ? [await transport.send(commands[0] as Command, call)]
          : await transport.sendMany(commands, call)
      requests.forEach((request, i) => {
        answer(request, replies[i] as Wire)
      })
    } catch (error) {
      fail(
        requests.flatMap((request) => request.units),
        error,
      )
    }
  }

  const sendGroup = async (units: readonly Unit[]): Promise<void> => {
    let deadline = 0
    for (const unit of units) deadline = Math.max(deadline, unit.deadline)
    const call: Call = (units[0] as Unit).bytes ? { deadline, bytes: true } : { deadline }
    let part: Request[] = []
    let bytes = 0
    const sending: Promise<void>[] = []
    const ship = async (): Promise<void> => {
      const requests = part
      part = []
      bytes = 0
      const done = sendRequests(requests, call)
      if (ordered) sending.push(done)
      else await done
    }
    for (const request of plan(units)) {
      let size = 0
      for (const unit of request.units) size += unit.size
      if (part.length > 0 && (part.length >= MAX_COMMANDS || bytes + size > MAX_BYTES)) await ship()
      part.push(request)
      bytes += size
    }
    await ship()
    await Promise.all(sending)
  }

  const probe = async (deadline: number): Promise<void> => {
    const reply = await transport.send({ args: ['EVAL', `${prelude}return 1`, 0], effect: 'read' }, { deadline })
    if (reply instanceof ReplyError && isUnexpectedFlag(reply)) dropPrelude()
    preludeProved = true
  }

  const flush = (units: Unit[]): void => {
    for (const group of groups(units, ordered === true)) {
      void group.after.then(async () => {
        const live = group.units.filter((unit) => !unit.settled)
        if (live.length === 0) return
        if (!preludeProved && live.length > 1 && live.some((unit) => unit.script)) {
          // In a batch the refusal of the flag would come too late to keep order.
          await probe((live[0] as Unit).deadline).catch(() => {})
        }
        await sendGroup(live)
      }).then(group.done)
    }
  }

  const tick = createTick(options.timeoutMs ?? 5000, flush)

  const add = (
    keys: readonly string[],
    args: Unit['args'],
    effect: Unit['effect'],
    size: number,
    call: Call | undefined,
    script?: object,
  ): Promise<Wire> => tick.add({ keys, args, effect, size, script }, call)

  const read = (key: string, call?: Call): Promise<Wire> => add([key], undefined, 'read', key.length + 16, call)

  const store: AtomicStore = {
    name,
    traits,
    transport,
    async get(key, call) {
      checkKey(key, traits)
      return asText(await read(key, call))
    },
    async getMany(keys, call) {
      checkKeys(keys, traits)
      return (await Promise.all(keys.map((key) => read(key, call)))).map(asText)
    },
    async set(key, value, ttlMs, call) {
      checkKey(key, traits)
      checkValue(value, traits)
      await write(key, value, ttlMs, call)
    },
    async delete(keys, call) {
      checkKeys(keys, traits)
      const bySlot = new Map<number, string[]>()
      for (const key of keys) {
        const slot = slotOf ? slotOf(key) : 0
        const group = bySlot.get(slot)
        if (group) group.push(key)
        else bySlot.set(slot, [key])
      }
      const calls: Promise<Wire>[] = []
      for (const group of bySlot.values()) {
        for (let i = 0; i < group.length; i += MAX_COMMANDS) {
          const part = group.slice(i, i + MAX_COMMANDS)
          calls.push(add(part, ['UNLINK', ...part], 'repeat', part.length * 64, call))
        }
      }
      let count = 0
      for (const reply of await Promise.all(calls)) count += Number(reply)
      return count
    },
    async run<A extends readonly Arg[], R extends Reply>(operation: Operation<A, R>, key: string, args: A, call?: Call) {
      checkKey(key, traits)
      checkArgs(args, traits)
      let size = 256
      for (const arg of args) size += String(arg).length
      const reply = await add([key], ['EVAL', '', 1, key, ...args], operation.effect, size, call, operation)
      return reply as R
    },
    async ready(call) {
      const deadline = call?.deadline ?? now() + (options.timeoutMs ?? 5000)
      if (!preludeProved) await probe(deadline)
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
      if (reply === null) return undefined
      if (reply instanceof Uint8Array) return reply
      throw badReply('GET')
    },
    async setBytes(key, value, ttlMs, call) {
      checkKey(key, traits)
      if (value.byteLength > traits.maxValueBytes) {
        throw new HitherError('VALUE_TOO_LARGE', `a value may have ${traits.maxValueBytes} bytes`)
      }
      await write(key, value, ttlMs, { ...call, bytes: true })
    },
    async publish(channel, message, call) {
      checkArgs([channel, message], traits)
      return Number(await add([], ['PUBLISH', channel, message], 'once', message.length + 64, call))
    },
  }
  const write = async (key: string, value: string | Uint8Array, ttlMs?: number, call?: Call): Promise<void> => {
    checkTtl(ttlMs)
    const args = ttlMs === undefined ? ['SET', key, value] : ['SET', key, value, 'PX', ttlMs]
    await add([key], args, 'once', key.length + value.length + 32, call)
  }
  if (!slotOf) {
    store.scan = async function* (pattern, call) {
      let cursor = '0'
      do {
        const reply = await add([], ['SCAN', cursor, 'MATCH', pattern, 'COUNT', 1000], 'read', 64, call)
        const [next, keys] = reply as readonly [Wire, readonly Wire[]]
        cursor = String(next)
        for (const key of keys) yield String(key)
      } while (cursor !== '0')
    }
  }
  if (transport.subscribe) store.subscribe = transport.subscribe
  return store
}

interface Group {
  readonly units: Unit[]
  readonly after: Promise<unknown>
  readonly done: () => void
}

/**
 * Splits a tick where an item should not share a request: it asks for bytes, is large, or has far less time than the
 * rest. A later group waits for an earlier one that touches one of its keys, unless the transport keeps order itself.
 */
function groups(units: readonly Unit[], ordered: boolean): Group[] {
  const at = now()
  let longest = 0
  for (const unit of units) longest = Math.max(longest, unit.deadline)
  const out: { units: Unit[]; keys: Set<string>; kind: string; promise: Promise<void>; done: () => void; after: Promise<unknown> }[] = []
  units.forEach((unit, i) => {
    const alone = !ordered && (unit.size > ALONE_BYTES || (unit.deadline - at) * 2 < longest - at)
    const kind = alone ? `alone${i}` : unit.bytes ? 'bytes' : 'text'
    let group = out.at(-1)
    if (group?.kind !== kind) {
      let resolve = (): void => {}
      const promise = new Promise<void>((done) => {
        resolve = done
      })
      group = { units: [], keys: new Set(), kind, promise, done: resolve, after: Promise.resolve() }
      out.push(group)
    }
    group.units.push(unit)
    for (const key of unit.keys) group.keys.add(key)
  })
  if (!ordered && out.length > 1) {
    out.forEach((group, i) => {
      const earlier = out.slice(0, i).filter((other) => [...group.keys].some((key) => other.keys.has(key)))
      if (earlier.length > 0) group.after = Promise.all(earlier.map((other) => other.promise))
    })
  }
  return out
}

async function sha1(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-1', new TextEncoder().encode(text)))
  let hex = ''
  for (const byte of digest) hex += byte.toString(16).padStart(2, '0')
  return hex
}

function asText(reply: Wire): string | undefined {
  return reply === null ? undefined : typeof reply === 'string' ? reply : String(reply)
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

/** A read whose reply was lost changed nothing. */
function unread(error: HitherError): HitherError {
  return new HitherError(error.code, error.message, { cause: error, retryable: true })
}
