import { HitherError } from '../../src/errors.ts'
import type { Arg, Operation, Reply } from '../../src/protocol/operation.ts'
import { utf8Length } from '../../src/protocol/text.ts'
import { now } from '../../src/runtime/clock.ts'
import { createKeyQueue } from '../../src/runtime/key-queue.ts'
import { checkArgs, checkKey, checkKeys, checkTtl, checkValue } from '../../src/store/checks.ts'
import type { AtomicStore, Call, StoreTraits } from '../../src/store/store.ts'
import type { CallLimits } from '../../src/store/swap.ts'
import { type Client, createClient, isHashedName, type Place } from './client.ts'
import { FRAMED, frame, hashedKeyOf, type Item, itemOf, textOf } from './frame.ts'
import { checkOptions, type MemcachedStoreOptions } from './options.ts'
import { globOf, listKeys } from './scan.ts'
import { runStep } from './steps.ts'
import { deleteCommand, getCommand, setLine, wireTtl } from './wire.ts'

export type { MemcachedStoreOptions } from './options.ts'

export interface MemcachedStore extends AtomicStore {
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
    const { deadline, signal } = limits
    return queue.run([key], isSlow || isHashed, { deadline, signals: signal ? [signal] : [] }, () =>
      isHashed ? place.then(work) : work(place),
    )
  }
  const read = <T>(key: string, limits: CallLimits, open: (item: Item) => T): Promise<T | undefined> =>
    at(key, limits, false, (place) =>
      client.ask({
        ...limits,
        place,
        effect: 'read',
        build: (opaque) => [getCommand(place.wire, ' v f', opaque)],
        read({ code, line, bytes, from, to }) {
          if (code !== 'VA') return undefined
          const flags = Number.parseInt(line.slice(line.indexOf(' f') + 2), 10)
          const item = itemOf(flags, bytes, from, to, place.hashedKey)
          return item && (item.endMs === 0 || item.endMs > now()) ? open(item) : undefined
        },
      }),
    )
  const write = (
    key: string,
    value: string | Uint8Array,
    ttlMs: number | undefined,
    limits: CallLimits,
  ): Promise<void> =>
    at(key, limits, false, (place) => {
      const nowMs = now()
      const { wire, hashedKey, hashedBytes } = place
      const head = hashedKey ? frame(ttlMs === undefined ? 0 : nowMs + ttlMs, hashedKey, hashedBytes) : ''
      const bytes = utf8Length(head) + (typeof value === 'string' ? utf8Length(value) : value.length)
      const stored = { ttl: wireTtl(ttlMs, nowMs), flags: hashedKey ? FRAMED : 0, only: undefined }
      return client.ask({
        ...limits,
        place,
        effect: 'once',
        build(opaque) {
          const line = setLine(wire, bytes, stored, opaque)
          return typeof value === 'string' ? [`${line}${head}${value}\r\n`] : [line + head, value, '\r\n']
        },
        read({ code }) {
          if (code !== 'HD') throw new HitherError('BAD_REPLY', 'memcached did not store a value, and does not say why')
        },
      })
    })
  const remove = (key: string, limits: CallLimits): Promise<number> =>
    at(key, limits, false, (place) =>
      client.ask({
        ...limits,
        place,
        effect: 'repeat',
        build: (opaque) => [deleteCommand(place.wire, undefined, opaque)],
        read: ({ code }) => (code === 'HD' ? 1 : 0),
      }),
    )

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
    async get(key, call) {
      checkKey(key, traits)
      return read(key, limitsOf(call), textOf)
    },
    async getMany(keys, call) {
      checkKeys(keys, traits)
      const limits = limitsOf(call)
      return Promise.all(keys.map((key) => read(key, limits, textOf)))
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
      return read(key, limitsOf(call), ({ bytes, from, to }) => new Uint8Array(bytes.subarray(from, to)))
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
      await Promise.all(client.servers.map((_, server) => client.askLine(server, 'mn', limits)))
    },
    async close() {
      closed = true
      client.close()
    },
  }
}

/** The whole key of an item that is stored under a digest; the digest where the item does not say. */
function wholeName(client: Client, name: string, server: number, limits: CallLimits): Promise<string> {
  return client.ask({
    ...limits,
    place: { wire: { text: name, flag: '' }, server, hashedKey: '', hashedBytes: 0 },
    effect: 'read',
    build: (opaque) => [getCommand({ text: name, flag: '' }, ' v f', opaque)],
    read({ code, line, bytes, from, to }) {
      const isFramed = code === 'VA' && line.includes(` f${FRAMED} `)
      return (isFramed && hashedKeyOf(bytes, from, to)) || name
    },
  })
}
