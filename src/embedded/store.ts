import { entryTable } from '../cache/steps/entry.ts'
import { HitherError, StoreRejectedError } from '../errors.ts'
import { checkSignal } from '../protocol/arguments.ts'
import type { Arg, Operation, Reply as OperationReply } from '../protocol/operation.ts'
import { NEVER, now } from '../runtime/clock.ts'
import type { Call } from '../store/call.ts'
import { checkArgs, checkKey, checkKeys, checkTtl, checkValue } from '../store/checks.ts'
import type { CommandStore, StoreTraits } from '../store/store.ts'
import { ReplyError } from '../store/transport.ts'
import { fromBytes, fromText, toBytes, toText } from './bytes.ts'
import type { Engine } from './contracts.ts'
import { OOM } from './dispatch.ts'
import { matchGlob } from './glob.ts'
import { createTransport } from './transport.ts'

export interface EngineStoreOptions {
  /** Longest key, in bytes of UTF-8. @default 1024 */
  readonly maxKeyBytes?: number
  /** Largest value, in bytes of UTF-8. @default 8388608 */
  readonly maxValueBytes?: number
  /** Called once when the store is closed. @default none: the engine stays open */
  readonly onClose?: () => void
}

const TRAITS = { shared: false, ttlStepMs: 1, clock: 'server', consistency: 'strong' } as const

function ownClockOf({ clock }: Engine): Pick<StoreTraits, 'ownClock'> | undefined {
  return clock === now ? undefined : { ownClock: clock }
}

/**
 * The `Store` contract over an engine in this process. Calls act at once, in call order. Operations run by their `apply`, without
 * a script.
 */
export function storeOver(engine: Engine, options: EngineStoreOptions = {}): CommandStore {
  const { maxKeyBytes = 1024, maxValueBytes = 8_388_608 } = options
  const traits: StoreTraits = { ...TRAITS, maxKeyBytes, maxValueBytes, ...ownClockOf(engine) }
  const transport = createTransport(engine)
  const client = engine.connect({ reply() {}, push() {} })
  client.user = engine.users.get('default')
  let closed = false

  const enter = (call: Call | undefined): void => {
    checkSignal(call?.signal)
    if (closed) throw new HitherError('CLOSED', 'the store is closed')
    if (call && !((call.deadline ?? NEVER) > now())) {
      throw new HitherError('TIMEOUT', 'the deadline had passed before the call', { retryable: true })
    }
    engine.nowMs = engine.clock()
  }
  const read = (key: string): string | undefined => {
    const value = client.find(fromText(key))
    return typeof value === 'string' ? value : undefined
  }
  const readText = (key: string): string | undefined => {
    const value = read(key)
    return value === undefined ? undefined : toText(value)
  }
  const write = (name: string, value: string, endMs: number | undefined): void => {
    if (engine.meter && !engine.meter.makeRoom()) throw new StoreRejectedError('SET', new ReplyError(OOM))
    if (endMs !== undefined && endMs <= engine.nowMs) {
      if (client.remove(name)) client.changed(name, 'g', 'del')
      return
    }
    client.find(name)
    client.replace(name, value)
    if (endMs !== undefined) client.db.ends.set(name, endMs)
    client.changed(name, '$', 'set')
    engine.waiters.serve()
  }

  const run = <A extends readonly Arg[], R extends OperationReply>(
    operation: Operation<A, R>,
    key: string,
    args: A,
  ): R => {
    const name = fromText(key)
    const current = client.string(name)
    const endMs = current === undefined ? undefined : client.db.ends.get(name)
    const at = engine.nowMs
    const leftMs = endMs === undefined ? undefined : endMs - at
    const apply = (entryTable[operation.name] ?? operation.apply) as typeof operation.apply
    const { next, ttl, reply } = apply(current === undefined ? undefined : toText(current), args, {
      nowUs: Math.round(at * 1000),
      leftMs,
    })
    if (next === undefined) {
      if (current !== undefined && client.remove(name)) client.changed(name, 'g', 'del')
    } else {
      const nextEndMs = ttl === 'keep' ? endMs : ttl === 'none' ? undefined : at + ttl.ms
      const value = fromText(next)
      if (value !== current || nextEndMs !== endMs) {
        checkValue(next, traits)
        write(name, value, nextEndMs)
      }
    }
    return reply
  }

  return {
    name: 'embedded',
    traits,
    transport,
    async get(key, call) {
      checkKey(key, traits)
      enter(call)
      return readText(key)
    },
    async getMany(keys, call) {
      checkKeys(keys, traits)
      enter(call)
      return keys.map(readText)
    },
    async set(key, value, ttlMs, call) {
      checkKey(key, traits)
      checkValue(value, traits)
      checkTtl(ttlMs)
      enter(call)
      write(fromText(key), fromText(value), endOf(engine, ttlMs))
    },
    async delete(keys, call) {
      checkKeys(keys, traits)
      enter(call)
      let count = 0
      for (const key of keys) {
        const name = fromText(key)
        if (!client.remove(name)) continue
        client.changed(name, 'g', 'del')
        count++
      }
      engine.waiters.serve()
      return count
    },
    async run(operation, key, args, call) {
      checkKey(key, traits)
      checkArgs(args, traits)
      enter(call)
      try {
        return run(operation, key, args)
      } catch (error) {
        throw error instanceof ReplyError ? new StoreRejectedError(operation.name, error) : error
      }
    },
    async command(keys, args, effect, call) {
      checkKeys(keys, traits)
      const reply = await transport.send({ args, effect }, call)
      if (reply instanceof ReplyError) throw new StoreRejectedError(String(args[0]), reply)
      return reply
    },
    ready: async (call) => enter(call),
    async close() {
      if (closed) return
      closed = true
      await transport.close()
      engine.disconnect(client)
      options.onClose?.()
    },
    async getBytes(key, call) {
      checkKey(key, traits)
      enter(call)
      const value = read(key)
      return value === undefined ? undefined : toBytes(value)
    },
    async setBytes(key, value, ttlMs, call) {
      checkKey(key, traits)
      checkTtl(ttlMs)
      checkValue(value, traits, true)
      enter(call)
      write(fromText(key), fromBytes(value), endOf(engine, ttlMs))
    },
    async *scan(pattern, call) {
      enter(call)
      const wanted = fromText(pattern)
      for (const name of [...client.db.entries.names]) {
        if (matchGlob(wanted, name) && client.find(name) !== undefined) yield toText(name)
      }
    },
    async publish(channel, message, call) {
      enter(call)
      return engine.channels.publish(fromText(channel), fromText(message))
    },
    subscribe: transport.subscribe as NonNullable<CommandStore['subscribe']>,
  }
}

function endOf({ nowMs }: Engine, ttlMs: number | undefined): number | undefined {
  return ttlMs === undefined ? undefined : nowMs + ttlMs
}
