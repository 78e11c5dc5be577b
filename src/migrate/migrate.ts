import { HitherError, isHitherError } from '../errors.ts'
import { checkNames, checkOperations, checkWhole, invalid } from '../protocol/arguments.ts'
import { elapsedMs, sleep } from '../runtime/clock.ts'
import { tell } from '../runtime/listener.ts'
import type { AtomicStore, Store } from '../store/store.ts'
import { copyKey, hasOperations, type Outcome } from './copy-key.ts'
import { countKeys, isOnePlace, type Page, paged, pagesOf, type Selection, selectionOf, serverId } from './keys.ts'
import { type Counts, countNotMoved, noCounts, readState, resultOf, type Saved, sumOf, writeState } from './state.ts'
import type { MigrateOptions, MigrateResult, NotMovedReason } from './types.ts'

const KNOWN: { readonly [K in keyof MigrateOptions]-?: 1 } = {
  namespace: 1,
  keys: 1,
  existing: 1,
  keysPerSecond: 1,
  bytesPerSecond: 1,
  patienceMs: 1,
  state: 1,
  onProgress: 1,
  signal: 1,
}
/** Keys that are copied at once. */
const CHUNK = 100
/** A longer value is copied alone, so that memory holds at most `CHUNK` values of this size. */
const SMALL_BYTES = 64 * 1024
/** Most repeated passes over the keys. A pass is repeated if another server replaced the source during it. */
const MAX_PASSES = 5

/** What the parts of one run share. */
interface Run {
  readonly from: AtomicStore
  readonly to: Store
  readonly options: Required<Pick<MigrateOptions, 'keysPerSecond' | 'bytesPerSecond' | 'patienceMs'>> & MigrateOptions
  readonly selection: Selection
  readonly of: string
  readonly counts: Counts
  readonly total: number | undefined
  readonly startedAt: number
  /** Keys and bytes of this run that count for its pace, without those before a resume. */
  paced: { keys: number; bytes: number }
  /** When a store last replied, by the monotonic clock. */
  goodAt: number
}

/**
 * Copies the keys of `from` to `to`, with their lifetimes, while both are in use. First give the programs `dualStore(from, to)`,
 * or stop their writes: a key that is written to `from` alone during the run may be missed. Keys that only `to` has are left
 * alone. Keys that cannot be moved are counted and named in the result.
 *
 * Rejects with `INVALID_ARGUMENT` or `UNSUPPORTED` before it copies anything, with a store's error if the store keeps failing
 * for `patienceMs`, and with the signal's reason. A run that was ended or killed is resumed by `state`, and repeated without
 * it. Neither loses anything, since a key is copied again until both stores agree on it.
 */
export async function migrate(from: AtomicStore, to: Store, options: MigrateOptions = {}): Promise<MigrateResult> {
  const run = await begin(from, to, options)
  const { state } = options
  let saved = readState(await state?.load(), run.of)
  if (saved) Object.assign(run.counts, saved.counts)
  for (let pass = 0; ; pass++) {
    const server = await serverId(from)
    // A cursor is valid only on the server that made it.
    const isSame = saved?.server !== undefined && saved.server === server
    await copyAll(run, server, { cursor: isSame ? (saved as Saved).cursor : '', pending: saved?.pending ?? [] })
    saved = undefined
    const isReplaced = server !== undefined && (await serverId(from)) !== server
    if (!isReplaced) break
    if (pass === MAX_PASSES) throw new HitherError('STORE_UNAVAILABLE', 'the source was replaced during each pass')
  }
  await state?.save(undefined)
  return resultOf(run.counts)
}

async function begin(from: AtomicStore, to: Store, options: MigrateOptions): Promise<Run> {
  checkNames('migrate', options, Object.keys(KNOWN))
  checkOperations('migrate', from)
  if (typeof to?.set !== 'function') throw invalid('migrate needs a store to copy to')
  if ((from as Store) === to) throw invalid('from and to are one store')
  const { existing = 'replace', keys, namespace, state } = options
  if (existing !== 'replace' && existing !== 'keep') throw invalid("existing is 'replace' or 'keep'")
  if (state && !(typeof state.load === 'function' && typeof state.save === 'function'))
    throw invalid('state is an object with load and save')
  if (keys && !(Symbol.iterator in Object(keys) || Symbol.asyncIterator in Object(keys)))
    throw invalid('keys is a list, or an iterable, of keys')
  if (options.onProgress && typeof options.onProgress !== 'function') throw invalid('onProgress is a function')
  const keysPerSecond = checkWhole(options.keysPerSecond ?? 10_000, 'keysPerSecond', 1)
  const bytesPerSecond = checkWhole(options.bytesPerSecond ?? 50_000_000, 'bytesPerSecond', 1)
  const patienceMs = checkWhole(options.patienceMs ?? 10_000, 'patienceMs', 0)
  const selection = selectionOf(namespace)
  if (!keys && !from.scan && !from.transport)
    throw new HitherError('UNSUPPORTED', `${from.name} cannot list its keys: give them as keys`)
  await Promise.all([from.ready(), to.ready()])
  options.signal?.throwIfAborted()
  if (await isOnePlace(from, to, namespace)) throw invalid('from and to are one place, under two names')
  return {
    from,
    to,
    options: { ...options, keysPerSecond, bytesPerSecond, patienceMs },
    selection,
    of: `${from.name} ${to.name} ${namespace ?? '*'} ${existing}`,
    counts: noCounts(),
    total: keys || namespace ? undefined : await countKeys(from),
    startedAt: elapsedMs(),
    paced: { keys: 0, bytes: 0 },
    goodAt: elapsedMs(),
  }
}

