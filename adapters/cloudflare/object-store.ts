import { entryTable } from '../../src/cache/steps/entry.ts'
import { checkNames, checkWhole, invalid } from '../../src/protocol/arguments.ts'
import { now } from '../../src/runtime/clock.ts'
import type { Limit } from '../../src/runtime/deadline.ts'
import { checkArgs, checkKey, checkKeys, checkTtl, checkValue } from '../../src/store/checks.ts'
import { createCalls, limitedCall } from '../../src/store/limited-call.ts'
import type { AtomicStore, Call, StoreTraits, WithoutChannels } from '../../src/store/store.ts'
import { runBySwap } from '../../src/store/swap.ts'
import type { HitherObject, StoredEntry } from './hither-object.ts'

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
 * A store in the SQLite of Durable Objects, of the class `HitherObject`: strongly consistent from anywhere. An operation
 * reads, decides, and writes if nothing has changed, by this isolate's clock. Throws `INVALID_ARGUMENT`. Rejects
 * `STORE_UNAVAILABLE` for what the platform says, with `maybeExecuted` for a write.
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
  const ask = <T>(shard: number, limit: Limit, writes: boolean, work: (remote: Remote) => Promise<T>): Promise<T> =>
    limitedCall(limit, { writes, retryable: !writes, message }, async () =>
      work(namespace.get(namespace.idFromName(`hither:${shard}/${shards}`) as never) as Remote),
    )
  /** Keys by their shard, each once. */
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
      const found = new Map<string, StoredEntry>()
      await Promise.all(
        [...split(keys)].map(async ([shard, part]) => {
          for (let left = part; left.length > 0; ) {
            const entries = await ask(shard, limit, false, (remote) => remote.read(left))
            entries.forEach((entry, i) => void (entry && found.set(left[i] as string, entry)))
            left = left.slice(entries.length)
          }
        }),
      )
      return keys.map((key) => found.get(key)?.value)
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
      await calls.run([key], call, false, (limit) =>
        ask(shardOf(key, shards), limit, true, (remote) => remote.put(key, value, ttlMs ? now() + ttlMs : 0)),
      )
    },
    async delete(keys, call) {
      checkKeys(keys, TRAITS)
      return calls.run(keys, call, false, async (limit) => {
        const parts = [...split(keys)]
        const counts = await Promise.all(
          parts.map(([shard, part]) => ask(shard, limit, true, (remote) => remote.remove(part))),
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
              const [held] = await ask(shard, limit, false, (remote) => remote.read([key]))
              return { text: held?.value, endMs: held?.endMs || undefined, version: held?.version ?? 0 }
            },
            async swap({ version }, value, endMs = 0) {
              if (value !== undefined) checkValue(value, TRAITS)
              return ask(shard, limit, true, (remote) => remote.swap({ key, version, value, endMs }))
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

/** FNV-1a over UTF-16 units: any spread will do, as long as it is the same everywhere. */
function shardOf(key: string, shards: number): number {
  let hash = 0x811c9dc5
  for (let i = 0; shards > 1 && i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193)
  return (hash >>> 0) % shards
}
