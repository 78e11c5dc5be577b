import { HitherError, StoreRejectedError } from '../errors.ts'
import { type Effect, scriptOf } from '../protocol/operation.ts'
import { now, setTimer } from '../runtime/clock.ts'
import { tell } from '../runtime/listener.ts'
import { random } from '../runtime/random.ts'
import { checkArgs, checkKeys, checkTtl, checkValue } from './checks.ts'
import { isUnexpectedFlag } from './script-flags.ts'
import type { Call, CommandStore, StoreEvent, StoreTraits } from './store.ts'
import { createTick, settle, type Unit, type Watch } from './tick.ts'
import { type Command, ReplyError, type SendEach, type Transport, type Wire } from './transport.ts'

export interface CommandStoreOptions {
  readonly name: string
  readonly traits: StoreTraits
  readonly transport: Transport
  /** Deadline of a call that names none, in milliseconds. @default 5000 */
  readonly timeoutMs?: number
  /** The transport keeps the order of requests made one after another (one connection). @default false */
  readonly ordered?: boolean
  /** What ends calls at their deadlines. @default a timer a tick */
  readonly watch?: Watch
  /** A key's hash slot, on a cluster: keys of different slots never share a command. @default one slot */
  readonly slotOf?: (key: string) => number
  readonly sendEach?: SendEach
  /** First line, newline included, put before every script for as long as the endpoint knows it. @default none */
  readonly prelude?: string
  readonly onEvent?: ((event: StoreEvent) => void) | undefined
}

/** One command, and whose calls it answers: several where reads were joined. */
interface Request {
  readonly units: Unit[]
  args: (string | number | Uint8Array)[]
  readonly effect: Effect
}

