// What all kinds of structures share. `placeOf` makes a `Place`, one key of a space. Each kind (`hash.ts`, `list.ts`, …) builds
// its methods on the place's `read`, `write` and `wait`, which check the arguments, send `<verb> <key> <rest>` and decode the
// reply. `batch.ts` passes a `Send` that collects the commands. The functions at the end give replies one shape.
import { HitherError, StoreRejectedError } from '../errors.ts'
import { checkCodec, checkNames, checkSignal, invalid } from '../protocol/arguments.ts'
import type { Codec } from '../protocol/codec.ts'
import { type Duration, toMs } from '../protocol/duration.ts'
import { checkNamespace, storedKey } from '../protocol/keys.ts'
import { decodeMember, encodeMember } from '../protocol/member.ts'
import type { Arg, Effect } from '../protocol/operation.ts'
import { NEVER, now } from '../runtime/clock.ts'
import { checkArgs, checkKey } from '../store/checks.ts'
import type { Call, CommandStore } from '../store/store.ts'
import { type Command, ReplyError, type Wire } from '../store/transport.ts'
import { waitOn } from '../store/wait-on.ts'

/** Where structures live: a store, a namespace and a codec, as a cache takes them. The store must have Redis commands. */
export interface StructureSpace {
  readonly store: CommandStore
  /** Keys are `<namespace>:<key>`. @default 'hither' */
  readonly namespace?: string
  /**
   * Turns values into text and back. @default JSON with sorted properties: equal values become equal bytes, safe integers
   * become bare digits, and Date, BigInt, Map, Set and bytes are kept
   */
  readonly codec?: Codec
}

/** A key's lifetime, the same for every kind of structure. */
export interface Lifetime {
  /** Deletes the whole structure. Resolves to whether it existed. */
  clear(call?: Call): Promise<boolean>
  /** Lets the whole structure expire `ttl` from now. Resolves to false if it does not exist. */
  expireIn(ttl: Duration, call?: Call): Promise<boolean>
  /** Removes the lifetime, so that the structure does not expire. Resolves to whether there was one. */
  persist(call?: Call): Promise<boolean>
  /** Milliseconds left; `Infinity` if it does not expire, `undefined` when the key is absent. */
  expiresIn(call?: Call): Promise<number | undefined>
}

export type Args = Command['args']
/** Sends one command on these stored keys; in a batch or a transaction, collects the command instead. */
export type Send = (keys: readonly string[], args: Args | Promise<Args>, effect: Effect, call?: Call) => Promise<Wire>

/** An argument after the key. The text of a value may be a promise, if the codec is asynchronous. */
export type Part = string | number | Promise<string>
/** The arguments after the key, a function that makes them, or further keys of the space. */
type Rest = readonly Part[] | (() => readonly Part[]) | { readonly others: readonly string[] }
/** Sends `<verb> <key> <rest>`. If the function that makes the rest throws, the call rejects. A verb may be several words. */
type Ask = <R>(verb: string | Args, rest: Rest, open: (reply: Wire) => R | Promise<R>, call?: Call) => Promise<R>

/** A command that waits on the server: `<verb> <key> <parts>`. */
interface WaitingCommand {
  /** How long the server waits at most. */
  readonly waitMs: number
  readonly verb: Args
  readonly parts: readonly (string | number)[]
}

/** One key of a space: sends commands on the key and decodes their replies. */
export interface Place<T> {
  readonly space: StructureSpace
  /** Sends a command that changes nothing. */
  readonly read: Ask
  /** Sends a command that must not be sent twice: when the reply is lost, rejects with `maybeExecuted`. */
  readonly write: Ask
  /** Whether the store can wait on the server. */
  readonly waits: boolean
  /** Sends a command that waits on the server, on its own connection. Rejects with `UNSUPPORTED` without one, and in a batch. */
  wait<R>(command: WaitingCommand, open: (reply: Wire) => R | Promise<R>, call?: Call): Promise<R>
  /** The stored text of a value. Throws, or rejects with, `INVALID_VALUE` or `UNENCODABLE`. Its size is checked on sending. */
  text(value: T): string | Promise<string>
  /** The text of each value. Throws `INVALID_ARGUMENT` unless `values` is an array. */
  texts(values: readonly T[]): (string | Promise<string>)[]
  /** The value of a text. Throws, or rejects with, `WRONG_TYPE`. */
  value(text: Wire): T | Promise<T>
  /** As `value`; undefined for null, the reply for an absent value. */
  valueOrAbsent(text: Wire): T | undefined | Promise<T>
  values(texts: Wire): T[] | Promise<T[]>
  /** Throws `WRONG_TYPE` if the space has a codec: the server cannot add to numbers that a codec has encoded. */
  checkNumeric(): void
  /** The key as it is stored: with the namespace. */
  readonly stored: string
  /** The stored key of another structure of the space. */
  keyOf(key: string): string
  readonly lifetime: Lifetime
}

