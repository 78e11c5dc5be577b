import { checkNames, checkOperations, checkSignal, invalid } from '../protocol/arguments.ts'
import { digest } from '../protocol/digest.ts'
import { type Duration, toMs } from '../protocol/duration.ts'
import { checkNamespace } from '../protocol/keys.ts'
import { jittered } from '../runtime/backoff.ts'
import { elapsedMs, sleep } from '../runtime/clock.ts'
import { limitOf, within } from '../runtime/deadline.ts'
import { randomId } from '../runtime/random.ts'
import type { AtomicStore } from '../store/store.ts'
import { idempotencyStep } from './operations.ts'

export interface IdempotencyOptions {
  /** The store that remembers the requests. */
  readonly store: AtomicStore
  /** @default 'idempotency' */
  readonly namespace?: string
  /**
   * How long a key is remembered, at least `hold` while its request runs. The same key after that is a new request.
   * @default '1d'
   */
  readonly ttl?: Duration
  /** How long a duplicate waits for the first request to complete. @default '5s' */
  readonly wait?: Duration
  /**
   * How long a request may run. After that a duplicate gets `unknown`: the process of the first request may have died, with its
   * work done or not. @default '1m'
   */
  readonly hold?: Duration
}

export interface BeginOptions {
  /** The owner of the key, such as a user's id. The same key in another scope is another key. @default '' */
  readonly scope?: string
  /** What the request asks for, as text. The same key with another text is a `mismatch`. Only its hash is stored. @default '' */
  readonly fingerprint?: string
  /** Aborting rejects with the signal's reason, at once. If the key is claimed all the same, it is released. */
  readonly signal?: AbortSignal
}

/** What a request with a key must do. */
export type Attempt =
  | {
      /** Do the work, then call `complete` or `release`. No other request with this key gets this, unless `release` was called. */
      readonly outcome: 'first'
      /** Stores the response for duplicates. Resolves to false if the key has expired or was released. May be called again. */
      complete(response: string): Promise<boolean>
      /** Lets the next request with this key be the first. To be called only when nothing was done. */
      release(): Promise<void>
    }
  /** The first request was completed: this is its response. */
  | { readonly outcome: 'replay'; readonly response: string }
  /**
   * `running`: the first request is still running. `unknown`: it was neither completed nor released within `hold`; its work may
   * have been done. `mismatch`: the key was used with another fingerprint.
   */
  | { readonly outcome: 'running' | 'unknown' | 'mismatch' }

/** Work that is done once for each key, however often it is requested. */
export interface Idempotency {
  /**
   * Claims `key`, or resolves to the state of the request that has claimed it. Rejects with `INVALID_ARGUMENT` for a key that is
   * not a string or is empty, and with the errors of the store: then the work must not be done, since no other request would
   * know of it.
   */
  begin(key: string, options?: BeginOptions): Promise<Attempt>
}

const OPTIONS = ['store', 'namespace', 'ttl', 'wait', 'hold']
const FIRST_PAUSE_MS = 20
const LONGEST_PAUSE_MS = 500
const OUTCOMES = { 2: 'mismatch', 3: 'running', 4: 'unknown' } as const

/**
 * Throws `UNSUPPORTED` for a store without operations, `INVALID_ARGUMENT`, `INVALID_DURATION` or `INVALID_KEY` for options
 * that make no sense.
 */
export function createIdempotency(options: IdempotencyOptions): Idempotency {
  checkNames('createIdempotency', options, OPTIONS)
  const { store, namespace = 'idempotency', ttl = '1d', wait = '5s', hold = '1m' } = options ?? {}
  checkOperations('createIdempotency', store)
  const lifeMs = toMs(ttl, 'ttl')
  const waitMs = toMs(wait, 'wait', 0)
  const holdMs = toMs(hold, 'hold')
  const prefix = `:${checkNamespace(namespace)}:idempotency:`

  return {
    async begin(key, options) {
      checkNames('begin', options, ['scope', 'fingerprint', 'signal'])
      const { scope = '', fingerprint = '', signal } = options ?? {}
      checkSignal(signal)
      for (const text of [scope, fingerprint])
        if (typeof text !== 'string') throw invalid('a scope or fingerprint is text')
      if (typeof key !== 'string' || key === '') {
        throw invalid('an idempotency key is text that is not empty')
      }
      const [stored, print] = await Promise.all([digest(JSON.stringify([scope, key])), digest(fingerprint)])
      const at = prefix + stored
      const holder = randomId()
      const step = (verb: string, ...args: (string | number)[]): Promise<number | string> =>
        store.run(idempotencyStep, at, [verb, holder, ...args])
      const release = async (): Promise<void> => void (await step('release'))
      const end = elapsedMs() + waitMs
      for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 1.5, LONGEST_PAUSE_MS)) {
        signal?.throwIfAborted()
        const asking = step('begin', print, holdMs, Math.max(lifeMs, holdMs))
        const reply = await within(asking, limitOf({ signal })).catch((error: unknown) => {
          // The step may have claimed the key, or still may, and this caller will not do the work: release the key. Wait for the
          // step to settle first, since a release that overtook it would leave the key claimed.
          asking.then(release, release).catch(() => {})
          throw error
        })
        if (reply === 1) {
          return {
            outcome: 'first',
            complete: async (response) => (await step('complete', response, lifeMs)) === 1,
            release,
          }
        }
        if (typeof reply === 'string') return { outcome: 'replay', response: reply }
        const left = end - elapsedMs()
        if (reply !== 3 || !(left > 0)) return { outcome: OUTCOMES[reply as 2] }
        await sleep(Math.min(left, jittered(pauseMs)), signal)
      }
    },
  }
}
