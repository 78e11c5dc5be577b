import { entryTable } from '../../src/cache/steps/entry.ts'
import { checkNames, checkWhole, invalid } from '../../src/protocol/arguments.ts'
import { now } from '../../src/runtime/clock.ts'
import type { Limit } from '../../src/runtime/deadline.ts'
import { checkArgs, checkKey, checkKeys, checkTtl, checkValue } from '../../src/store/checks.ts'
import { createCalls, limitedCall } from '../../src/store/limited-call.ts'
import type { AtomicStore, Call, StoreTraits, WithoutChannels } from '../../src/store/store.ts'
import { runBySwap } from '../../src/store/swap.ts'
import type { HitherObject } from './hither-object.ts'
import { createReads, type Found } from './object-reads.ts'

/** The part of a Durable Object namespace that the store uses. */
export interface ObjectNamespace {
  idFromName(name: string): unknown
  get(id: never, options?: { readonly locationHint?: string } | undefined): unknown
}

export interface DurableObjectStoreOptions {
  /**
   * Number of objects that the keys are spread over. One object takes about 1,000 requests a second
   * (https://developers.cloudflare.com/durable-objects/platform/limits/). After a change of this number the store finds none of
   * the values written before. @default 1
   */
  readonly shards?: number
  /** Deadline of a call that names none, in milliseconds. @default 5000 */
  readonly timeoutMs?: number
}

type Remote = Pick<HitherObject, 'read' | 'put' | 'remove' | 'swap'>

const TRAITS: StoreTraits = {
  shared: true,
  ttlStepMs: 1,
  maxKeyBytes: 1024,
  maxValueBytes: 1_900_000,
  clock: 'client',
  consistency: 'strong',
  readsApart: true,
}
const message = 'the Durable Object did not answer, see cause'

/**
 * A store in the SQLite of Durable Objects of the class `HitherObject`, strongly consistent from anywhere. An operation reads
 * the entry, decides by this isolate's clock, and writes if the entry has not changed. Throws `INVALID_ARGUMENT`. Rejects with
 * `STORE_UNAVAILABLE` for an error of the platform, with `maybeExecuted` for a write.
 */
export function durableObjectStore(
  namespace: ObjectNamespace,
  options: DurableObjectStoreOptions = {},
): AtomicStore & WithoutChannels {
  checkNames('durableObjectStore', options, ['shards', 'timeoutMs'])
  const { shards = 1, timeoutMs = 5000 } = options
  if (typeof namespace?.idFromName !== 'function')
    throw invalid('durableObjectStore takes a namespace of Durable Objects, such as env.HITHER')
  checkWhole(shards, 'shards', 1, 1000)
  const calls = createCalls(checkWhole(timeoutMs, 'timeoutMs', 1))
  const remoteOf = (shard: number): Remote =>
    namespace.get(namespace.idFromName(`hither:${shard}/${shards}`) as never) as Remote
  const reads = createReads(async (shard, keys) => remoteOf(shard).read(keys))
  const read = (shard: number, keys: readonly string[], limit: Limit): Promise<Found> =>
    limitedCall(limit, { writes: false, retryable: true, message }, () => reads.read(shard, keys))
  const write = <T>(shard: number, limit: Limit, work: (remote: Remote) => Promise<T>): Promise<T> =>
    limitedCall(limit, { writes: true, retryable: false, message }, async () => {
      reads.flush(shard)
      return work(remoteOf(shard))
    })
  /** The keys by their shard, each key once. */
  const split = (keys: readonly string[]): Map<number, string[]> => {
    const parts = new Map<number, string[]>()
    for (const key of new Set(keys)) {
      const shard = shardOf(key, shards)
      const part = parts.get(shard)
      if (part) part.push(key)
      else parts.set(shard, [key])
    }
    return parts
  }
  const readAll = (keys: readonly string[], call: Call | undefined): Promise<(string | undefined)[]> =>
    calls.run(keys, call, false, async (limit) => {
      const parts = [...split(keys)].map(async ([shard, part]) => [shard, await read(shard, part, limit)] as const)
      const found = new Map(await Promise.all(parts))
      return keys.map((key) => found.get(shardOf(key, shards))?.get(key)?.value)
    })
  return {
    name: 'durable-object',
    traits: TRAITS,
    async get(key, call) {
      checkKey(key, TRAITS)
      return (await readAll([key], call))[0]
    },
    async getMany(keys, call) {
      checkKeys(keys, TRAITS)
      return readAll(keys, call)
    },
    async set(key, value, ttlMs, call) {
      checkKey(key, TRAITS)
      checkValue(value, TRAITS)
      checkTtl(ttlMs)
      await calls.run([key], call, true, (limit) =>
        write(shardOf(key, shards), limit, (remote) => remote.put(key, value, ttlMs ? now() + ttlMs : 0)),
      )
    },
    async delete(keys, call) {
      checkKeys(keys, TRAITS)
      return calls.run(keys, call, true, async (limit) => {
        const parts = [...split(keys)]
        const counts = await Promise.all(
          parts.map(([shard, part]) => write(shard, limit, (remote) => remote.remove(part))),
        )
        return counts.reduce((sum, count) => sum + count, 0)
      })
    },
    async run(operation, key, args, call) {
      checkKey(key, TRAITS)
      checkArgs(args, TRAITS)
      const shard = shardOf(key, shards)
      return calls.run([key], call, true, (limit) =>
        runBySwap(
          operation,
          args,
          { deadline: limit.deadline, signal: call?.signal },
          {
            table: entryTable,
            async read() {
              const held = (await read(shard, [key], limit)).get(key)
              return { text: held?.value, endMs: held?.endMs || undefined, version: held?.version ?? 0 }
            },
            async swap({ version }, value, endMs = 0) {
              if (value !== undefined) checkValue(value, TRAITS)
              return write(shard, limit, (remote) => remote.swap({ key, version, value, endMs }))
            },
          },
        ),
      )
    },
    async ready(call) {
      await readAll(['hither'], call)
    },
    async close() {
      calls.close()
    },
  }
}

/** FNV-1a over UTF-16 units. Any hash that spreads keys would do, but all programs must use the same one. */
function shardOf(key: string, shards: number): number {
  let hash = 0x811c9dc5
  for (let i = 0; shards > 1 && i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  return (hash >>> 0) % shards
}
