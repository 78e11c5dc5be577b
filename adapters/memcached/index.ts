import { HitherError } from '../../src/errors.ts'
import type { Arg, Operation, Reply } from '../../src/protocol/operation.ts'
import { utf8Length } from '../../src/protocol/text.ts'
import { now } from '../../src/runtime/clock.ts'
import { createKeyQueue } from '../../src/runtime/key-queue.ts'
import { checkArgs, checkKey, checkKeys, checkTtl, checkValue } from '../../src/store/checks.ts'
import type { AtomicStore, Call, StoreTraits, WithoutChannels } from '../../src/store/store.ts'
import type { CallLimits } from '../../src/store/swap.ts'
import { type Client, createClient, isHashedName, type Place } from './client.ts'
import { FRAMED, frame, hashedKeyOf, type Item, itemOf, textOf } from './frame.ts'
import { checkOptions, type MemcachedStoreOptions } from './options.ts'
import { flagsOf, type Reply as Line } from './replies.ts'
import { globOf, listKeys } from './scan.ts'
import { runStep } from './steps.ts'
import { deleteCommand, getCommand, setLine, wireTtl } from './wire.ts'

export type { MemcachedStoreOptions } from './options.ts'

export interface MemcachedStore extends AtomicStore, WithoutChannels {
  readonly traits: WithoutChannels['traits']
  readonly getBytes: NonNullable<AtomicStore['getBytes']>
  readonly setBytes: NonNullable<AtomicStore['setBytes']>
  readonly part: NonNullable<AtomicStore['part']>
  /** As `Store.scan`. A key that was hashed has its whole name again, where this package wrote it. */
  readonly scan: NonNullable<AtomicStore['scan']>
}

const TRAITS = { shared: true, ttlStepMs: 1000, clock: 'client', consistency: 'strong', readsApart: true } as const

/**
 * A store over memcached 1.6 or later, by its meta protocol, on sockets of our own. It connects at the first call;
 * `await store.ready()` asks at once. Operations run by compare-and-swap, on this process's clock; lifetimes that `set`
 * gives are rounded up to the next second and may last one more. Throws `INVALID_URL` or `INVALID_ARGUMENT`.
 */
