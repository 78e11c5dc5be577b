import { HitherError } from '../../src/errors.ts'
import { checkSignal } from '../../src/protocol/arguments.ts'
import { concat } from '../../src/protocol/bytes.ts'
import type { Arg, Operation, Reply } from '../../src/protocol/operation.ts'
import { REQUEST_SCOPED } from '../../src/runtime/background.ts'
import { now } from '../../src/runtime/clock.ts'
import { createKeyQueue } from '../../src/runtime/key-queue.ts'
import { soon } from '../../src/runtime/per-tick.ts'
import { checkArgs, checkKey, checkKeys, checkTtl, checkValue } from '../../src/store/checks.ts'
import type { AtomicStore, Call, StoreTraits, WithoutChannels } from '../../src/store/store.ts'
import { sumOf } from '../../src/store/sum-of.ts'
import type { CallLimits } from '../../src/store/swap.ts'
import { bytesOf } from './bytes.ts'
import { type Client, createClient, isHashedName } from './client.ts'
import { FRAMED, frame, hashedKeyOf, type Item, itemOf, textOf } from './frame.ts'
import { checkOptions, type MemcachedStoreOptions } from './options.ts'
import type { Reply as Line } from './replies.ts'
import { type Command, type Place, timedOut } from './request.ts'
import { globOf, listKeys } from './scan.ts'
import { runStep } from './steps.ts'
import { setFlags, wireTtl } from './wire.ts'

export type { MemcachedStoreOptions } from './options.ts'

export interface MemcachedStore extends AtomicStore, WithoutChannels {
  readonly traits: WithoutChannels['traits']
  readonly getBytes: NonNullable<AtomicStore['getBytes']>
  readonly setBytes: NonNullable<AtomicStore['setBytes']>
  readonly part: NonNullable<AtomicStore['part']>
  /** As `Store.scan`. A key stored under its digest is returned whole if this package wrote it. */
  readonly scan: NonNullable<AtomicStore['scan']>
}

const TRAITS = { shared: true, ttlStepMs: 1000, clock: 'client', consistency: 'strong', readsApart: true } as const

/**
 * A store over memcached 1.6 or later, by its meta protocol, on the package's own sockets. It connects at the first call;
 * `await store.ready()` connects at once. Operations run by compare-and-swap, on this process's clock. Lifetimes that `set`
 * gives are rounded up to the next second and may last one second more. Throws `INVALID_URL` or `INVALID_ARGUMENT`.
 */
