import { HitherError, StoreRejectedError } from '../errors.ts'
import type { ApplyTable, Arg, Operation, Reply } from '../protocol/operation.ts'
import { now, sleep } from '../runtime/clock.ts'
import { limitOf, within } from '../runtime/deadline.ts'
import { createKeyQueue } from '../runtime/key-queue.ts'
import { tell } from '../runtime/listener.ts'
import { random } from '../runtime/random.ts'
import { type Call, withDeadline } from './call.ts'
import { checkArgs, checkKey } from './checks.ts'
import type { ScriptGuard } from './script-guard.ts'
import type { CommandStore, StoreEvent } from './store.ts'
import { type Exclusive, ReplyError, type Wire } from './transport.ts'

/** How long a server that has refused scripts is not tried again, in milliseconds. */
const ASK_AGAIN_MS = 10_000

/** In the message of a `StoreRejectedError`: the user may run the command, but not on this key. */
const KEY_DENIED = /NOPERM .* access (?:a key|one)$/i

/** The two ways to run one call: as a script, or under WATCH. */
interface EitherWay<T> {
  readonly call: Call | undefined
  readonly scripted: () => Promise<T>
  readonly watched: () => Promise<T>
}

type Acquire = (call: Call, key: string) => Promise<Exclusive>

export interface WatchOptions {
  /** Lends a connection. Undefined: if the server refuses scripts, operations reject. */
  readonly acquire: Acquire | undefined
  /** Deadline of a call that names none, in milliseconds. @default 5000 */
  readonly timeoutMs?: number | undefined
  /** `apply` by operation name, for operations that come without one. Used in place of the operation's own. */
  readonly table?: ApplyTable
  /** The guard of `store`. */
  readonly guard?: ScriptGuard
  readonly onEvent?: ((event: StoreEvent) => void) | undefined
}

/**
 * Wraps `store`. Once the server has refused scripts, or may run several at once on a key, operations run under WATCH; an
 * operation or `ready()` finds that out. Every 10 s one call tries a script again. While operations run under WATCH, calls on a
 * key run one at a time.
 */
export function withWatch(store: CommandStore, options: WatchOptions): CommandStore {
  const { acquire, timeoutMs = 5000, table = {}, guard, onEvent } = options
  let scriptless = false
  let askAtMs = 0
  let closed = false
  const queue = createKeyQueue()
  /** Whether calls queue. When the server runs scripts again they still do, until the queued calls have ended. */
  const mustWait = (): boolean => scriptless || queue.isBusy()
  /** Queues calls while operations run under WATCH: those have other connections, so only waiting keeps the order on a key. */
  const inOrder = <T>(keys: readonly string[], call: Call | undefined, work: () => Promise<T>): Promise<T> =>
    mustWait() ? queue.run(keys, true, limitOf(call), work) : work()
  /** Whether only the guard refused a script, and scripts are now known to be atomic, so that the script may run. */
  const isProven = async (call: Call | undefined): Promise<boolean> => {
    if (!guard?.isRefused || !(await within(guard.prove(), limitOf(withDeadline(call, timeoutMs))))) return false
    guard.isRefused = false
    return true
  }
  const orWatch = async <T>(work: EitherWay<T>): Promise<T> => {
    if (!scriptless) return work.scripted().catch((error) => watchIfRefused(error, work))
    if (now() < askAtMs) return work.watched()
    askAtMs = now() + ASK_AGAIN_MS
    try {
      const result = await work.scripted()
      scriptless = false
      return result
    } catch (error) {
      return watchIfRefused(error, work)
    }
  }
  const watchIfRefused = async <T>(error: unknown, work: EitherWay<T>): Promise<T> => {
    if (!isUnsupported(error)) throw error
    if (await isProven(work.call)) return orWatch(work)
    if (!acquire) throw error
    if (!scriptless) {
      askAtMs = now() + ASK_AGAIN_MS
      tell(onEvent, { type: 'no-scripts', command: 'EVAL' })
    }
    scriptless = true
    return work.watched()
  }
  const eitherWay = <A extends readonly Arg[], R extends Reply>(
    operation: Operation<A, R>,
    key: string,
    args: A,
    call: Call | undefined,
  ): EitherWay<R> => ({
    call,
    scripted: () => store.run(operation, key, args, call),
    async watched() {
      checkKey(key, store.traits)
      checkArgs(args, store.traits)
      const work = { operation, key, args }
      if (closed) throw new HitherError('CLOSED', 'the store is closed')
      return runUnderWatch({ acquire: acquire as Acquire, table }, work, withDeadline(call, timeoutMs))
    },
  })
  const run: CommandStore['run'] = (operation, key, args, call) =>
    mustWait()
      ? inOrder([key], call, () => orWatch(eitherWay(operation, key, args, call)))
      : store
          .run(operation, key, args, call)
          .catch((error) => watchIfRefused(error, eitherWay(operation, key, args, call)))
  const { getBytes, setBytes } = store
  return {
    ...store,
    // In the common case, a server that runs scripts, a read does not pay for the queue.
    get: (key, call) => (mustWait() ? inOrder([key], call, () => store.get(key, call)) : store.get(key, call)),
    getMany: (keys, call) => inOrder(keys, call, () => store.getMany(keys, call)),
    set: (key, value, ttlMs, call) => inOrder([key], call, () => store.set(key, value, ttlMs, call)),
    delete: (keys, call) => inOrder(keys, call, () => store.delete(keys, call)),
    ...(getBytes ? { getBytes: (key, call) => inOrder([key], call, () => getBytes(key, call)) } : {}),
    ...(setBytes
      ? { setBytes: (key, value, ttlMs, call) => inOrder([key], call, () => setBytes(key, value, ttlMs, call)) }
      : {}),
    command: (keys, args, effect, call) => inOrder(keys, call, () => store.command(keys, args, effect, call)),
    run,
    close() {
      closed = true
      return store.close()
    },
    ready: (call) =>
      orWatch({
        call,
        scripted: () => store.ready(call),
        watched: () =>
          store.get('hither', call).then(
            () => {},
            (error) => {
              // The user may have rights on other keys only.
              if (!(error instanceof StoreRejectedError && KEY_DENIED.test(error.message))) throw error
            },
          ),
      }),
  }
}