/** How many calls of a tick are still to come on each key. */
type Uses = Map<string, number> | undefined

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
export function createCommandStore(options: CommandStoreOptions): CommandStore {
  const { name, traits, transport, slotOf, sendEach, ordered, onEvent, timeoutMs = 5000 } = options
  let { prelude = '' } = options
  /** Whether the endpoint is known to take the prelude. */
  let proved = !prelude
  /** The server turned out to be a Cluster: each key then has a command to itself. */
  let apart = false
  const isApart = (): boolean => {
    apart ||= !slotOf && transport.cluster === true
    return apart
  }
  const scripts = new Map<object, { readonly text: string; sha: string }>()
  const emit = (type: StoreEvent['type'], command: string): void => tell(onEvent, { type, command })

  /** Takes from the head of `queue` what fits one request. `uses` counts the calls still to come on each key. */
  const take = (queue: Unit[], uses: Uses): Request[] => {
    const requests: Request[] = []
    let reads: Request[] = []
    let bytes = 0
    let taken = 0
    let asking = false
    /** Scripts that an EVAL of this batch has loaded, by slot: what follows it on its connection finds them. */
    const loaded: Set<object>[] = []
    for (const unit of queue) {
      const { keys, script, effect } = unit
      const key = keys[0] as string
      bytes += unit.size
      const full = bytes > MAX_BYTES || requests.length === MAX_COMMANDS || unit.bytes !== queue[0]?.bytes
      if (asking || (full && requests[0])) break
      taken++
      if (uses) for (const each of keys) uses.set(each, (uses.get(each) ?? 0) - 1)
      if (unit.settled) continue
      const slot = unit.args[0] !== 'GET' || isApart() ? -1 : slotOf ? slotOf(key) : 0
      const run = reads[slot]
      if (run && run.units.length < MAX_COMMANDS) {
        if (run.units.length === 1) run.args = ['MGET', run.args[1] as string]
        run.args.push(key)
        run.units.push(unit)
        unit.sent = true
        continue
      }
      const request: Request = { units: [unit], args: unit.args as Request['args'], effect }
      requests.push(request)
      if (slot < 0) reads = []
      else reads[slot] = request
      if (script) {
        let known = scripts.get(script)
        if (!known) {
          known = { text: prelude + scriptOf(script), sha: '' }
          scripts.set(script, known)
        }
        const at = slotOf && keys[0] !== undefined ? slotOf(key) : 0
        const there = !isApart() && loaded[at]?.has(script)
        // NOSCRIPT would come too late to keep order with a later call on the key, a refused prelude with any.
        if (known.sha && (there || (!unit.sent && !uses?.get(key)))) request.args = ['EVALSHA', known.sha, ...unit.args]
        else {
          request.args = ['EVAL', known.text, ...unit.args]
          loaded[at] ??= new Set()
          loaded[at].add(script)
        }
        asking = !proved
      }
      unit.sent = true
    }
    queue.splice(0, taken)
    return requests
  }

  /** Settles the callers of one request; returns those whose script has to go once more. */
  const answer = ({ units, args }: Request, reply: Wire): Unit[] => {
    const verb = args[0] as string
    const script = units[0]?.script
    const word = reply instanceof ReplyError ? reply.word : ''
    const foreign = verb === 'GET' && word === 'WRONGTYPE'
    if (script) {
      const flag = reply instanceof ReplyError && isUnexpectedFlag(reply)
      if (flag) prelude = ''
      proved = true
      if (flag || word === 'NOSCRIPT') {
        scripts.clear()
        return units
      }
      const known = scripts.get(script)
      if (known && !known.sha) {
        void sha1(known.text).then((sha) => {
          known.sha = sha
        })
      }
    }
    if (word === 'CROSSSLOT' && units[1]) {
      // Nothing ran.
      apart = true
      return units
    }
    if (foreign) emit('foreign-type', verb)
    const replies = units[1] ? reply : [foreign ? null : reply]
    const whole = Array.isArray(replies) && replies.length === units.length
    for (let i = 0; i < units.length; i++) {
      const unit = units[i] as Unit
      if (whole && typeof replies[i] === 'string' && unit.effect === 'read') {
        settle(unit, 'resolve', replies[i])
        continue
      }
      const refused = word && !foreign ? reply : whole ? replies[i] : undefined
      if (refused instanceof ReplyError) settle(unit, 'reject', rejected(verb, refused))
      else if (!whole) settle(unit, 'reject', badReply(verb))
      else settle(unit, 'resolve', unit.args[0] === 'GET' ? present(replies[i]) : replies[i])
    }
    return []
  }

  /** Ends the pauses before a resend, which nobody waits for once the store is closed. */
  const pauses = new Set<() => void>()
  const pause = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      const end = (): void => {
        cancel()
        pauses.delete(end)
        resolve()
      }
      const cancel = setTimer(end, ms)
      pauses.add(end)
    })

  /** Settles the callers without an answer, but for those it returns: their turn comes again. */
  const failed = async (requests: readonly Request[], error: unknown): Promise<Unit[]> => {
    const known = error instanceof HitherError ? error : undefined
    const units = requests.flatMap((request) => request.units)
    // Nothing ran, and those who would have waited were not asked: another call of their request would not.
    const hurried = known?.code === 'OVERLOADED' && !isPatient(units)
    const again = units.filter((unit) => {
      if (hurried && unit.patient) return true
      const lost = known?.maybeExecuted || unit.attempts > 0
      const may = lost && unit.effect !== 'once' && known?.code === 'STORE_UNAVAILABLE'
      if (may && ++unit.attempts < MAX_ATTEMPTS) return true
      // A read changed nothing, whatever was lost; anything else may have run at an earlier attempt.
      const maybeExecuted = lost && unit.effect !== 'read'
      const same = !known || known.maybeExecuted === maybeExecuted
      const options = { cause: error, retryable: true, maybeExecuted }
      settle(unit, 'reject', same ? error : new HitherError(known.code, known.message, options))
      return false
    })
    if (again[0]) {
      emit('resend', 'batch')
      await pause(20 * 2 ** again[0].attempts * (0.5 + random()))
    }
    return again
  }

  /** Settles the callers of `requests`, but for those it returns: their turn comes again. */
  const outcome = (requests: readonly Request[], reply: Promise<Wire>): Promise<Unit[]> =>
    reply.then(
      (replies) => {
        const [first, second] = requests as [Request, Request?]
        if (!second) return answer(first, replies)
        return requests.flatMap((request, i) => answer(request, (replies as Wire[])[i] as Wire))
      },
      (error: unknown) => failed(requests, error),
    )

  const exchange = (requests: readonly Request[]): Promise<Unit[]> => {
    const [first, second] = requests as [Request, Request?]
    const deadline = Math.max(...requests.map(({ units }) => latest(units)))
    const patient = requests.every(({ units }) => isPatient(units))
    const call = { deadline, bytes: (first.units[0] as Unit).bytes, patient }
    if (!second) return outcome(requests, transport.send(first, call))
    if (!sendEach) return outcome(requests, transport.sendMany(requests, call))
    return new Promise((resolve) => {
      const again: Unit[][] = []
      let left = requests.length
      const end = (at: number, units: Unit[]): void => {
        if (units[0]) again[at] = units
        if (--left === 0) resolve(again.flat())
      }
      sendEach(
        requests,
        call,
        (at, reply) => end(at, answer(requests[at] as Request, reply)),
        (at, error) => void failed([requests[at] as Request], error).then((units) => end(at, units)),
      )
    })
  }

  /** Sends all of `units`, one request after another unless the transport keeps their order itself. */
  const send = async (units: readonly Unit[], uses?: Uses): Promise<void> => {
    let queue = [...units]
    const sent: Promise<void>[] = []
    while (queue[0]) {
      const requests = take(queue, uses)
      if (!requests[0]) continue
      const again = exchange(requests)
      if (ordered && queue[0]) sent.push(again.then((rest) => send(rest, uses)))
      else queue = [...(await again), ...queue]
    }
    if (sent[0]) await Promise.all(sent)
  }

  /** The common cases without the machinery of a batch: a call alone in its tick, or nothing but reads. Undefined: neither. */
  const simple = (units: readonly Unit[]): Request | undefined => {
    const [first, second] = units as [Unit, Unit?]
    const args: Request['args'] = second ? ['MGET'] : (first.args as Request['args'])
    if (second) {
      if (!ordered || slotOf || isApart() || units.length > MAX_COMMANDS) return undefined
      let bytes = 0
      for (const unit of units) {
        bytes += unit.size
        if (unit.args[0] !== 'GET' || unit.bytes || unit.settled || bytes > MAX_BYTES) return undefined
        args.push(unit.args[1] as string)
      }
    } else if (first.script || first.settled) return undefined
    for (const unit of units) unit.sent = true
    return { units: units as Unit[], args, effect: first.effect }
  }

  const tick = createTick(
    traits,
    timeoutMs,
    (units, done) => {
      const request = simple(units)
      if (!request) return void sendAll(units).then(done)
      const [first, second] = units as [Unit, Unit?]
      transport.send(request, second ? { deadline: latest(units) } : first).then(
        (reply) => {
          if (!second && typeof reply === 'string' && first.effect === 'read') settle(first, 'resolve', reply)
          else {
            const again = answer(request, reply)
            if (again[0]) return void send(again).then(done)
          }
          done()
        },
        (error: unknown) => {
          void failed([request], error).then(send).then(done)
        },
      )
    },
    options.watch,
  )
  const { add } = tick

  const sendAll = (units: readonly Unit[]): Promise<unknown> => {
    const at = now()
    const soon = at + (latest(units) - at) / 2
    const unlike = (unit: Unit): boolean => !ordered && (unit.bytes || unit.size > ALONE_BYTES || unit.deadline < soon)
    if (!units[1] || !units.some((unit) => unit.script || unlike(unit))) return send(units)
    const uses = new Map<string, number>()
    for (const { keys } of units) for (const key of keys) uses.set(key, (uses.get(key) ?? 0) + 1)
    const apart: Unit[] = []
    const rest: Unit[] = []
    for (const unit of units) {
      const alone = unlike(unit) && unit.keys.every((key) => uses.get(key) === 1)
      ;(alone ? apart : rest).push(unit)
    }
    return Promise.all([...apart.map((unit) => send([unit], uses)), send(rest, uses)])
  }

  const read = <T>(key: string, call?: Call): Promise<T> => add([key], ['GET', key], 'read', key?.length + 16, call)

  const write = async (
    key: string,
    value: string | Uint8Array,
    ttlMs: number | undefined,
    call: Call | undefined,
    bytes: boolean,
  ): Promise<void> => {
    checkValue(value, traits, bytes)
    checkTtl(ttlMs)
    const args = ttlMs === undefined ? ['SET', key, value] : ['SET', key, value, 'PX', ttlMs]
    await add([key], args, 'once', key?.length + value.length + 32, bytes ? { ...call, bytes } : call)
  }

  /** Resolves to how many of the keys there were. */
  const remove = async (keys: readonly string[], call?: Call): Promise<number> => {
    const groups: Record<string, string[]> = {}
    keys.forEach((key, i) => {
      const group = isApart() ? i : `${slotOf?.(key)} ${Math.floor(i / MAX_COMMANDS)}`
      groups[group] ??= []
      groups[group].push(key)
    })
    const counts = Object.values(groups).map((part) =>
      add<number>(part, ['UNLINK', ...part], 'repeat', part.length * 64, call).catch((error) => {
        if (error.reply !== 'CROSSSLOT' || !part[1]) throw error
        apart = true
        return remove(part, call)
      }),
    )
    return (await Promise.all(counts)).reduce((sum, count) => sum + Number(count), 0)
  }

  return {
    name,
    traits,
    transport,
    get: read,
    async getMany(keys, call) {
      checkKeys(keys, traits)
      return Promise.all(keys.map((key) => read<string | undefined>(key, call)))
    },
    set: (key, value, ttlMs, call) => write(key, value, ttlMs, call, false),
    async delete(keys, call) {
      checkKeys(keys, traits)
      return remove(keys, call)
    },
    async run(operation, key, args, call) {
      checkArgs(args, traits)
      return add([key], [1, key, ...args], operation.effect, args.join().length + 256, call, operation)
    },
    async command(keys, args, effect, call) {
      return add(keys, args, effect, sizeOf(args), call)
    },
    async ready(call) {
      if ((await add([], [0], 'read', 64, call, PING)) !== 1) throw badReply('EVAL')
    },
    close() {
      tick.close()
      for (const end of pauses) end()
      return transport.close()
    },
    async getBytes(key, call) {
      const reply = await read(key, { ...call, bytes: true })
      if (reply === undefined || reply instanceof Uint8Array) return reply
      throw badReply('GET')
    },
    setBytes: (key, value, ttlMs, call) => write(key, value, ttlMs, call, true),
  }
}