/** How long after its wait the server's reply may take to arrive. */
const WAIT_MARGIN_MS = 1000

/**
 * The place of one key. For a batch or a transaction, `collect` receives the commands in place of the store. Throws
 * `UNSUPPORTED` for a store without Redis commands, `INVALID_KEY` for a key that cannot be stored.
 */
export function placeOf<T>(space: StructureSpace, key: string, collect?: Send): Place<T> {
  const { store, codec } = checkSpace(space)
  const namespace = checkNamespace(space.namespace ?? 'hither')
  const keyOf = (key: string): string => storedKey(namespace, key)
  const stored = keyOf(key)
  const send = collect ?? sendTo(store)
  const { exclusive, wait = exclusive && waitOn(exclusive, stored) } = store.transport
  const askAs =
    (effect: Effect): Ask =>
    async (verb, rest, open, call) => {
      const parts = typeof rest === 'function' ? rest() : 'others' in rest ? [] : rest
      const keys = 'others' in rest ? [stored, ...checkList(rest.others).map(keyOf)] : [stored]
      /** The check refuses half a surrogate pair: UTF-8 turns it into another character, so a field would get another name. */
      const withKeys = (checked: readonly Arg[]): Args => {
        checkArgs(checked, store.traits)
        return typeof verb === 'string' ? [verb, ...keys, ...checked] : [...verb, ...keys, ...checked]
      }
      const args = parts.some(isPromise) ? Promise.all(parts).then(withKeys) : withKeys(parts as readonly Arg[])
      try {
        return open(await send(keys, args, effect, call))
      } catch (error) {
        throw ownErrorOf(error)
      }
    }
  const read = askAs('read')
  const write = askAs('once')
  const value: Place<T>['value'] = (text) => decodeMember(String(text), stored, codec) as T | Promise<T>
  const text: Place<T>['text'] = (value) => encodeMember(value, stored, codec)
  return {
    space,
    read,
    write,
    stored,
    keyOf,
    text,
    value,
    texts: (values) => checkList(values).map(text),
    valueOrAbsent: (text) => (text === null ? undefined : value(text)),
    values(texts) {
      const all = toList(texts).map(value)
      return all.some(isPromise) ? Promise.all(all) : (all as T[])
    },
    waits: wait !== undefined,
    async wait({ waitMs, verb, parts }, open, call) {
      if (!wait || collect) {
        throw new HitherError(
          'UNSUPPORTED',
          'waiting needs a connection of its own, over TCP: read without `wait`, again',
        )
      }
      checkKey(stored, store.traits)
      checkSignal(call?.signal)
      const limits = { ...call, deadline: Math.min(call?.deadline ?? NEVER, now() + waitMs + WAIT_MARGIN_MS) }
      const reply = await wait({ args: [...verb, stored, ...parts], effect: 'once' }, limits)
      return open(checkReply(String(verb[0]), reply))
    },
    checkNumeric() {
      if (codec) throw new HitherError('WRONG_TYPE', 'the server cannot add to what a codec has encoded')
    },
    lifetime: {
      clear: async (call) => isOne(await send([stored], ['UNLINK', stored], 'repeat', call)),
      expireIn: (ttl, call) => write('PEXPIRE', () => [toMs(ttl, 'ttl')], isOne, call),
      persist: (call) => write('PERSIST', [], isOne, call),
      expiresIn: (call) => read('PTTL', [], millisecondsLeft, call),
    },
  }
}

export const isObject = (given: unknown): given is object => typeof given === 'object' && given !== null
const isPromise = (part: unknown): boolean => part instanceof Promise

/** Throws `UNSUPPORTED` unless the store has Redis commands, `INVALID_ARGUMENT` for an option that does not exist. */
export function checkSpace(space: StructureSpace): StructureSpace {
  if (typeof space?.store?.command !== 'function') {
    throw new HitherError('UNSUPPORTED', 'structures need a store of Redis commands, such as tcpStore or upstashStore')
  }
  checkNames('a space', space, ['store', 'namespace', 'codec'])
  checkCodec(space.codec)
  return space
}

/** The limits of a call, which an options object may have beside its own options. */
const CALL = ['signal', 'deadline', 'patient', 'bytes']

/** As `checkNames`, for options that also take the limits of a call. */
export const checkOptions = (what: string, options: object | undefined, names: readonly string[]): void =>
  checkNames(what, options, [...names, ...CALL])

