import { HitherError, isHitherError } from '../errors.ts'
import { checkNames, checkOperations, checkWhole, invalid } from '../protocol/arguments.ts'
import type { Arg, Operation, Reply } from '../protocol/operation.ts'
import { elapsedMs, now } from '../runtime/clock.ts'
import { tell } from '../runtime/listener.ts'
import type { AtomicStore, Call, Store } from '../store/store.ts'
import { partlyRun } from '../store/sum-of.ts'
import { copyKey, readCopy } from './copy-key.ts'
import { addEntry, dropEntry } from './operations.ts'
import type { DualStore, DualStoreOptions } from './types.ts'

const KNOWN: { readonly [K in keyof DualStoreOptions]-?: 1 } = { reads: 1, mirrorTimeoutMs: 1, onEvent: 1 }
/** Most keys that are remembered while the other store is down. */
const MAX_PENDING = 10_000
/** How long writes are only remembered after the other store failed, in milliseconds; never with `reads: 'to'`. */
const REST_MS = 1000
/** Pending keys that one write copies besides its own. */
const CATCH_UP = 50

/**
 * One store over two, for a move from one to the other. A write goes to the store that decides, and its result is then copied
 * to the other store before the call resolves. That costs about three more round trips.
 *
 * `reads: 'from'`, the default: `from` decides alone. If `to` fails, the call still resolves; the key is remembered (10,000 of
 * them) and copied later, and `onEvent` reports it. `reads: 'to'`: `to` decides. A key that `to` lacks is read from `from`.
 * Both stores must reply, since an old value would otherwise be read again.
 *
 * Messages (`publish`, `subscribe`) go through `from` alone. `close` closes both stores. Throws `UNSUPPORTED` if `from`,
 * or with `reads: 'to'` also `to`, has no operations, and `INVALID_ARGUMENT` for options that make no sense.
 */
export function dualStore(
  from: AtomicStore,
  to: AtomicStore,
  options?: DualStoreOptions & { reads?: 'from' | 'to' },
): DualStore
export function dualStore(from: AtomicStore, to: Store, options?: DualStoreOptions & { reads?: 'from' }): DualStore
export function dualStore(from: AtomicStore, to: Store, options: DualStoreOptions = {}): DualStore {
  checkNames('dualStore', options, Object.keys(KNOWN))
  const { reads = 'from', onEvent } = options
  if (reads !== 'from' && reads !== 'to') throw invalid("reads is 'from' or 'to'")
  if ((from as Store) === to) throw invalid('from and to are one store')
  if (typeof to?.set !== 'function') throw invalid('dualStore needs a store to copy to')
  const isStrict = reads === 'to'
  checkOperations('dualStore', from)
  if (isStrict) checkOperations("dualStore with reads: 'to'", to as AtomicStore)
  const main = (isStrict ? to : from) as AtomicStore
  const other: Store = isStrict ? from : to
  const mirrorTimeoutMs = checkWhole(options.mirrorTimeoutMs ?? 1000, 'mirrorTimeoutMs', 1)
  const maxBytes = Math.min(main.traits.maxValueBytes, other.traits.maxValueBytes)
  /** `true`: a write failed, so the store that decides may lack what only the other has. It is pulled first, not deleted. */
  const pending = new Map<string, boolean>()
  let restUntil = 0
  let hasLostTrack = false

  const remember = (keys: readonly string[], pullsFirst = false): void => {
    for (const key of keys) {
      if (pending.size < MAX_PENDING || pending.has(key)) pending.set(key, pullsFirst && pending.get(key) !== false)
      else if (!hasLostTrack) {
        hasLostTrack = true
        tell(onEvent, { type: 'lost-track', store: other.name })
      }
    }
  }
  /** Copies keys from the store that decides to the other. Resolves to the errors, by key. */
  const bringOver = async (keys: readonly string[], call?: Call): Promise<ReadonlyMap<string, unknown>> => {
    const copying = { from: main, to: other, maxBytes, onlyNew: false, ...(call ? { call } : {}) }
    const failed = new Map<string, unknown>()
    const bring = async (key: string): Promise<void> => {
      const pullsFirst = pending.get(key)
      pending.delete(key)
      try {
        // What cannot be pulled, such as bytes, is left where it is.
        if (!pullsFirst || (await pull(key, call))) await copyKey(copying, key)
      } catch (error) {
        failed.set(key, error)
        remember([key], pullsFirst)
      }
    }
    await Promise.all(keys.map(bring))
    return failed
  }
  const mirror = async (keys: readonly string[]): Promise<void> => {
    if (!isStrict && now() < restUntil) return remember(keys)
    const had = pending.size
    const more = [...pending.keys()].slice(0, CATCH_UP)
    const failed = await bringOver([...new Set([...keys, ...more])], { deadline: now() + mirrorTimeoutMs })
    if (failed.size === 0) {
      if (had > 0 && pending.size === 0) tell(onEvent, { type: 'caught-up', store: other.name })
      return
    }
    restUntil = now() + REST_MS
    const [error] = failed.values()
    tell(onEvent, { type: 'behind', store: other.name, error, pending: pending.size })
    // A pending key of another node may have failed alone, which says nothing about this write.
    const own = keys.find((key) => failed.has(key))
    if (isStrict && own !== undefined)
      throw new HitherError('STORE_UNAVAILABLE', `${other.name} was not reached: the write is in one of two stores`, {
        cause: failed.get(own),
        maybeExecuted: true,
      })
  }
  /** Copies the keys after the write. Remembers them if the write failed but may have run. */
  const written = async <T>(keys: readonly string[], write: Promise<T>): Promise<T> => {
    const result = await write.catch((error: unknown) => {
      if (!isHitherError(error) || error.maybeExecuted) remember(keys, isStrict)
      throw error
    })
    // The write has pulled what only `from` had, so what the store that decides lacks now is gone.
    for (const key of keys) if (pending.has(key)) pending.set(key, false)
    await mirror(keys)
    return result
  }
  const pull = (key: string, call?: Call): Promise<boolean> => pullKey({ from, main, maxBytes }, key, call)
  /** Awaits the read here, because some runtimes report a promise that is rejected before it is returned. */
  const orFrom = async <T>(value: T | undefined, read: () => Promise<T | undefined>): Promise<T | undefined> =>
    value === undefined && isStrict ? await read() : value

  return {
    name: 'dual',
    traits: main.traits,
    get pending() {
      return pending.size
    },
    async sync() {
      while (pending.size > 0) {
        const [error] = (await bringOver([...pending.keys()].slice(0, CATCH_UP))).values()
        if (error !== undefined) throw error
      }
    },
    get: async (key, call) => orFrom(await main.get(key, call), () => from.get(key, call)),
    async getMany(given, call) {
      // A copy, here and below: the caller may change its array before the other store is asked.
      const keys = [...given]
      const values = await main.getMany(keys, call)
      const missing = isStrict ? keys.filter((_, i) => values[i] === undefined) : []
      if (missing.length === 0) return values
      const rest = await from.getMany(missing, call)
      let at = 0
      return values.map((value) => (value === undefined ? rest[at++] : value))
    },
    set: (key, value, ttlMs, call) => written([key], main.set(key, value, ttlMs, call)),
    async delete(given, call) {
      const keys = [...given]
      return written(keys, isStrict ? deleteInBoth({ from, main }, keys, call) : main.delete(keys, call))
    },
    async run<A extends readonly Arg[], R extends Reply>(
      operation: Operation<A, R>,
      key: string,
      args: A,
      call?: Call,
    ): Promise<R> {
      const step = async (): Promise<R> => {
        if (!isStrict || !(await pull(key, call)) || !removes(operation, args))
          return main.run(operation, key, args, call)
        // The race: the operation removes the key, and another caller pulls what `from` still has. So `from` lacks it before.
        // Other operations leave it there, for programs that still read `from`.
        await from.delete([key], call)
        return main.run(operation, key, args, call).catch((error: unknown) => {
          remember([key], true)
          throw error
        })
      }
      return operation.effect === 'read' ? step() : written([key], step())
    },
    ready: (call) => main.ready(call),
    close: async () => void (await Promise.all([from.close(), to.close()])),
    ...bytesOf(),
    ...(main.scan
      ? { scan: (pattern: string, call?: Call) => scanAll(isStrict ? [main, from] : [main], pattern, call) }
      : {}),
    ...(from.publish && from.subscribe
      ? { publish: from.publish.bind(from), subscribe: from.subscribe.bind(from) }
      : {}),
    ...(main.part ? { part: main.part.bind(main) } : {}),
  }

  function bytesOf(): Pick<Store, 'getBytes' | 'setBytes'> {
    const { getBytes, setBytes } = main
    if (!getBytes || !setBytes) return {}
    return {
      getBytes: async (key, call) =>
        orFrom(await getBytes.call(main, key, call), async () => from.getBytes?.(key, call)),
      setBytes: (key, value, ttlMs, call) => written([key], setBytes.call(main, key, value, ttlMs, call)),
    }
  }
}

