import type { Entry } from '../protocol/entry.ts'
import { settledOrTimeout } from '../runtime/background.ts'
import { now } from '../runtime/clock.ts'
import { within } from '../runtime/deadline.ts'
import { LATE_MS } from '../store/last-resort.ts'
import type { Core } from './model.ts'
import { ask, commandCall, nothing, runOperation } from './store-calls.ts'

/** What is left to an entry of a generation that has ended, in milliseconds. */
const FADE_MS = 60_000

/**
 * Resolves when the next thing has ended that a read of the stored key waits for; undefined: there is none. `queued`: the
 * caller has its turn on the key.
 */
export function beforeRead(core: Core, key: string, queued = false): Promise<void> | undefined {
  return (queued ? undefined : core.queue.before(key)) ?? pendingFill(core, key)
}

/** The text under a stored key. Calls of one tick share one read. `nowMs`: as of `Breaker`. */
export function readText(core: Core, key: string, queued = false, nowMs?: number): Promise<string | undefined> {
  const before = beforeRead(core, key, queued)
  if (before) return before.then(() => readText(core, key, true))
  let reading = core.reads.get(key)
  if (!reading) {
    reading = read(core, key, nowMs)
    core.reads.set(key, reading)
  }
  return reading
}

function read(core: Core, key: string, nowMs: number | undefined): Promise<string | undefined> {
  const { store, storeTimeoutMs } = core
  const get = (atMs: number) => store.get(key, { deadline: atMs + storeTimeoutMs, patient: false })
  return ask(core, [key], get, undefined, nowMs)
}

/** The version under a stored key, which is then remembered. Calls of one tick share one read. No write of an entry concerns it. */
export function readVersion(core: Core, key: string, nowMs?: number): Promise<string | undefined> {
  let reading = core.versionReads.get(key)
  if (!reading) {
    const { epoch } = core.versions
    reading = read(core, key, nowMs)
    // Before anybody who waits for it. Its failure is reported to those, once its entry has been read.
    reading.then((version) => core.versions.note(key, version, epoch), nothing)
    core.versionReads.set(key, reading)
  }
  return reading
}

/** Reads of the key wait for this write, which must not reject: a caller whose load has ended finds its value stored. */
export function trackFill({ fills }: Core, key: string, written: Promise<unknown>): void {
  fills.set(key, written)
  void written.then(() => {
    if (fills.get(key) === written) fills.delete(key)
  })
}

/** Resolves when nothing that was loaded is being written to the key; undefined: nothing is. */
export function pendingFill({ fills, storeTimeoutMs }: Core, key: string): Promise<void> | undefined {
  const written = fills.size > 0 ? fills.get(key) : undefined
  if (!written) return undefined
  const forget = (): void => {
    if (fills.get(key) === written) fills.delete(key)
  }
  // No longer than a store has for it.
  const deadline = now() + storeTimeoutMs + LATE_MS
  return within(settledOrTimeout(written), { signals: [], deadline }).then(forget, forget)
}

/**
 * Gives an entry without an end that can never be valid again a minute to live. Not deleted at once: its writer may still
 * write it once more (`stamped-write.ts`).
 */
export function fade(core: Core, key: string, { id, generation }: Entry, generationKey: string): void {
  const { faded, store, background } = core
  if (faded.get(key)) return
  faded.set(key, true, FADE_MS)
  const work = async (): Promise<void> => {
    // The entry may have been read after its generation, which was then an older one. What is read now is newer than
    // the entry: where it differs, the entry's own has ended.
    const read = (): Promise<string | undefined> => store.get(generationKey, commandCall(core))
    const current = await ask(core, [generationKey], read, { isAwaited: false })
    if (current === generation) return
    const args = ['bury', id, FADE_MS]
    await runOperation(core, { operation: core.format.steps.repeat, key, args }, commandCall(core))
  }
  background.add(work().catch(nothing), undefined, nothing)
}

/** Drops what is remembered of a version. */
export function forgetVersion({ versionReads, versions }: Core, key: string): void {
  versionReads.delete(key)
  versions.forget(key)
}