const PING = { lua: 'return 1' }

function latest(units: readonly Unit[]): number {
  return units.reduce((max, { deadline }) => Math.max(max, deadline), 0)
}

function isPatient(units: readonly Unit[]): boolean {
  return units.every(({ patient }) => patient)
}

/** Bytes on the wire, roughly. */
function sizeOf(args: Command['args']): number {
  return args.reduce<number>((sum, arg) => sum + (typeof arg === 'number' ? 16 : arg.length + 16), 0)
}

async function sha1(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-1', new TextEncoder().encode(text)))
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** What a read answers. */
function present(reply: Wire): string | Uint8Array | undefined {
  return reply === null ? undefined : reply instanceof Uint8Array ? reply : String(reply)
}

function rejected(verb: string, reply: ReplyError): HitherError {
  // Of a key that is refused, or of what a script calls, other keys and scripts know nothing.
  return verb.startsWith('EVAL') &&
    /^(ERR unknown command|ERR .*scripting support disabled|NOPERM (?!ACL).*\beval(sha)?\b)/i.test(reply.message)
    ? new HitherError('UNSUPPORTED', 'this server runs no scripts: operations need EVAL and EVALSHA')
    : new StoreRejectedError(verb, reply)
}

function badReply(verb: string): HitherError {
  return new HitherError('BAD_REPLY', `${verb} was answered in a form that is not Redis`)
}
