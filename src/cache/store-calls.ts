import { NONE } from '../protocol/entry.ts'
import type { Arg, Operation, Reply } from '../protocol/operation.ts'
import { REQUEST_SCOPED } from '../runtime/background.ts'
import { NEVER, now } from '../runtime/clock.ts'
import { type Limit, within } from '../runtime/deadline.ts'
import { tell } from '../runtime/listener.ts'
import { randomId } from '../runtime/random.ts'
import type { CallScope } from '../store/last-resort.ts'
import { isOutage } from '../store/outage.ts'
import type { Call as StoreCall } from '../store/store.ts'
import type { Core, Emit, EntryWrite } from './model.ts'
import type { CacheEvent } from './types.ts'

export const nothing = (): void => {}

/** The function that emits the events of one namespace. `name` is that of a `wrap` or `define`. */
export function emitterOf(
  { onEvent, eventKeys }: Pick<Core, 'onEvent' | 'eventKeys'>,
  namespace: string,
  name?: string,
): Emit {
  if (!onEvent) return nothing
  return (event, key) =>
    tell(() => {
      const keyHash = key !== undefined && eventKeys ? { keyHash: eventKeys(key) } : undefined
      return onEvent({ namespace, ...(name && { name }), ...keyHash, ...event } as CacheEvent)
    }, event)
}

/** Called when the store has replied. */
export function onAnswer(core: Core): void {
  core.answerCount++
  core.near.onAnswer()
}

/** Counts and reports an outage, which a read-through survives. Returns whether the error is one. */
export function recordOutage(core: Core, error: unknown, emit: Emit): boolean {
  if (!isOutage(error)) return false
  core.stats.storeErrors++
  emit({ type: 'store-error', code: error.code })
  return true
}

/**
 * How one command ends: at `storeTimeout`, or at the caller's limit if that comes first. Without a limit the command is that of
 * a load, which has no use in waiting when the server asks for fewer requests (`patient`).
 */
export function commandCall({ storeTimeoutMs }: Core, limit?: Limit): StoreCall {
  const deadline = Math.min(limit?.deadline ?? NEVER, now() + storeTimeoutMs)
  const signal = limit?.signals[0]
  return { deadline, patient: !!limit, ...(signal && { signal }) }
}

/** Bounds the work of a codec or schema by the limit and by `hardTimeout`, whichever ends first. */
export function bounded<T>(core: Core, work: T | Promise<T>, { signals, deadline }: Limit): T | Promise<T> {
  if (!(work instanceof Promise)) return work
  return within(work, { signals, deadline: Math.min(deadline, now() + core.hardTimeoutMs) })
}

/** Calls the store for these keys, unless it did not reply lately (the breaker). A call that no caller awaits has no timer. */
export function ask<T>(
  { breaker, lastResort }: Pick<Core, 'breaker' | 'lastResort'>,
  keys: readonly string[],
  call: (nowMs: number) => Promise<T>,
  scope: CallScope = AWAITED,
): Promise<T> {
  return breaker(keys, (nowMs) => lastResort(call, nowMs, scope))
}

const AWAITED: CallScope = {}

/** An operation on a stored key. */
interface Work<A extends readonly Arg[], R extends Reply> {
  readonly operation: Operation<A, R>
  readonly key: string
  readonly args: A
}

/** Runs one operation. `isAwaited`: a caller may wait for it. */
export function runOperation<A extends readonly Arg[], R extends Reply>(
  core: Pick<Core, 'store' | 'breaker' | 'lastResort'>,
  { operation, key, args }: Work<A, R>,
  call: StoreCall & { readonly isAwaited?: boolean },
): Promise<R> {
  const { signal, isAwaited = REQUEST_SCOPED || call.patient !== false || !isAfterwards(args) } = call
  return ask(core, [key], () => core.store.run(operation, key, args, call), { signal, isAwaited })
}

/** Whether no caller waits for the step: it follows a load, renews its lease or tags, or buries a dead entry. */
function isAfterwards(args: readonly Arg[]): boolean {
  const [verb, , , , purpose] = args
  return /^(|fill|release|fail|gone|bury)$/.test(`${verb}`) || (verb === 'lease' && purpose === 2)
}

/** Runs one step (`steps/`). */
export function runStep(core: Core, work: Work<readonly Arg[], Reply>, call: StoreCall): Promise<Reply> {
  const { operation, key, args } = work
  const run = (): Promise<Reply> => runOperation(core, work, call)
  if (operation.effect === 'read') return run()
  core.reads.delete(key)
  const verb = String(args[0])
  // A lease changes no value.
  if (/^(lease|release|fail)$/.test(verb)) return run()
  return core.near.withInvalidation([key], /^(expire|touch)$/.test(verb) ? 'changes' : 'writes', run)
}

/** Writes an entry. Resolves to 1, or to 0 if the verb's condition did not hold; for `fill` to the store's time in ms, or 0. */
export function writeEntry(core: Core, key: string, write: EntryWrite, call: StoreCall): Promise<Reply> {
  const { verb, coded, life, versions, loadMs = 0, token = NONE, deadId = '', id = randomId() } = write
  const { steps = core.format.steps } = write
  const { mark, payload } = coded
  const { freshMs, lifeMs } = life
  core.reads.delete(key)
  const written = core.format.write?.(core, key, write, call)
  if (written) return written
  const block = Array.from(versions.tags, ([tag, version]) => core.tags.format(tag, version)).join()
  // It is below 0 if the clock was set back.
  const ms = Math.max(0, Math.min(loadMs, 1e9 - 1))
  if (lifeMs === 0 && !core.hasWarned) {
    core.hasWarned = true
    emitterOf(core, core.namespace)({ type: 'no-lifetime' })
  }
  const args = [verb, deadId, mark + id, freshMs, lifeMs, ms, token, versions.generation, block, payload]
  return runStep(core, { operation: steps[verb === 'fill' ? 'repeat' : 'once'], key, args }, call)
}

/** Resolves to how many of these keys the store held. */
export function deleteKeys(core: Core, keys: readonly string[], call: StoreCall): Promise<number> {
  for (const key of keys) core.reads.delete(key)
  return core.near.withInvalidation(keys, 'deletes', () => ask(core, keys, () => core.store.delete(keys, call), call))
}
