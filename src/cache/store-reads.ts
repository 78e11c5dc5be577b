import type { Entry } from '../protocol/entry.ts'
import { settledOrTimeout } from '../runtime/background.ts'
import { now } from '../runtime/clock.ts'
import { within } from '../runtime/deadline.ts'
import { LATE_MS } from '../store/last-resort.ts'
import type { Core } from './model.ts'
import { ask, commandCall, nothing, runOperation } from './store-calls.ts'

/** How long an entry of an ended generation still lives after `fade`, in milliseconds. */
const FADE_MS = 60_000

/**
 * A read of a stored key waits for the calls in the key's queue and for the write of a loaded value. Resolves when the next of
 * these has ended; undefined: there is none. `queued`: the caller already has its turn in the queue.
 */
export function beforeRead(core: Core, key: string, queued = false): Promise<void> | undefined {
  return (queued ? undefined : core.queue.before(key)) ?? pendingFill(core, key)
}

/** The text under a stored key. Calls of one tick share one read. */
export function readText(core: Core, key: string, queued = false): Promise<string | undefined> {
  const before = beforeRead(core, key, queued)
  if (before) return before.then(() => readText(core, key, true))
  let reading = core.reads.get(key)
  if (!reading) {
    reading = read(core, key)
    core.reads.set(key, reading)
  }
  return reading
}

function read(core: Core, key: string): Promise<string | undefined> {
  const { store, storeTimeoutMs } = core
  return ask(core, [key], (nowMs) => store.get(key, { deadline: nowMs + storeTimeoutMs, patient: false }))
}

/** Reads and remembers the version under a stored key. Calls of one tick share one read. Waits for no write of an entry. */
export function readVersion(core: Core, key: string): Promise<string | undefined> {
  let reading = core.versionReads.get(key)
  if (!reading) {
    const { epoch } = core.versions
    reading = read(core, key)
    // Registered first, so that the version is remembered before any caller continues. The callers handle a failure.
    reading.then((version) => core.versions.note(key, version, epoch), nothing)
    core.versionReads.set(key, reading)
  }
  return reading
}

/** Makes reads of the key wait for this write, which must not reject: a caller whose load has ended finds its value stored. */
export function trackFill({ fills }: Core, key: string, written: Promise<unknown>): void {
  fills.set(key, written)
  void written.then(() => {
    if (fills.get(key) === written) fills.delete(key)
  })
}

/** Resolves when the write of a loaded value to this key has ended; undefined: there is none. */
export function pendingFill({ fills, storeTimeoutMs }: Core, key: string): Promise<void> | undefined {
  const written = fills.size > 0 ? fills.get(key) : undefined
  if (!written) return undefined
  const forget = (): void => {
    if (fills.get(key) === written) fills.delete(key)
  }
  // Wait no longer than the store has time for the write.
  const deadline = now() + storeTimeoutMs + LATE_MS
  return within(settledOrTimeout(written), { signals: [], deadline }).then(forget, forget)
}

/**
 * Gives an entry of an ended generation that has no lifetime a minute to live: it can never be valid again. It is not deleted
 * at once, since its writer may be about to rewrite it (`stamped-write.ts`).
 */
export function fade(core: Core, key: string, { id, generation }: Entry, generationKey: string): void {
  const { faded, store, background } = core
  if (faded.get(key)) return
  faded.set(key, true, FADE_MS)
  const work = async (): Promise<void> => {
    // The generation may have been read before the entry, and then be older than the entry's own. A generation that is read
    // now is newer than the entry: if the two differ, the entry's generation has ended.
    const read = (): Promise<string | undefined> => store.get(generationKey, commandCall(core))
    const current = await ask(core, [generationKey], read, { isAwaited: false })
    if (current === generation) return
    const args = ['bury', id, FADE_MS]
    await runOperation(core, { operation: core.format.steps.repeat, key, args }, commandCall(core))
  }
  background.add(work().catch(nothing), undefined, nothing)
}

/** Forgets what this process has read of a version. */
export function forgetVersion({ versionReads, versions }: Core, key: string): void {
  versionReads.delete(key)
  versions.forget(key)
}