export function memcachedStore(options: MemcachedStoreOptions): MemcachedStore {
  const settings = checkOptions(options)
  const client = createClient(settings)
  const queue = createKeyQueue(() => {})
  const { maxKeyBytes, maxValueBytes, timeoutMs } = settings
  const traits: StoreTraits = { ...TRAITS, maxKeyBytes, maxValueBytes }
  let closed = false

  /**
   * Limits of the calls in this run of microtasks that have neither deadline nor signal. To read the clock for each call would
   * cost as much as to write the call.
   */
  let shared: CallLimits | undefined
  /** Throws the signal's reason, or `TIMEOUT` past the deadline. */
  const limitsOf = (call?: Call): CallLimits => {
    const { deadline, signal } = call ?? {}
    checkSignal(signal)
    if (deadline !== undefined || signal || REQUEST_SCOPED) {
      const at = now()
      const limits = { deadline: deadline ?? at + timeoutMs, signal }
      if (limits.deadline > at) return limits
      throw timedOut(false)
    }
    if (shared) return shared
    const limits = { deadline: now() + timeoutMs, signal }
    soon(() => {
      shared = undefined
      // The deadline counts from here, so that a slow first call does not shorten the time of the last one.
      limits.deadline = now() + timeoutMs
    })
    shared = limits
    return limits
  }
  /** Runs `work` on the key's place, after the slower calls on the same key that were made before. */
  const at = <T>(key: string, limits: CallLimits, isSlow: boolean, work: (place: Place) => Promise<T>): Promise<T> => {
    if (closed) throw new HitherError('CLOSED', 'the store is closed')
    const place = client.placeOf(key)
    const isHashed = place instanceof Promise
    if (!isSlow && !isHashed && !queue.isBusy()) return work(place)
    const { deadline, signal } = limits
    return queue.run([key], isSlow || isHashed, { deadline, signals: signal ? [signal] : [] }, () =>
      isHashed ? place.then(work) : work(place),
    )
  }
  const ask = <T>(key: string, limits: CallLimits, command: Command<T>): Promise<T> =>
    at(key, limits, false, (place) => client.ask(place, command, limits))
  const write = (key: string, value: Uint8Array, ttlMs: number | undefined, limits: CallLimits): Promise<void> =>
    at(key, limits, false, (place) => {
      const nowMs = now()
      const { hashedKey } = place
      const body = hashedKey
        ? concat([bytesOf(frame(ttlMs === undefined ? 0 : nowMs + ttlMs, hashedKey)), value])
        : value
      const stored = { ttl: wireTtl(ttlMs, nowMs), flags: hashedKey ? FRAMED : 0, only: undefined }
      const flags = setFlags(body.length, stored)
      return client.ask(place, { verb: 'ms', flags, body, effect: 'once', read: checkStored }, limits)
    })

  async function* scan(pattern: string, call?: Call): AsyncGenerator<string> {
    if (closed) throw new HitherError('CLOSED', 'the store is closed')
    const fits = globOf(pattern)
    for (const [server, link] of settings.links.entries()) {
      for await (const names of listKeys(link, call)) {
        const keys = await Promise.all(
          names.map((name) => (isHashedName(name) ? wholeName(client, name, server, limitsOf(call)) : name)),
        )
        for (const key of keys) if (key !== undefined && fits.test(key)) yield key
      }
    }
  }

  return {
    name: 'memcached',
    traits,
    scan,
    part: (key) => client.servers[client.serverOf(key)] as string,
    // Not an async function: it would make two more promises for each hit.
    get(key, call) {
      try {
        checkKey(key, traits)
        return ask(key, limitsOf(call), GET)
      } catch (error) {
        return Promise.reject(error)
      }
    },
    async getMany(keys, call) {
      checkKeys(keys, traits)
      const limits = limitsOf(call)
      return Promise.all(keys.map((key) => ask(key, limits, GET)))
    },
    async set(key, value, ttlMs, call) {
      checkKey(key, traits)
      checkValue(value, traits)
      checkTtl(ttlMs)
      return write(key, bytesOf(value), ttlMs, limitsOf(call))
    },
    async delete(keys, call) {
      checkKeys(keys, traits)
      const limits = limitsOf(call)
      return sumOf([...new Set(keys)].map((key) => ask(key, limits, DELETE)))
    },
    async run<A extends readonly Arg[], R extends Reply>(
      operation: Operation<A, R>,
      key: string,
      args: A,
      call?: Call,
    ): Promise<R> {
      checkKey(key, traits)
      checkArgs(args, traits)
      const limits = limitsOf(call)
      return at(key, limits, true, (place) => runStep({ client, traits, place, operation, args, limits }))
    },
    async getBytes(key, call) {
      checkKey(key, traits)
      return ask(key, limitsOf(call), GET_BYTES)
    },
    async setBytes(key, value, ttlMs, call) {
      checkKey(key, traits)
      checkValue(value, traits, true)
      checkTtl(ttlMs)
      return write(key, value.slice(), ttlMs, limitsOf(call))
    },
    async ready(call) {
      if (closed) throw new HitherError('CLOSED', 'the store is closed')
      const limits = limitsOf(call)
      await Promise.all(client.servers.map((_, server) => client.ask(placeAt('', server), NOOP, limits)))
    },
    async close() {
      closed = true
      client.close()
    },
  }
}

const NOTHING = { flags: '', body: undefined } as const
const READ = { verb: 'mg', flags: ' v f', body: undefined, effect: 'read' } as const
const GET: Command<string | undefined> = { ...READ, read: textOfReply }
const GET_BYTES: Command<Uint8Array | undefined> = { ...READ, read: bytesOfReply }
const DELETE: Command<number> = {
  verb: 'md',
  ...NOTHING,
  effect: 'repeat',
  read: ({ code }) => (code === 'HD' ? 1 : 0),
}
const NOOP: Command<void> = { verb: 'mn', ...NOTHING, effect: 'read', read: () => undefined }

function placeAt(text: string, server: number): Place {
  return { text, flag: '', server, ringKey: undefined, hashedKey: '' }
}

/** The item in a reply to ` v f`. Undefined where there is none, its lifetime is over, or it is another key's. */
function itemOfReply(reply: Line, { hashedKey }: Place): Item | undefined {
  const item = reply.code === 'VA' ? itemOf(reply, reply.flags, hashedKey) : undefined
  return item && (item.endMs === 0 || item.endMs > now()) ? item : undefined
}

function textOfReply(reply: Line, place: Place): string | undefined {
  const item = itemOfReply(reply, place)
  return item && textOf(item.bytes, item.from, item.to)
}

function bytesOfReply(reply: Line, place: Place): Uint8Array | undefined {
  const item = itemOfReply(reply, place)
  return item && new Uint8Array(item.bytes.subarray(item.from, item.to))
}

function checkStored({ code }: Line): void {
  if (code !== 'HD') throw new HitherError('BAD_REPLY', 'memcached did not store a value, and does not say why')
}

/**
 * The whole key of an item that is stored under a digest, or the digest where the item does not hold the key. Undefined if the
 * item has ended since it was listed.
 */
function wholeName(client: Client, name: string, server: number, limits: CallLimits): Promise<string | undefined> {
  const read: Command<string | undefined>['read'] = ({ code, flags, bytes, from, to }) =>
    code === 'VA' ? (flags === FRAMED && hashedKeyOf(bytes, from, to)) || name : undefined
  return client.ask(placeAt(name, server), { ...READ, read }, limits)
}
