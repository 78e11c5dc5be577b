import { HitherError, StoreRejectedError } from '../errors.ts'
import { checkCodec, checkNames, invalid } from '../protocol/arguments.ts'
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

/** Where structures live: what a cache takes, over a store that speaks Redis commands. */
export interface StructureSpace {
  readonly store: CommandStore
  /** Keys are `<namespace>:<key>`. @default 'hither' */
  readonly namespace?: string
  /**
   * Turns values into text and back. @default JSON with sorted properties, in which equal values are equal bytes, safe
   * integers are bare digits, and Date, BigInt, Map, Set and bytes are kept
   */
  readonly codec?: Codec
}

/** A key's lifetime, the same for every kind of structure. */
export interface Lifetime {
  /** Deletes all of it. Resolves to whether there was one. */
  clear(call?: Call): Promise<boolean>
  /** Ends all of it after `ttl`, from now. Resolves to false where there is none. */
  expireIn(ttl: Duration, call?: Call): Promise<boolean>
  /** Takes the lifetime away. Resolves to whether there was one. */
  persist(call?: Call): Promise<boolean>
  /** Milliseconds left; `Infinity` without an end, `undefined` when the key is absent. */
  expiresIn(call?: Call): Promise<number | undefined>
}

export type Args = Command['args']
/** Sends one command of these stored keys; a transaction or a batch collects it instead. */
export type Send = (keys: readonly string[], args: Args | Promise<Args>, effect: Effect, call?: Call) => Promise<Wire>

/** What follows the key. The text of a value may be a promise, by an asynchronous codec. */
export type Part = string | number | Promise<string>
/** What follows the key, what makes it, or further keys of the space. */
type Rest = readonly Part[] | (() => readonly Part[]) | { readonly others: readonly string[] }
/** Sends `<verb> <key> <rest>`. What makes the rest may throw: the call then rejects. A verb of several words ends before the key. */
type Ask = <R>(verb: string | Args, rest: Rest, open: (reply: Wire) => R | Promise<R>, call?: Call) => Promise<R>

/** A command that waits on the server: `<verb> <key> <parts>`. */
interface WaitingCommand {
  /** How long the server waits at most. */
  readonly waitMs: number
  readonly verb: Args
  readonly parts: readonly (string | number)[]
}

/** One key of a space, and how commands on it are sent and answered. */
export interface Place<T> {
  readonly space: StructureSpace
  /** Sends a command that changes nothing. */
  readonly read: Ask
  /** Sends a command that is never sent again: a lost reply rejects with `maybeExecuted`. */
  readonly write: Ask
  /** Whether `wait` can. */
  readonly waits: boolean
  /** Sends a command that waits on the server, on a connection of its own; rejects `UNSUPPORTED` where there is none. */
  wait<R>(command: WaitingCommand, open: (reply: Wire) => R | Promise<R>, call?: Call): Promise<R>
  /** A value as the server keeps it. Throws `INVALID_VALUE` or `UNENCODABLE`; what is too large is refused when it is sent. */
  text(value: T): string | Promise<string>
  /** Throws `INVALID_ARGUMENT` for what is no array. */
  texts(values: readonly T[]): (string | Promise<string>)[]
  /** The value of a text; rejects or throws `WRONG_TYPE`. Absent stays absent. */
  value(text: Wire): T | Promise<T>
  valueOrAbsent(text: Wire): T | undefined | Promise<T>
  values(texts: Wire): T[] | Promise<T[]>
  /** Throws `WRONG_TYPE` where a codec hides numbers from the server. */
  checkNumeric(): void
  /** Its stored key. */
  readonly stored: string
  /** The stored key of another structure of the space. */
  keyOf(key: string): string
  readonly lifetime: Lifetime
}

/** A reply comes a moment after the server stopped waiting. */
const WAIT_MARGIN_MS = 1000

