import { type Arg, type AtomicStore, HitherError, type Operation, type Reply, type StoreTraits } from 'hither'
import type { HitherObject, StoredEntry } from './hither-object.ts'
import { checkNames } from './options.ts'

/** What is used of a Durable Object's namespace. */
export interface ObjectNamespace {
  idFromName(name: string): unknown
  get(id: never, options?: { readonly locationHint?: string } | undefined): unknown
}

export interface DurableObjectStoreOptions {
  /**
   * Objects that the keys are spread over: one takes about 1,000 requests a second, as the platform's documentation says
   * (https://developers.cloudflare.com/durable-objects/platform/limits/). A store made with another number than before finds
   * nothing of what is there. @default 1
   */
  readonly shards?: number
}

type Remote = Pick<HitherObject, 'read' | 'put' | 'remove' | 'swap'>

const MAX_BATCH = 10_000
const MAX_VALUE = 1_900_000
const ATTEMPTS = 100

/**
 * A store in the SQLite of Durable Objects, of the class `HitherObject`: strongly consistent from anywhere. An operation
 * reads, decides, and writes if nothing has changed, by this isolate's clock. Throws `INVALID_ARGUMENT`. Rejects
 * `STORE_UNAVAILABLE` for what the platform says, with `maybeExecuted` for a write.
 */
export function durableObjectStore(namespace: ObjectNamespace, options: DurableObjectStoreOptions = {}): AtomicStore {
  checkNames('durableObjectStore', options, ['shards'])
  const { shards = 1 } = options
  if (typeof namespace?.idFromName !== 'function') {
    throw new HitherError(
      'INVALID_ARGUMENT',
      'durableObjectStore takes a namespace of Durable Objects, such as env.HITHER',
    )
  }
  if (!(Number.isInteger(shards) && shards > 0 && shards <= 1000)) {
    throw new HitherError('INVALID_ARGUMENT', 'shards is a whole number from 1 to 1000')
  }
  const traits: StoreTraits = {
    shared: true,
    ttlStepMs: 1,
    maxKeyBytes: 1024,
    maxValueBytes: MAX_VALUE,
    clock: 'client',
    consistency: 'strong',
    readsApart: true,
  }
  let closed = false
  const check = (keys: readonly string[]): void => {
    if (keys.length > MAX_BATCH) throw new HitherError('BATCH_TOO_LARGE', `a batch has at most ${MAX_BATCH} keys`)
    for (const key of keys) {
      if (typeof key !== 'string' || key === '' || !key.isWellFormed() || new TextEncoder().encode(key).length > 1024) {
        throw new HitherError('INVALID_KEY', 'a key is well-formed text of 1 to 1024 bytes')
      }
    }
    if (closed) throw new HitherError('CLOSED', 'the store is closed')
  }
  const checkValue = (value: unknown): void => {
    if (typeof value !== 'string' || !value.isWellFormed()) {
      throw new HitherError('INVALID_VALUE', 'a value is well-formed text')
    }
    if (value.length * 3 > MAX_VALUE && new TextEncoder().encode(value).length > MAX_VALUE) {
      throw new HitherError('VALUE_TOO_LARGE', `a value has at most ${MAX_VALUE} bytes`)
    }
  }
  const ask = async <T>(shard: number, writes: boolean, work: (remote: Remote) => Promise<T>): Promise<T> => {
    try {
      const id = namespace.idFromName(`hither:${shard}/${shards}`)
      return await work(namespace.get(id as never) as Remote)
    } catch (cause) {
      const settings = { cause, retryable: !writes, maybeExecuted: writes }
      throw new HitherError('STORE_UNAVAILABLE', 'the Durable Object did not answer, see cause', settings)
    }
  }
  /** Keys by their shard. */
  const split = (keys: readonly string[]): Map<number, string[]> => {
    const parts = new Map<number, string[]>()
    for (const key of keys) {
      const shard = shardOf(key, shards)
      const part = parts.get(shard)
      if (part) part.push(key)
      else parts.set(shard, [key])
    }
    return parts
  }
  const readAll = async (keys: readonly string[]): Promise<Map<string, StoredEntry>> => {
    const found = new Map<string, StoredEntry>()
    const parts = [...split([...new Set(keys)])]
    await Promise.all(
      parts.map(async ([shard, part]) => {
        const entries = await ask(shard, false, (remote) => remote.read(part))
        entries.forEach((entry, i) => void (entry && found.set(part[i] as string, entry)))
      }),
    )
    return found
  }
  return {
    name: 'durable-object',
    traits,
    async get(key) {
      check([key])
      return (await readAll([key])).get(key)?.value
    },
    async getMany(keys) {
      check(keys)
      const found = await readAll(keys)
      return keys.map((key) => found.get(key)?.value)
    },
    async set(key, value, ttlMs) {
      check([key])
      checkValue(value)
      if (ttlMs !== undefined && !(Number.isInteger(ttlMs) && ttlMs > 0 && ttlMs <= 1e14)) {
        throw new HitherError('INVALID_DURATION', 'ttlMs is whole milliseconds, at least 1')
      }
      await ask(shardOf(key, shards), true, (remote) => remote.put(key, value, ttlMs ? Date.now() + ttlMs : 0))
    },
    async delete(keys) {
      check(keys)
      const parts = [...split([...new Set(keys)])]
      const counts = await Promise.all(parts.map(([shard, part]) => ask(shard, true, (remote) => remote.remove(part))))
      return counts.reduce((sum, count) => sum + count, 0)
    },
    async run<A extends readonly Arg[], R extends Reply>(operation: Operation<A, R>, key: string, args: A): Promise<R> {
      check([key])
      const shard = shardOf(key, shards)
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        const [held] = await ask(shard, false, (remote) => remote.read([key]))
        const nowMs = Date.now()
        const leftMs = held?.endMs ? held.endMs - nowMs : undefined
        const { next, ttl, reply } = operation.apply(held?.value, args, { nowUs: nowMs * 1000, leftMs })
        if (next === held?.value && (next === undefined || ttl === 'keep')) return reply
        if (next !== undefined) checkValue(next)
        const endMs = ttl === 'keep' ? (held?.endMs ?? 0) : ttl === 'none' ? 0 : nowMs + ttl.ms
        const swap = { key, version: held?.version ?? 0, value: next, endMs }
        if (await ask(shard, true, (remote) => remote.swap(swap))) return reply
      }
      throw new HitherError('TIMEOUT', `${operation.name}: the key kept changing`, { retryable: true })
    },
    async ready() {
      check([])
      await ask(0, false, (remote) => remote.read(['hither']))
    },
    async close() {
      closed = true
    },
  }
}

/** FNV-1a over UTF-16 units: any spread will do, as long as it is the same everywhere. */
function shardOf(key: string, shards: number): number {
  let hash = 0x811c9dc5
  for (let i = 0; shards > 1 && i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  return (hash >>> 0) % shards
}
