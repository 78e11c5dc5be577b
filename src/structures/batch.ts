import { HitherError, StoreRejectedError } from '../errors.ts'
import { checkSignal, invalid } from '../protocol/arguments.ts'
import type { Effect } from '../protocol/operation.ts'
import { type Call, withDeadline } from '../store/call.ts'
import { checkKeys } from '../store/checks.ts'
import { ReplyError, type Wire } from '../store/transport.ts'
import { type Bitmap, bitmapAt } from './bitmap.ts'
import { type Geo, geoAt } from './geo.ts'
import { type Hash, hashAt } from './hash.ts'
import { type HyperLogLog, hyperLogLogAt } from './hyper-log-log.ts'
import { type List, listAt } from './list.ts'
import {
  type Args,
  checkReply,
  checkSpace,
  ownErrorOf,
  type Place,
  placeOf,
  type Send,
  type StructureSpace,
} from './place.ts'
import { setAt, type ValueSet } from './set.ts'
import { type SortedSet, sortedSetAt } from './sorted-set.ts'
import { type Stream, streamAt } from './stream.ts'

/** The structures of a space, whose calls are collected and sent together. */
export interface Batch {
  hash<T = unknown>(key: string): Hash<T>
  list<T = unknown>(key: string): List<T>
  set<T = unknown>(key: string): ValueSet<T>
  sortedSet<T = unknown>(key: string): SortedSet<T>
  stream<T = unknown>(key: string): Stream<T>
  bitmap(key: string): Bitmap
  hyperLogLog<T = unknown>(key: string): HyperLogLog<T>
  geo<T = unknown>(key: string): Geo<T>
}

type Results<P extends readonly unknown[]> = { -readonly [K in keyof P]: Awaited<P[K]> }

/** A call that was made and not sent yet. */
interface Collected {
  readonly keys: readonly string[]
  readonly args: Args | Promise<Args>
  readonly effect: Effect
  readonly call: Call | undefined
  resolve(reply: Wire): void
  reject(error: unknown): void
}

/**
 * Sends the calls of `build` in one round trip, not atomically: `batch(space, (b) => [b.hash('k').get('f'), b.set('s').size()])`
 * resolves to their results in that order. Rejects with the first error in that order; the other commands have run. If a call
 * is refused before it is sent, such as for a value that cannot be stored, none is sent. Past 10,000 keys: `BATCH_TOO_LARGE`.
 */
export async function batch<const P extends readonly unknown[]>(
  space: StructureSpace,
  build: (structures: Batch) => readonly [...P],
  call?: Call,
): Promise<Results<P>> {
  const { store } = checkSpace(space)
  const { collected, ready, results } = await collect(space, build)
  for (const [i, one] of collected.entries()) {
    store
      .command(one.keys, ready[i] as Args, one.effect, one.call ?? call)
      .then(one.resolve, (error: unknown) => one.reject(ownErrorOf(error)))
  }
  return (await results) as unknown as Results<P>
}

/**
 * As `batch`, in one MULTI … EXEC. If the server refuses to queue a command, none runs; commands of other clients do not run
 * in between. A command that fails while it runs does not undo the others (Redis has no rollback): the error names that
 * command. On a Cluster all keys must share a slot (`{…}` in their names). Rejects with `INVALID_ARGUMENT` if one of its calls
 * has a signal or a deadline.
 */
export async function transaction<const P extends readonly unknown[]>(
  space: StructureSpace,
  build: (structures: Batch) => readonly [...P],
  call?: Call,
): Promise<Results<P>> {
  const { store } = checkSpace(space)
  checkSignal(call?.signal)
  const { collected, ready, results } = await collect(space, build)
  if (collected.some(({ call }) => call?.signal || call?.deadline !== undefined))
    throw invalid('a transaction has one signal and deadline, after its function')
  if (collected.length > 0) {
    const commands = ready.map((args, i) => ({ args, effect: (collected[i] as Collected).effect }))
    try {
      const replies = await store.transport.transaction(commands, withDeadline(call, store.timeoutMs))
      for (const [i, one] of collected.entries()) {
        const reply = replies[i] as Wire
        if (reply instanceof ReplyError) one.reject(failedInside(String(ready[i]?.[0]), i, collected.length, reply))
        else one.resolve(reply)
      }
    } catch (error) {
      for (const one of collected) one.reject(error)
    }
  }
  return (await results) as unknown as Results<P>
}

function failedInside(verb: string, at: number, of: number, reply: ReplyError): HitherError {
  try {
    checkReply(verb, reply)
  } catch (cause) {
    const { code } = cause as HitherError
    const message = `command ${at + 1} of ${of} in the transaction, ${verb}, was rejected: ${reply.word}. The others have run`
    return new HitherError(code, message, { cause, maybeExecuted: true })
  }
  return new StoreRejectedError(verb, reply.word)
}

/**
 * Lets `build` make its calls, which are collected and not sent, and waits for their arguments. Rejects with the error of the
 * first call that is refused before it is sent: the others must not be sent without it.
 */
async function collect<P extends readonly unknown[]>(
  space: StructureSpace,
  build: (structures: Batch) => readonly [...P],
): Promise<{ collected: Collected[]; ready: Args[]; results: Promise<unknown[]> }> {
  const collected: Collected[] = []
  const unsent: Promise<unknown>[] = []
  let isOpen = true
  const send: Send = (keys, args, effect, call) =>
    new Promise((resolve, reject) => {
      if (!isOpen) throw invalid('this batch was sent: calls are made before it returns')
      collected.push({ keys, args, effect, call, resolve, reject })
    })
  /** Notes in `unsent` each call that collected no command: it refused its arguments, or needs no command. */
  const watched = <S extends object>(structure: S): S =>
    new Proxy(structure, {
      get(of, name) {
        const method = of[name as keyof S]
        if (typeof method !== 'function') return method
        return (...args: unknown[]) => {
          const before = collected.length
          const result: unknown = method.apply(of, args)
          if (name === 'group') return watched(result as object)
          if (result instanceof Promise && collected.length === before) {
            // If `build` throws or returns no array, nobody handles this rejection.
            result.catch(() => {})
            unsent.push(result)
          }
          return result
        }
      },
    })
  const made =
    <T, S extends object>(kindAt: (place: Place<T>) => S) =>
    (key: string): S =>
      watched(kindAt(placeOf<T>(space, key, send)))
  if (typeof build !== 'function') throw notCalls()
  const built = build({
    hash: made(hashAt),
    list: made(listAt),
    set: made(setAt),
    sortedSet: made(sortedSetAt),
    stream: made(streamAt),
    bitmap: made(bitmapAt),
    hyperLogLog: made(hyperLogLogAt),
    geo: made(geoAt),
  } as Batch)
  isOpen = false
  if (!Array.isArray(built)) throw notCalls()
  // Throws the first error in the order of the calls, not the one that came first in time.
  const results = Promise.allSettled(built as readonly unknown[]).then((all) =>
    all.map((one) => {
      if (one.status === 'rejected') throw one.reason
      return one.value
    }),
  )
  // The results are awaited only once everything is sent. Until then an error must not count as an unhandled rejection.
  results.catch(() => {})
  const ready = Promise.all(collected.map(({ args }) => args))
  await Promise.all([ready, ...unsent])
  const keys = collected.flatMap((one) => one.keys)
  checkKeys(keys, space.store.traits)
  return { collected, ready: await ready, results }
}

function notCalls(): HitherError {
  return invalid('a batch or transaction is a function that returns an array of calls, at once')
}