export function memcachedStore(options: MemcachedStoreOptions): MemcachedStore {
  const settings = checkOptions(options)
  const client = createClient(settings)
  const queue = createKeyQueue(() => {})
  const { maxKeyBytes, maxValueBytes, timeoutMs } = settings
  const traits: StoreTraits = { ...TRAITS, maxKeyBytes, maxValueBytes }
  let closed = false

  const limitsOf = (call: Call | undefined): CallLimits => ({
    deadline: call?.deadline ?? now() + timeoutMs,
    signal: call?.signal,
  })
  /** Runs `work` on the key's place after the slower calls on the key that came first. */
  const at = <T>(key: string, limits: CallLimits, isSlow: boolean, work: (place: Place) => Promise<T>): Promise<T> => {
    if (limits.signal?.aborted) throw limits.signal.reason
    if (closed) throw new HitherError('CLOSED', 'the store is closed')
    const place = client.placeOf(key)
    const isHashed = place instanceof Promise
    if (!isSlow && !isHashed && !queue.isBusy()) return work(place)
    const { deadline, signal } = limits
    return queue.run([key], isSlow || isHashed, { deadline, signals: signal ? [signal] : [] }, () =>
      isHashed ? place.then(work) : work(place),
    )
  }
  const read = <T>(key: string, limits: CallLimits, open: (reply: Line, place: Place) => T): Promise<T> =>
    at(key, limits, false, (place) => readAt(client, place, limits, open))
  const write = (
    key: string,
    value: string | Uint8Array,
    ttlMs: number | undefined,
    limits: CallLimits,
  ): Promise<void> =>
    at(key, limits, false, (place) => {
      const nowMs = now()
      const { wire, hashedKey, hashedBytes } = place
      const before = hashedKey ? frame(ttlMs === undefined ? 0 : nowMs + ttlMs, hashedKey, hashedBytes) : ''
      const isText = typeof value === 'string'
      const bytes = utf8Length(before) + (isText ? utf8Length(value) : value.length)
      const stored = { ttl: wireTtl(ttlMs, nowMs), flags: hashedKey ? FRAMED : 0, only: undefined }
      const opaque = client.nextOpaque()
      const head = setLine(wire, bytes, stored, opaque) + before
      return client.ask({
        place,
        limits,
        effect: 'once',
        opaque,
        head: isText ? `${head}${value}\r\n` : head,
        body: isText ? undefined : value,
        read: checkStored,
      })
    })
  const remove = (key: string, limits: CallLimits): Promise<number> =>
    at(key, limits, false, (place) => {
      const opaque = client.nextOpaque()
      return client.ask({
        place,
        limits,
        effect: 'repeat',
        opaque,
        head: deleteCommand(place.wire, undefined, opaque),
        read: ({ code }) => (code === 'HD' ? 1 : 0),
      })
    })

  async function* scan(pattern: string, call?: Call): AsyncGenerator<string> {
    if (closed) throw new HitherError('CLOSED', 'the store is closed')
    const fits = globOf(pattern)
    for (const [server, link] of settings.links.entries()) {
      for await (const names of listKeys(link, call)) {
        const keys = await Promise.all(
          names.map((name) => (isHashedName(name) ? wholeName(client, name, server, limitsOf(call)) : name)),
        )
        yield* keys.filter((key) => fits.test(key))
      }
    }
  }

  return {
    name: 'memcached',
    traits,
    scan,
    part: (key) => client.servers[client.serverOf(key)] as string,
    // No async function, which would make two promises more of a hit.
    get(key, call) {
      try {
        checkKey(key, traits)
        return read(key, limitsOf(call), textOfReply)
      } catch (error) {
        return Promise.reject(error)
      }
    },
    async getMany(keys, call) {
      checkKeys(keys, traits)
      const limits = limitsOf(call)
      return Promise.all(keys.map((key) => read(key, limits, textOfReply)))
    },
    async set(key, value, ttlMs, call) {
      checkKey(key, traits)
      checkValue(value, traits)
      checkTtl(ttlMs)
      return write(key, value, ttlMs, limitsOf(call))
    },
    async delete(keys, call) {
      checkKeys(keys, traits)
      const limits = limitsOf(call)
      const counts = await Promise.all([...new Set(keys)].map((key) => remove(key, limits)))
      return counts.reduce((sum, count) => sum + count, 0)
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
      if (!(limits.deadline > now())) throw new HitherError('TIMEOUT', 'the deadline had passed', { retryable: true })
      return at(key, limits, true, (place) => runStep({ client, traits, place, operation, args, limits }))
    },
    async getBytes(key, call) {
      checkKey(key, traits)
      return read(key, limitsOf(call), bytesOfReply)
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
      const place = { wire: { text: '', flag: '' }, hashedKey: '', hashedBytes: 0 } as const
      const ask = { limits, effect: 'read', opaque: undefined, head: 'mn\r\n', read: () => undefined } as const
      await Promise.all(client.servers.map((_, server) => client.ask({ ...ask, place: { ...place, server } })))
    },
    async close() {
      closed = true
      client.close()
    },
  }
}

function readAt<T>(
  client: Client,
  place: Place,
  limits: CallLimits,
  read: (reply: Line, place: Place) => T,
): Promise<T> {
  const opaque = client.nextOpaque()
  return client.ask({ place, limits, effect: 'read', opaque, head: getCommand(place.wire, ' v f', opaque), read })
}

/** What a reply to ` v f` holds, as it lies there; undefined: nothing that is alive, or another key's. */
function itemOfReply(reply: Line, { hashedKey }: Place): Item | undefined {
  if (reply.code !== 'VA') return undefined
  const item = itemOf(reply, flagsOf(reply), hashedKey)
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

/** The whole key of an item that is stored under a digest; the digest where the item does not say. */
function wholeName(client: Client, name: string, server: number, limits: CallLimits): Promise<string> {
  const place = { wire: { text: name, flag: '' }, server, hashedKey: '', hashedBytes: 0 } as const
  return readAt(client, place, limits, (reply) => {
    const { code, bytes, from, to } = reply
    return (code === 'VA' && flagsOf(reply) === FRAMED && hashedKeyOf(bytes, from, to)) || name
  })
}