/** One pass over the keys, from where an earlier run ended. */
async function copyAll(run: Run, server: string | undefined, at: Pick<Saved, 'cursor' | 'pending'>): Promise<void> {
  const { from, of, counts, selection } = run
  const { keys, state, signal, patienceMs } = run.options
  let { cursor } = at
  const copy = async (page: Page): Promise<void> => {
    // Saved before the keys are copied, so that after a kill the next run knows which keys may be half copied.
    await state?.save(writeState({ of, server, cursor: page.next ?? '', pending: page.keys, counts }))
    await copyPage(run, page.keys)
    cursor = page.next ?? cursor
    report(run)
  }
  if (at.pending.length > 0) await copy({ keys: at.pending, next: cursor })
  if (keys) {
    for await (const page of paged(keys, selection)) await copy(page)
    return
  }
  // After a failure the scan continues after the last page, or starts again if the source has no cursor.
  for (;;) {
    try {
      for await (const page of pagesOf(from, selection, cursor)) {
        run.goodAt = elapsedMs()
        await copy(page)
      }
      return
    } catch (error) {
      if (!isPassing(error) || elapsedMs() - run.goodAt > patienceMs) throw error
      await sleep(RETRY_MS, signal)
    }
  }
}

const RETRY_MS = 200

function report({ options, counts, total }: Run): void {
  tell(options.onProgress, { ...counts, notMoved: sumOf(counts), total })
}

/** Copies keys in chunks, and those with large values one by one. Tries again while a store is down. */
async function copyPage(run: Run, keys: readonly string[]): Promise<void> {
  const large: string[] = []
  for (let at = 0; at < keys.length; at += CHUNK) {
    await copyChunk(run, keys.slice(at, at + CHUNK), SMALL_BYTES, large)
  }
  for (const key of large) await copyChunk(run, [key], maxBytesOf(run))
}

const maxBytesOf = ({ from, to }: Run): number => Math.min(from.traits.maxValueBytes, to.traits.maxValueBytes)

async function copyChunk(run: Run, keys: readonly string[], maxBytes: number, large?: string[]): Promise<void> {
  const { from, to, options, counts } = run
  const { existing, patienceMs, signal } = options
  let left = keys.filter((key) => {
    const reason = uselessAt(to, key)
    if (reason) countNotMoved(counts, reason, key)
    return !reason
  })
  while (left.length > 0) {
    if (signal?.aborted) throw signal.reason
    const copying = { from, to, maxBytes, defersLarge: large !== undefined, onlyNew: existing === 'keep' }
    // Waits for all copies to settle, so that none writes after the run has ended.
    const results = await Promise.allSettled(left.map((key) => copyKey(copying, key)))
    const failed: string[] = []
    let failure: unknown
    for (const [i, result] of results.entries()) {
      const key = left[i] as string
      if (result.status === 'rejected') {
        failed.push(key)
        failure = isPassing(failure) || failure === undefined ? result.reason : failure
      } else if (result.value.what === 'large' && large) large.push(key)
      else count(run, key, result.value)
    }
    await pace(run, left.length - failed.length)
    if (failed.length < left.length) run.goodAt = elapsedMs()
    if (failed.length > 0) {
      if (!isPassing(failure) || elapsedMs() - run.goodAt > patienceMs) throw failure
      await sleep(RETRY_MS, signal)
    }
    left = failed
  }
}

function count({ counts, paced }: Run, key: string, outcome: Outcome): void {
  const { what } = outcome
  if (what === 'copied') {
    counts.copied++
    counts.bytes += outcome.bytes
    paced.bytes += outcome.bytes
  } else if (what === 'gone') counts.gone++
  else if (what === 'kept') counts.kept++
  else countNotMoved(counts, what === 'large' ? 'value-too-large' : what, key)
}

/** Waits until the keys and bytes copied so far are due by the limits of the run. */
async function pace({ options, paced, startedAt }: Run, keys: number): Promise<void> {
  paced.keys += keys
  const dueMs = 1000 * Math.max(paced.keys / options.keysPerSecond, paced.bytes / options.bytesPerSecond)
  const waitMs = startedAt + dueMs - elapsedMs()
  if (waitMs > 1) await sleep(waitMs, options.signal)
}

/** Why a key is useless on a store without operations: hither keeps data under it that only operations can use. */
function uselessAt(to: Store, key: string): NotMovedReason | undefined {
  if (hasOperations(to) || !/^:[\w.-]+:/.test(key)) return undefined
  return /^:[\w.-]+:t:/.test(key) ? 'tag-version' : 'needs-operations'
}

/** Errors of a server that pass after a while. */
const PASSING_REPLIES = /^(LOADING|TRYAGAIN|CLUSTERDOWN|MASTERDOWN|READONLY|BUSY|NOREPLICAS)$/

function isPassing(error: unknown): boolean {
  if (!isHitherError(error)) return false
  if (/^(STORE_UNAVAILABLE|TIMEOUT|OVERLOADED)$/.test(error.code)) return true
  return PASSING_REPLIES.test(String((error as { reply?: unknown }).reply))
}
