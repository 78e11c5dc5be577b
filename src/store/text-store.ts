import { checkWhole } from '../protocol/arguments.ts'
import type { Limit } from '../runtime/deadline.ts'
import { checkKeys, checkTtl, checkValue } from './checks.ts'
import { overClient } from './client-of.ts'
import { createCalls, limitedCall } from './limited-call.ts'
import type { Store, StoreTraits } from './store.ts'

/** A client of another package that keeps text. */
export interface TextClient {
  read(key: string): Promise<string | undefined>
  write(key: string, value: string, ttlMs: number | undefined): Promise<unknown>
  remove(key: string): Promise<unknown>
}

export interface TextStoreOptions {
  readonly name: string
  readonly traits: StoreTraits
  /** Message of the error if the client rejects. */
  readonly message: string
  readonly timeoutMs?: number | undefined
  readonly client: TextClient
  /** What the client keeps its text with. Caches over one such object share their leases. */
  readonly over: object
  /** Throws for a key that the client does not accept, beside those that every store refuses. */
  readonly refuse?: (key: string) => void
}

/** A store without operations, over a client that supports neither deadline nor signal and whose writes may all be repeated. */
export function createTextStore(options: TextStoreOptions): Store {
  const { name, traits, message, timeoutMs = 5000, client, over, refuse = () => {} } = options
  const calls = createCalls(checkWhole(timeoutMs, 'timeoutMs', 1))
  const ask = <T>(limit: Limit, writes: boolean, work: () => Promise<T>): Promise<T> =>
    limitedCall(limit, { writes, retryable: true, message }, async () => work())
  const readAll = (keys: readonly string[], limit: Limit): Promise<(string | undefined)[]> =>
    ask(limit, false, () => Promise.all(keys.map((key) => client.read(key))))
  const check = (keys: readonly string[]): void => {
    checkKeys(keys, traits)
    keys.forEach(refuse)
  }
  const store: Store = {
    name,
    traits,
    async get(key, call) {
      check([key])
      return (await calls.run([key], call, false, (limit) => readAll([key], limit)))[0]
    },
    async getMany(keys, call) {
      check(keys)
      return calls.run(keys, call, false, (limit) => readAll(keys, limit))
    },
    async set(key, value, ttlMs, call) {
      check([key])
      checkValue(value, traits)
      checkTtl(ttlMs)
      await calls.run([key], call, false, (limit) => ask(limit, true, () => client.write(key, value, ttlMs)))
    },
    async delete(keys, call) {
      check(keys)
      const each = [...new Set(keys)]
      // Slow, so that later calls on the keys wait: a write that was called after the delete must not be deleted.
      return calls.run(each, call, true, async (limit) => {
        const found = await readAll(each, limit)
        await ask(limit, true, () => Promise.all(each.map((key) => client.remove(key))))
        return found.filter((value) => value !== undefined).length
      })
    },
    async ready(call) {
      await calls.run([], call, false, (limit) => readAll(['hither'], limit))
    },
    async close() {
      calls.close()
    },
  }
  return overClient(store, over)
}