/** Throws `INVALID_ARGUMENT` unless `values` is an array: a string would be read as a list of its characters. */
export function checkList<V>(values: readonly V[]): readonly V[] {
  if (Array.isArray(values)) return values
  throw invalid('several of them are an array')
}

/** The pairs of an iterable. Throws `INVALID_ARGUMENT` for anything else, such as a plain object or a string. */
export function pairsOf<P extends readonly unknown[]>(entries: Iterable<P>): readonly P[] {
  const pairs = typeof entries?.[Symbol.iterator] === 'function' ? [...entries] : undefined
  if (pairs?.every((pair) => Array.isArray(pair))) return pairs
  throw invalid('several of them are pairs, in an array or a Map')
}

const sendTo =
  (store: CommandStore): Send =>
  (keys, args, effect, call) =>
    args instanceof Promise
      ? args.then((whole) => store.command(keys, whole, effect, call))
      : store.command(keys, args, effect, call)

/** Gives a refusal of the server this package's own error code, where there is one; returns any other error as it is. */
export function ownErrorOf(cause: unknown): unknown {
  if (!(cause instanceof StoreRejectedError)) return cause
  const { command, reply, message } = cause
  const isText = command === 'HINCRBY' && message.includes('not an integer')
  if (reply === 'WRONGTYPE' || isText)
    return new HitherError(
      'WRONG_TYPE',
      `the ${isText ? 'field holds no whole number' : 'key holds another kind of structure'}`,
      { cause },
    )
  if (!/ERR unknown command/i.test(message)) return cause
  return new HitherError('UNSUPPORTED', `this server has no ${command}`, { cause })
}

/** Throws the error that an error reply stands for; returns any other reply. */
export function checkReply(verb: string, reply: Wire): Wire {
  if (reply instanceof ReplyError) throw ownErrorOf(new StoreRejectedError(verb, reply))
  return reply
}

// The functions below give a reply one shape, whether it came over RESP2, RESP3 or REST.

export const isOne = (reply: Wire): boolean => Number(reply) === 1
export const toNumber = (reply: Wire): number => Number(reply)
/** A sum; throws `OVERFLOW` for a sum that a number cannot hold exactly. ioredis rounds sums just below 2^53. */
export function toSum(reply: Wire): number {
  if (Number.isSafeInteger(Number(reply))) return Number(reply)
  throw new HitherError('OVERFLOW', 'the sum is stored, and is past what a number can hold', { maybeExecuted: true })
}
/** A score; the server writes an infinite one as `inf` or `-inf`. */
export const toScore = (reply: Wire): number => (reply === 'inf' ? NEVER : reply === '-inf' ? -NEVER : Number(reply))
export const scoreOrAbsent = (reply: Wire): number | undefined => (reply === null ? undefined : toScore(reply))
export const toText = (reply: Wire): string => String(reply)
export const numberOrAbsent = (reply: Wire): number | undefined => (reply === null ? undefined : Number(reply))
export const toList = (reply: Wire): readonly Wire[] => (Array.isArray(reply) ? reply : [])

/** The pairs of a reply, which is a flat list in RESP2 and a list of pairs in RESP3. */
export function toPairs(reply: Wire): [Wire, Wire][] {
  const list = toList(reply)
  if (Array.isArray(list[0])) return list as unknown as [Wire, Wire][]
  return Array.from({ length: list.length >> 1 }, (_, i) => [list[2 * i] as Wire, list[2 * i + 1] as Wire])
}

export const millisecondsLeft = (reply: Wire): number | undefined =>
  Number(reply) === -2 ? undefined : Number(reply) === -1 ? NEVER : Number(reply)

/** The text of a score, an infinite one as the server reads it. Throws `INVALID_ARGUMENT` unless it is a number and not NaN. */
export function scoreText(score: number, name = 'a score'): string {
  if (typeof score !== 'number' || Number.isNaN(score)) throw invalid(`${name} is a number`)
  return score === NEVER ? '+inf' : score === -NEVER ? '-inf' : String(score)
}

/** The pages of a scan, until the server returns cursor 0. An element that exists during the whole scan comes at least once. */
export async function* scanPages(
  place: Pick<Place<unknown>, 'read'>,
  verb: 'HSCAN' | 'SSCAN' | 'ZSCAN',
  count: number,
  call?: Call,
): AsyncGenerator<readonly Wire[]> {
  for (let cursor = '0'; ; ) {
    const reply = await place.read(verb, [cursor, 'COUNT', count], toList, call)
    cursor = String(reply[0])
    yield toList(reply[1] ?? null)
    if (cursor === '0') return
  }
}
