import { HitherError } from '../errors.ts'
import { checkNames, checkOperations } from '../protocol/arguments.ts'
import { keyUnder } from '../protocol/digest.ts'
import { type Duration, toMs } from '../protocol/duration.ts'
import { checkNamespace } from '../protocol/keys.ts'
import { randomId } from '../runtime/random.ts'
import type { AtomicStore, Call } from '../store/store.ts'
import { markFirst } from './operations.ts'

export interface OnceOptions {
  /** The store that remembers who was first. */
  readonly store: AtomicStore
  /** @default 'once' */
  readonly namespace?: string
  /** How long a key is remembered, from its first call on. */
  readonly ttl: Duration
}

/** How one call may end early: `signal` rejects it with its reason, `deadline` (epoch milliseconds) with `TIMEOUT`. */
export type OnceCall = Pick<Call, 'signal' | 'deadline'>

/** Picks out the first caller of a key: for a webhook that is delivered twice, or a mail that must be sent only once. */
export interface Once {
  /**
   * True for one caller of `key` within its lifetime, false for all others. When the reply is lost, the operation is sent again
   * and recognizes its own mark. If no reply comes at all, rejects with `maybeExecuted`: this caller may have been the first.
   * Rejects with `INVALID_KEY` for a key that is not a string or is empty.
   */
  first(key: string, call?: OnceCall): Promise<boolean>
  /** Lets the next caller be the first again, for example after the work of the first has failed. */
  forget(key: string, call?: OnceCall): Promise<void>
}

/**
 * Throws `UNSUPPORTED` for a store without operations, `INVALID_ARGUMENT`, `INVALID_DURATION` or `INVALID_KEY` for options
 * that make no sense.
 */
export function createOnce(options: OnceOptions): Once {
  checkNames('createOnce', options, ['store', 'namespace', 'ttl'])
  const { store, namespace = 'once', ttl } = options ?? {}
  checkOperations('createOnce', store)
  const ttlMs = toMs(ttl, 'ttl')
  const prefix = `:${checkNamespace(namespace)}:once`
  const keyOf = async (key: string): Promise<string> => {
    if (typeof key === 'string' && key !== '') return keyUnder(prefix, key)
    throw new HitherError('INVALID_KEY', 'a key is a string that is not empty')
  }
  return {
    first: async (key, call) => (await store.run(markFirst, await keyOf(key), [randomId(), ttlMs], call)) === 1,
    async forget(key, call) {
      await store.delete([await keyOf(key)], call)
    },
  }
}
