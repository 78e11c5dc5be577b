import { entryTable } from '../../src/cache/steps/entry.ts'
import { HitherError, isHitherError } from '../../src/errors.ts'
import { checkSignal } from '../../src/protocol/arguments.ts'
import type { Arg, Operation, Reply } from '../../src/protocol/operation.ts'
import { now, sleep } from '../../src/runtime/clock.ts'
import { random } from '../../src/runtime/random.ts'
import { checkArgs, checkKey, checkKeys, checkTtl, checkValue } from '../../src/store/checks.ts'
import type { AtomicStore, Call, StoreTraits } from '../../src/store/store.ts'
import { sumOf } from '../../src/store/sum-of.ts'
import { type CallLimits, runBySwap } from '../../src/store/swap.ts'
import type { Bucket, Entry } from './bucket.ts'
import { createConnector } from './connection.ts'
import { decodeKey, encodeKey, glob } from './keys.ts'
import { checkOptions, type NatsStoreOptions } from './options.ts'
import { createSubscriptions } from './subscriptions.ts'
import { createTurns } from './turns.ts'

export type { NatsConnectionOptions, NatsServersOptions, NatsStoreOptions } from './options.ts'

export interface NatsStore extends AtomicStore {
  readonly getBytes: NonNullable<AtomicStore['getBytes']>
  readonly setBytes: NonNullable<AtomicStore['setBytes']>
  readonly scan: NonNullable<AtomicStore['scan']>
  readonly publish: NonNullable<AtomicStore['publish']>
  readonly subscribe: NonNullable<AtomicStore['subscribe']>
}

/** Deletes by compare-and-swap, because the server does not say whether there was an entry. */
const removal: Operation<readonly [], number> = {
  name: 'delete',
  effect: 'repeat',
  lua: "return redis.call('DEL', KEYS[1])",
  apply: (current) => ({ next: undefined, ttl: 'none', reply: current === undefined ? 0 : 1 }),
}

/** Most attempts of a read whose reply is lost. The waits between them come to about a second, longer than a reconnect takes. */
const MAX_ATTEMPTS = 6
const MAX_BACKOFF_MS = 400

/**
 * A store over a bucket of NATS JetStream, by the packages of `@nats-io`. It connects at the first call;
 * `await store.ready()` connects at once. Operations run by compare-and-swap on the key's revision, on this process's clock.
 * That clock also ends lifetimes, to the millisecond; the server removes an ended entry up to two seconds later. Throws
 * `INVALID_ARGUMENT`, `INVALID_URL` or `INVALID_KEY`.
 */