/**
 * Throws `UNSUPPORTED` for a store without Redis commands, `INVALID_KEY` for what makes no key. `collect` takes the
 * commands in place of the store, for a batch or a transaction.
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
      /** UTF-8 would make another character of half a surrogate pair: a field of one name would be stored under another. */
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

/** Throws `UNSUPPORTED` unless the store speaks Redis commands, `INVALID_ARGUMENT` for an option that does not exist. */
export function checkSpace(space: StructureSpace): StructureSpace {
  if (typeof space?.store?.command !== 'function') {
    throw new HitherError('UNSUPPORTED', 'structures need a store of Redis commands, such as tcpStore or upstashStore')
  }
  checkNames('a space', space, ['store', 'namespace', 'codec'])
  checkCodec(space.codec)
  return space
}

/** What an object of options may have beside its own: the limits of a call. */
const CALL = ['signal', 'deadline', 'patient', 'bytes']

/** As `checkNames`, for options that take the limits of a call too. */
export const checkOptions = (what: string, options: object | undefined, names: readonly string[]): void =>
  checkNames(what, options, [...names, ...CALL])

/** Throws `INVALID_ARGUMENT` for what is no array: text would be taken for its characters. */
export function checkList<V>(values: readonly V[]): readonly V[] {
  if (Array.isArray(values)) return values
  throw invalid('several of them are an array')
}

/** Throws `INVALID_ARGUMENT` for what holds no pairs, such as a plain object or a text. */
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

/** What the server refuses, by this package's own code where there is one; any other error as it is. */
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

/** Throws what an error reply means; returns any other reply. */
export function checkReply(verb: string, reply: Wire): Wire {
  if (reply instanceof ReplyError) throw ownErrorOf(new StoreRejectedError(verb, reply))
  return reply
}

// Replies, in one shape over RESP2, RESP3 and REST.

export const isOne = (reply: Wire): boolean => Number(reply) === 1
export const toNumber = (reply: Wire): number => Number(reply)
/** A sum; throws `OVERFLOW` for one that a number cannot hold. ioredis rounds those just below 2^53. */
export function toSum(reply: Wire): number {
  if (Number.isSafeInteger(Number(reply))) return Number(reply)
  throw new HitherError('OVERFLOW', 'the sum is stored, and is past what a number can hold', { maybeExecuted: true })
}
/** A score; the server writes `inf` and `-inf`. */
export const toScore = (reply: Wire): number => (reply === 'inf' ? NEVER : reply === '-inf' ? -NEVER : Number(reply))
export const scoreOrAbsent = (reply: Wire): number | undefined => (reply === null ? undefined : toScore(reply))
export const toText = (reply: Wire): string => String(reply)
export const numberOrAbsent = (reply: Wire): number | undefined => (reply === null ? undefined : Number(reply))
export const toList = (reply: Wire): readonly Wire[] => (Array.isArray(reply) ? reply : [])

/** Pairs of a reply that is flat in RESP2, and a list of pairs in RESP3. */
export function toPairs(reply: Wire): [Wire, Wire][] {
  const list = toList(reply)
  if (Array.isArray(list[0])) return list as unknown as [Wire, Wire][]
  return Array.from({ length: list.length >> 1 }, (_, i) => [list[2 * i] as Wire, list[2 * i + 1] as Wire])
}

export const millisecondsLeft = (reply: Wire): number | undefined =>
  Number(reply) === -2 ? undefined : Number(reply) === -1 ? NEVER : Number(reply)

/** Throws `INVALID_ARGUMENT` for NaN and for what is no number; an infinite one as the server writes it. */
export function scoreText(score: number, name = 'a score'): string {
  if (typeof score !== 'number' || Number.isNaN(score)) throw invalid(`${name} is a number`)
  return score === NEVER ? '+inf' : score === -NEVER ? '-inf' : String(score)
}

/** Pages of a cursor, until the server says it is through: what is there all the while comes at least once. */
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