/**
 * Runs an operation's `apply` under WATCH, for a server that refuses scripts. It reads, decides, and writes in a transaction
 * that fails if the key has changed. It then tries again, with jitter, until the deadline (`TIMEOUT`; nothing ran). Time is
 * the server's clock. A lost reply to the transaction rejects with `maybeExecuted`.
 *
 * https://redis.io/docs/latest/develop/using-commands/transactions/ (optimistic locking with check-and-set)
 */
async function runUnderWatch<A extends readonly Arg[], R extends Reply>(
  { acquire, table }: { readonly acquire: Acquire; readonly table: ApplyTable },
  { operation, key, args }: { readonly operation: Operation<A, R>; readonly key: string; readonly args: A },
  call: Call & { readonly deadline: number },
): Promise<R> {
  const connection = await acquire(call, key)
  let broken = true
  try {
    for (let attempt = 0; now() < call.deadline; attempt++) {
      const ask = async (effect: 'read' | 'once', ...parts: (string | number)[]): Promise<Wire> => {
        const reply = await connection.send({ args: parts, effect }, call)
        if (reply instanceof ReplyError) throw new StoreRejectedError(String(parts[0]), reply)
        return reply
      }
      await ask('read', 'WATCH', key)
      const current = (await ask('read', 'GET', key)) as string | null
      const leftMs = Number(await ask('read', 'PTTL', key))
      const [seconds, micros] = (await ask('read', 'TIME')) as readonly [string, string]
      const apply = (table[operation.name] ?? operation.apply) as typeof operation.apply
      const { next, ttl, reply } = apply(current ?? undefined, args, {
        nowUs: Number(seconds) * 1_000_000 + Number(micros),
        leftMs: leftMs >= 0 ? leftMs : undefined,
      })
      if (next === (current ?? undefined) && (next === undefined || ttl === 'keep')) {
        await ask('read', 'UNWATCH')
        broken = false
        return reply
      }
      const write =
        next === undefined
          ? ['UNLINK', key]
          : ttl === 'keep'
            ? ['SET', key, next, 'KEEPTTL']
            : ttl === 'none'
              ? ['SET', key, next]
              : ['SET', key, next, 'PX', ttl.ms]
      const written = await connection.transaction([{ args: write, effect: 'once' }], call).catch(changed)
      if (written) {
        if (written[0] instanceof ReplyError) throw new StoreRejectedError(String(write[0]), written[0])
        broken = false
        return reply
      }
      await sleep(2 ** Math.min(attempt, 5) * random(), call.signal)
    }
    broken = false
    throw new HitherError('TIMEOUT', `${operation.name}: the key kept changing until the deadline`, { retryable: true })
  } finally {
    connection.release(broken)
  }
}

function isUnsupported(error: unknown): boolean {
  return error instanceof HitherError && error.code === 'UNSUPPORTED'
}

/** Undefined if the transaction failed because its key changed: EXEC then replies nil. Throws any other error. */
function changed(error: unknown): undefined {
  if (error instanceof StoreRejectedError && error.reply === 'null') return undefined
  throw error
}
