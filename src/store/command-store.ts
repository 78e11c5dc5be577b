import { tell } from '../runtime/listener.ts'
import { badReply, createAnswer } from './answer.ts'
import { checkArgs, checkKeys, checkTtl, checkValue } from './checks.ts'
import type { Permits } from './permits.ts'
import { createPlacement, createPlanner, MAX_COMMANDS } from './plan-batch.ts'
import type { JoinScripts } from './request.ts'
import { createResend } from './resend.ts'
import type { ScriptGuard } from './script-guard.ts'
import { createScripts } from './scripts.ts'
import { createSender } from './send-calls.ts'
import type { Call, CommandStore, StoreEvent, StoreTraits } from './store.ts'
import { sumOf } from './sum-of.ts'
import { createTick, type Watch } from './tick.ts'
import type { Command, SendEach, Transport } from './transport.ts'

export interface CommandStoreOptions {
  readonly name: string
  readonly traits: StoreTraits
  readonly transport: Transport
  /** Deadline of a call that names none, in milliseconds. @default 5000 */
  readonly timeoutMs?: number
  /** The transport keeps the order of requests made one after another (one connection). @default false */
  readonly ordered?: boolean
  /** Ends calls at their deadlines. @default one timer per tick */
  readonly watch?: Watch
  /** A key's hash slot, on a cluster: keys of different slots never share a command. @default one slot */
  readonly slotOf?: (key: string) => number
  readonly sendEach?: SendEach
  /** Bounds the requests under way. Calls that find no free permit wait, and are then sent together. @default no bound */
  readonly permits?: Permits | undefined
  /** Joins operations that differ only in their keys. Pass `joinScripts` where one server has all keys. @default no joins */
  readonly joinScripts?: JoinScripts
  /** First line of every script, newline included, until the endpoint refuses it. @default none */
  readonly prelude?: string
  /** Keeps scripts from a server that may run several of them on one key at once. @default no guard */
  readonly guard?: ScriptGuard
  /**
   * Maps an error of the transport that is not a `HitherError` to the error that the call rejects with. @default the same error,
   * which may be the reason of a signal that the transport got from elsewhere
   */
  readonly toOutage?: (error: unknown) => unknown
  readonly onEvent?: ((event: StoreEvent) => void) | undefined
}

/**
 * The `Store` contract over any `Transport`. The calls of one tick are sent as one batch, in call order (`send-calls.ts`),
 * with neighbouring reads as one MGET and scripts by digest (`plan-batch.ts`). Only the effect of a call decides whether it
 * is sent again (`resend.ts`).
 */
export function createCommandStore(options: CommandStoreOptions): CommandStore {
  const {
    name,
    traits,
    transport,
    slotOf,
    sendEach,
    ordered = false,
    onEvent,
    timeoutMs = 5000,
    prelude = '',
  } = options
  const emit = (type: StoreEvent['type'], command: string): void => tell(onEvent, { type, command })
  const placement = createPlacement(transport, slotOf)
  const scripts = createScripts(prelude, options.guard)
  const planner = createPlanner(placement, scripts, ordered, slotOf ? undefined : options.joinScripts)
  const answer = createAnswer(placement, scripts, (verb) => emit('foreign-type', verb))
  const resend = createResend(() => emit('resend', 'batch'), options.toOutage)
  const sendCalls = createSender({ transport, sendEach, ordered, planner, answer, resend, permits: options.permits })
  const { add, close } = createTick(traits, timeoutMs, sendCalls, options.watch)

  const read = <T>(key: string, call?: Call): Promise<T> =>
    add({ keys: [key], args: ['GET', key], effect: 'read', size: key?.length + 16 }, call)

  const write = async (
    key: string,
    value: string | Uint8Array,
    ttlMs: number | undefined,
    call?: Call,
  ): Promise<void> => {
    checkValue(value, traits, call?.bytes)
    checkTtl(ttlMs)
    const args = ttlMs === undefined ? ['SET', key, value] : ['SET', key, value, 'PX', ttlMs]
    await add({ keys: [key], args, effect: 'once', size: key?.length + value.length + 32 }, call)
  }

  /** Resolves to how many of the keys existed. */
  const remove = async (keys: readonly string[], call?: Call): Promise<number> => {
    const groups: Record<string, string[]> = {}
    keys.forEach((key, i) => {
      const group = placement.isApart() ? i : `${placement.slotOf(key)} ${Math.floor(i / MAX_COMMANDS)}`
      groups[group] ??= []
      groups[group].push(key)
    })
    const counts = Object.values(groups).map((part) =>
      add<number>({ keys: part, args: ['UNLINK', ...part], effect: 'repeat', size: part.length * 64 }, call).catch(
        (error) => {
          if (error.reply !== 'CROSSSLOT' || !part[1]) throw error
          placement.separate()
          return remove(part, call)
        },
      ),
    )
    return sumOf(counts)
  }

  return {
    name,
    // A copy, so that the `traits` that each call reads have no getter: V8 looks up properties beside a getter in a table.
    traits: {
      ...traits,
      get readsApart() {
        return traits.readsApart === true || placement.hasSlots || placement.isApart()
      },
    },
    transport,
    timeoutMs,
    get: read,
    async getMany(keys, call) {
      checkKeys(keys, traits)
      return Promise.all(keys.map((key) => read<string | undefined>(key, call)))
    },
    set: (key, value, ttlMs, call) => write(key, value, ttlMs, call?.bytes ? { ...call, bytes: false } : call),
    async delete(keys, call) {
      checkKeys(keys, traits)
      return remove(keys, call)
    },
    run(operation, key, args, call) {
      try {
        checkArgs(args, traits)
        const { effect } = operation
        return add({ keys: [key], args: [1, key, ...args], effect, size: sizeOf(args) + 256, script: operation }, call)
      } catch (error) {
        return Promise.reject(error)
      }
    },
    command(keys, args, effect, call) {
      try {
        return add({ keys, args, effect, size: sizeOf(args) }, call)
      } catch (error) {
        return Promise.reject(error)
      }
    },
    async ready(call) {
      if ((await add({ keys: [], args: [0], effect: 'read', size: 64, script: PING }, call)) !== 1)
        throw badReply('EVAL')
    },
    close() {
      close()
      resend.close()
      return transport.close()
    },
    async getBytes(key, call) {
      const reply = await read(key, { ...call, bytes: true })
      if (reply === undefined || reply instanceof Uint8Array) return reply
      throw badReply('GET')
    },
    setBytes: (key, value, ttlMs, call) => write(key, value, ttlMs, { ...call, bytes: true }),
  }
}

const PING = { lua: 'return 1' }

/** Bytes on the wire, roughly. */
function sizeOf(args: Command['args']): number {
  let size = 16 * args.length
  for (const arg of args) if (typeof arg !== 'number') size += arg.length
  return size
}
