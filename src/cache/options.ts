import { checkSignal, invalid, ownOf } from '../protocol/arguments.ts'
import { NEVER } from '../runtime/clock.ts'
import { checkLimit, type Limit, NO_LIMIT } from '../runtime/deadline.ts'
import type {
  AddOptions,
  CacheOptions,
  CallOptions,
  DefineOptions,
  GetOrSetOptions,
  ReadOptions,
  SetOptions,
  ViewOptions,
  WriteOptions,
} from './types.ts'

/** The options that exist. 1: in every format. 2: only for entries of the cache's own form. */
type Names<O> = { readonly [K in keyof O]-?: 1 | 2 }

export const CALL: Names<CallOptions> = { signal: 1, deadline: 1 }
export const READ: Names<ReadOptions> = { ...CALL, tags: 2 }
export const WRITE: Names<WriteOptions> = { ...CALL, onWriteFailure: 1 }
export const TOUCH: Names<Omit<AddOptions, 'tags'>> = { ...CALL, ttl: 1, grace: 2 }
export const ADD: Names<AddOptions> = { ...TOUCH, tags: 2 }
export const SET: Names<SetOptions> = { ...ADD, ...WRITE }
export const VIEW_OPTIONS: Names<ViewOptions> = { ...CALL, waitUntil: 1, mutable: 1 }
export const LOAD: Names<GetOrSetOptions> = {
  ...ADD,
  hardTimeout: 1,
  nearTtl: 1,
  schema: 1,
  migrate: 1,
  softTimeout: 2,
  negativeTtl: 2,
  backoff: 2,
  jitter: 2,
  refresh: 2,
  forceFresh: 2,
  bypass: 2,
  onDeadline: 2,
  finish: 1,
  shareFailure: 2,
}
export const DEFINE: Names<DefineOptions<unknown, unknown>> = { ...LOAD, name: 1, key: 1, load: 1, loadMany: 1 }
export const CACHE: Names<CacheOptions> = {
  store: 1,
  near: 1,
  format: 1,
  ttl: 1,
  storeTimeout: 1,
  hardTimeout: 1,
  onEvent: 1,
  eventKeys: 1,
  waitUntil: 1,
  mutable: 1,
  namespace: 2,
  longKeys: 2,
  grace: 2,
  codec: 2,
  softTimeout: 2,
  jitter: 2,
  backoff: 2,
  refresh: 2,
}

/** Throws `INVALID_ARGUMENT` for an option that does not exist: none is ignored silently. */
export function checkNames(
  what: string,
  options: object | undefined,
  known: Readonly<Record<string, number>>,
  level: number,
): void {
  if (options !== undefined && (typeof options !== 'object' || options === null || Array.isArray(options))) {
    throw invalid("options are an object, such as { ttl: '5m' }; several keys are an array")
  }
  // Own names only: a property of `Object.prototype` is not an option.
  for (const name of Object.keys(options ?? {})) {
    if (!(Object.hasOwn(known, name) && (known[name] as number) <= level)) {
      throw invalid(`${what} has no option ${name}${level < 2 ? ' in the plain format' : ''}`)
    }
  }
}

/** What a limit depends on besides the options of the call. */
interface CallScope {
  readonly request: CallOptions
  readonly core: { readonly format: { readonly level: number } }
}

/** The limit of a call, by its own options and those of its view. Throws for an aborted signal and for a passed deadline. */
export function limitOf(
  { request, core }: CallScope,
  given: CallOptions | undefined,
  known: Readonly<Record<string, number>> = CALL,
): Limit {
  if (given !== undefined) checkNames('this call', given, known, core.format.level)
  const options = given && ownOf(given)
  const limits = options && (options.signal !== undefined || options.deadline !== undefined)
  if (!limits && !request.signal && request.deadline === undefined) return NO_LIMIT
  const signals = [options?.signal, request.signal].filter((signal) => signal !== undefined)
  // `checkSignal` lets null pass, as the other modules do; a cache refuses it.
  for (const signal of signals) checkSignal(signal ?? ({} as AbortSignal))
  const deadline = Math.min(options?.deadline ?? NEVER, request.deadline ?? NEVER)
  if (Number.isNaN(deadline)) throw invalid('deadline is an instant in epoch milliseconds, such as Date.now() + 1000')
  const limit = { signals, deadline }
  const { onDeadline, bypass }: GetOrSetOptions = options ?? {}
  // With `onDeadline: 'load'` a call past its deadline loads, as one does whose deadline passes while it runs.
  if (onDeadline !== 'load' || bypass) checkLimit(limit)
  return limit
}

export function checkWrite(options: WriteOptions | undefined): void {
  const { onWriteFailure = 'reject' } = ownOf(options)
  if (onWriteFailure !== 'reject' && onWriteFailure !== 'event') throw invalid("onWriteFailure is 'reject' or 'event'")
}

/** Whether a call has options for which the near tier's value alone may not be enough. */
export function wantsMore({ signal, deadline, forceFresh, bypass, refresh, schema }: GetOrSetOptions): boolean {
  return !!(signal || deadline || forceFresh || bypass || refresh || schema)
}

export { invalid }