export function natsStore(options: NatsStoreOptions): NatsStore {
  const settings = checkOptions(options)
  const { maxKeyBytes, maxValueBytes, timeoutMs } = settings
  const traits: StoreTraits = {
    shared: true,
    ttlStepMs: 1,
    maxKeyBytes,
    maxValueBytes,
    clock: 'client',
    consistency: settings.reads === 'any' ? 'eventual' : 'strong',
    readsApart: true,
  }
  const connector = createConnector(settings)
  const turns = createTurns()
  let closed = false

  const limitsOf = (call: Call | undefined): CallLimits => ({
    deadline: call?.deadline ?? now() + timeoutMs,
    signal: call?.signal,
  })
  const subscriptions = createSubscriptions(async () => (await connector.open(limitsOf(undefined))).connection)
  const check = ({ signal, deadline }: CallLimits): void => {
    checkSignal(signal)
    if (closed) throw new HitherError('CLOSED', 'the store is closed')
    if (!(deadline > now())) throw new HitherError('TIMEOUT', 'the deadline had passed', { retryable: true })
  }
  const withBucket = <T>(limits: CallLimits, work: (bucket: Bucket) => Promise<T>): Promise<T> => {
    try {
      const opened = connector.open(limits)
      return opened instanceof Promise ? opened.then(({ bucket }) => work(bucket)) : work(opened.bucket)
    } catch (error) {
      return Promise.reject(error)
    }
  }
  /** Runs `work` after the earlier calls on the key. */
  const at = <T>(key: string, writes: boolean, limits: CallLimits, work: () => Promise<T>): Promise<T> => {
    check(limits)
    const { deadline, signal } = limits
    return turns.run(key, writes, { deadline, signals: signal ? [signal] : [] }, work)
  }
  const read = (key: string, limits: CallLimits): Promise<Entry> => {
    const readFrom = (bucket: Bucket): Promise<Entry> => bucket.read(key, limits)
    return withBucket(limits, (bucket) =>
      readFrom(bucket).catch((error: unknown) => readAgain(() => withBucket(limits, readFrom), limits, error)),
    )
  }
  const get = (key: string, limits: CallLimits): Promise<Entry> => at(key, false, limits, () => read(key, limits))
  const put = (key: string, value: string | Uint8Array, ttlMs: number | undefined, limits: CallLimits) =>
    at(key, true, limits, () =>
      withBucket(limits, async (bucket) => {
        await bucket.write(key, value, { endMs: ttlMs === undefined ? undefined : now() + ttlMs }, limits)
      }),
    )
  const run = <A extends readonly Arg[], R extends Reply>(
    operation: Operation<A, R>,
    key: string,
    args: A,
    limits: CallLimits,
  ): Promise<R> =>
    at(key, true, limits, () =>
      runBySwap(operation, args, limits, {
        table: entryTable,
        read: () => read(key, limits),
        async swap({ revision }, next, endMs) {
          if (next === undefined && revision === 0) return true
          if (next !== undefined) checkValue(next, traits)
          return withBucket(limits, (bucket) => bucket.write(key, next, { endMs, revision }, limits))
        },
      }),
    )

  return {
    name: 'nats',
    traits,
    async get(key, call) {
      checkKey(key, traits)
      return (await get(key, limitsOf(call))).text
    },
    async getMany(keys, call) {
      checkKeys(keys, traits)
      const limits = limitsOf(call)
      check(limits)
      return (await Promise.all(keys.map((key) => get(key, limits)))).map(({ text }) => text)
    },
    async set(key, value, ttlMs, call) {
      checkKey(key, traits)
      checkValue(value, traits)
      checkTtl(ttlMs)
      await put(key, value, ttlMs, limitsOf(call))
    },
    async delete(keys, call) {
      checkKeys(keys, traits)
      const limits = limitsOf(call)
      check(limits)
      return sumOf([...new Set(keys)].map((key) => run(removal, key, [], limits)))
    },
    async run(operation, key, args, call) {
      checkKey(key, traits)
      checkArgs(args, traits)
      return run(operation, key, args, limitsOf(call))
    },
    async getBytes(key, call) {
      checkKey(key, traits)
      const { bytes } = await get(key, limitsOf(call))
      // Copied by a constructor: `slice` of a Buffer is a view.
      return bytes && new Uint8Array(bytes)
    },
    async setBytes(key, value, ttlMs, call) {
      checkKey(key, traits)
      checkValue(value, traits, true)
      checkTtl(ttlMs)
      await put(key, value.slice(), ttlMs, limitsOf(call))
    },
    async *scan(pattern, call) {
      const limits = limitsOf(call)
      check(limits)
      const { bucket } = await connector.open(limits)
      const matches = glob(pattern)
      for await (const name of bucket.names(limits)) {
        const key = decodeKey(name)
        if (matches.test(key)) yield key
      }
    },
    async publish(channel, message, call) {
      const limits = limitsOf(call)
      check(limits)
      const { publish } = await connector.open(limits)
      await publish(subjectOf(settings.bucket, channel), message, limits)
      return 0
    },
    async subscribe(channel, onMessage, onGap) {
      const limits = limitsOf(undefined)
      check(limits)
      const { connection } = await connector.open(limits)
      return subscriptions.add(connection, subjectOf(settings.bucket, channel), { onMessage, onGap, limits })
    },
    async ready(call) {
      const limits = limitsOf(call)
      check(limits)
      await get('hither', limits)
    },
    async close() {
      closed = true
      subscriptions.close()
      await connector.close()
    },
  }
}

/** Repeats a read that failed because the connection ended before the reply came. */
async function readAgain(read: () => Promise<Entry>, limits: CallLimits, fault: unknown): Promise<Entry> {
  let last = fault
  for (let attempt = 1; attempt < MAX_ATTEMPTS; attempt++) {
    const waitMs = Math.ceil((0.5 + random() / 2) * Math.min(50 * 2 ** attempt, MAX_BACKOFF_MS))
    if (!(isHitherError(last) && last.code === 'STORE_UNAVAILABLE') || now() + waitMs >= limits.deadline) throw last
    await sleep(waitMs, limits.signal)
    try {
      return await read()
    } catch (error) {
      last = error
    }
  }
  throw last
}

/** The subject of a channel. Each bucket has its own subjects, which lie outside the bucket. */
function subjectOf(bucket: string, channel: string): string {
  return `hither.${bucket}.${encodeKey(channel)}`
}
