import { HitherError, StoreRejectedError } from '../errors.ts'
import type { Effect } from '../protocol/operation.ts'
import type { Call } from '../store/store.ts'
import { ReplyError, type Wire } from '../store/transport.ts'
import { type Bitmap, bitmapAt } from './bitmap.ts'
import { type Geo, geoAt } from './geo.ts'
import { type Hash, hashAt } from './hash.ts'
import { type HyperLogLog, hyperLogLogAt } from './hyper-log-log.ts'
import { type List, listAt } from './list.ts'
import { type Args, checkReply, checkSpace, placeOf, type Send, type StructureSpace, wrongTypeOr } from './place.ts'
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

/** One call, until it is sent. */
interface Collected {
  readonly keys: readonly string[]
  readonly args: Args | Promise<Args>
  readonly effect: Effect
  readonly call: Call | undefined
  resolve(reply: Wire): void
  reject(error: unknown): void
}

/**
 * Sends what `build` asks for in one round trip, not atomically: `batch(space, (b) => [b.hash('k').get('f'), b.set('s').size()])`
 * resolves to the results in that order. Rejects with the first error; the other commands have run.
 */
export async function batch<const P extends readonly unknown[]>(
  space: StructureSpace,
  build: (structures: Batch) => readonly [...P],
  call?: Call,
): Promise<Results<P>> {
  const { store } = checkSpace(space)
  const { collected, results } = collect(space, build)
  const ready = await Promise.all(collected.map(({ args }) => args))
  for (const [i, one] of collected.entries()) {
    store
      .command(one.keys, ready[i] as Args, one.effect, one.call ?? call)
      .then(one.resolve, (error: unknown) => one.reject(wrongTypeOr(error)))
  }
  return (await Promise.all(results)) as Results<P>
}

/**
 * As `batch`, in one MULTI … EXEC: nothing runs where the server refuses a command, and nothing of others comes in between.
 * A command that fails while it runs does not undo the others (Redis has no rollback): the error names it. On a Cluster all
 * keys share a slot (`{…}` in their names).
 */
export async function transaction<const P extends readonly unknown[]>(
  space: StructureSpace,
  build: (structures: Batch) => readonly [...P],
  call?: Call,
): Promise<Results<P>> {
  const { store } = checkSpace(space)
  const { collected, results } = collect(space, build)
  const ready = await Promise.all(collected.map(({ args }) => args))
  if (collected.length > 0) {
    const commands = ready.map((args, i) => ({ args, effect: (collected[i] as Collected).effect }))
    try {
      const replies = await store.transport.transaction(commands, call)
      for (const [i, one] of collected.entries()) {
        const reply = replies[i] as Wire
        if (reply instanceof ReplyError) one.reject(failedInside(String(ready[i]?.[0]), i, collected.length, reply))
        else one.resolve(reply)
      }
    } catch (error) {
      for (const one of collected) one.reject(error)
    }
  }
  return (await Promise.all(results)) as Results<P>
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

/** Lets `build` make its calls, none of which is sent. */
function collect<P extends readonly unknown[]>(
  space: StructureSpace,
  build: (structures: Batch) => readonly [...P],
): { collected: Collected[]; results: readonly [...P] } {
  const collected: Collected[] = []
  let isOpen = true
  const send: Send = (keys, args, effect, call) =>
    new Promise((resolve, reject) => {
      if (!isOpen) throw new HitherError('INVALID_ARGUMENT', 'this batch was sent: calls are made before it returns')
      collected.push({ keys, args, effect, call, resolve, reject })
    })
  const results = build({
    hash: (key) => hashAt(placeOf(space, key, send)),
    list: (key) => listAt(placeOf(space, key, send)),
    set: (key) => setAt(placeOf(space, key, send)),
    sortedSet: (key) => sortedSetAt(placeOf(space, key, send)),
    stream: (key) => streamAt(placeOf(space, key, send)),
    bitmap: (key) => bitmapAt(placeOf(space, key, send)),
    hyperLogLog: (key) => hyperLogLogAt(placeOf(space, key, send)),
    geo: (key) => geoAt(placeOf(space, key, send)),
  })
  isOpen = false
  if (Array.isArray(results)) return { collected, results }
  throw new HitherError(
    'INVALID_ARGUMENT',
    'a batch or transaction is a function that returns an array of calls, at once',
  )
}
