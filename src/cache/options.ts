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

/** Option names that are known: 1 in every format, 2 only where entries are of the cache's own form. */
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

/** Throws `INVALID_ARGUMENT` for an option that does not exist: none is dropped in silence. */
export function checkNames(
  what: string,
  options: object | undefined,
  known: Readonly<Record<string, number>>,
  level: number,
): void {
  if (options !== undefined && (typeof options !== 'object' || options === null || Array.isArray(options))) {
    throw invalid("options are an object, such as { ttl: '5m' }; several keys are an array")
  }
  // Its own names: what somebody has put on Object.prototype is no option.
  for (const name of Object.keys(options ?? {})) {
    if (!(Object.hasOwn(known, name) && (known[name] as number) <= level)) {
      throw invalid(`${what} has no option ${name}${level < 2 ? ' in the plain format' : ''}`)
    }
  }
}

/** What a limit is made of beside the options of the call. */
interface CallScope {
  readonly request: CallOptions
  readonly core: { readonly format: { readonly level: number } }
}

/** When a call ends, by its own options and those of its view. Throws what ends it before it begins. */
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
  // A feature takes null for none; a cache refuses it.
  for (const signal of signals) checkSignal(signal ?? ({} as AbortSignal))
  const deadline = Math.min(options?.deadline ?? NEVER, request.deadline ?? NEVER)
  if (Number.isNaN(deadline)) throw invalid('deadline is an instant in epoch milliseconds, such as Date.now() + 1000')
  const limit = { signals, deadline }
  const { onDeadline, bypass }: GetOrSetOptions = options ?? {}
  // Past it such a call loads, as one does that reaches it on its way.
  if (onDeadline !== 'load' || bypass) checkLimit(limit)
  return limit
}

export function checkWrite(options: WriteOptions | undefined): void {
  const { onWriteFailure = 'reject' } = ownOf(options)
  if (onWriteFailure !== 'reject' && onWriteFailure !== 'event') throw invalid("onWriteFailure is 'reject' or 'event'")
}

/** Whether the near tier's value may not be all that a call asks for. */
export function wantsMore({ signal, deadline, forceFresh, bypass, refresh, schema }: GetOrSetOptions): boolean {
  return !!(signal || deadline || forceFresh || bypass || refresh || schema)
}

export { invalid }