async function* scanAll(stores: readonly Store[], pattern: string, call?: Call): AsyncGenerator<string> {
  for (const store of stores) if (store.scan) yield* store.scan(pattern, call)
}

/** Whether the operation removes the key: it takes a token or an entry, or ends an entry or a session. */
function removes({ name }: { readonly name: string }, args: readonly Arg[]): boolean {
  if (name === 'session.end') return args[1] === 0
  return /\.take$/.test(name) || (/^(entry|plain)\./.test(name) && /^(take|expire)$/.test(String(args[0])))
}

/** Deletes in `from` first: until the key is gone from the store that decides, a read finds it there, afterwards nowhere. */
async function deleteInBoth(
  { from, main }: { readonly from: Store; readonly main: Store },
  keys: readonly string[],
  call?: Call,
): Promise<number> {
  const before = await from.delete(keys, call)
  const there = await main.delete(keys, call).catch((error) => {
    throw isHitherError(error) ? partlyRun(error) : error
  })
  return Math.max(before, there)
}

/**
 * Copies a key that only `from` has to `to`, before an operation on it. The race: another caller deletes the key in both stores
 * between the read and the write here, and the write would bring it back. So `from` is read again, and the copy is deleted if
 * it should not be there. Resolves to whether `to` has the key.
 */
async function pullKey(
  { from, main, maxBytes }: { readonly from: AtomicStore; readonly main: AtomicStore; readonly maxBytes: number },
  key: string,
  call?: Call,
): Promise<boolean> {
  if ((await main.get(key, call)) !== undefined) return true
  const copy = await readCopy(from, key, maxBytes, call)
  if (typeof copy !== 'object' || typeof copy.value !== 'string') return false
  const lifeMs = copy.endsAt === undefined ? 0 : Math.round(copy.endsAt - elapsedMs())
  if (lifeMs < 0 || (copy.endsAt !== undefined && lifeMs === 0)) return false
  if ((await main.run(addEntry, key, [copy.value, lifeMs], call)) !== 1) return true
  const again = await readCopy(from, key, maxBytes, call)
  if (typeof again !== 'object' || again.value !== copy.value) {
    await main.run(dropEntry, key, [copy.value], call)
    return false
  }
  return true
}
