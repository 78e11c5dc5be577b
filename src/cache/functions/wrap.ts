import { encodeJson } from '../../protocol/codec.ts'
import { WRAPPED } from '../../protocol/keys.ts'
import { invalid } from '../options.ts'
import { getOrSet } from '../read.ts'
import type { AnyCache, GetOrSetOptions, Given, Loaded, LoadOptionsOf, Results, WrapOptions } from '../types.ts'
import { viewOf, viewOfKind } from '../view.ts'
import { namedKey } from './define.ts'

/** Returns `fn` with its results cached by name and arguments. */
export function wrap<A extends readonly unknown[], T, R extends Results, F extends object, This = unknown, S = unknown>(
  cache: AnyCache<R, F>,
  fn: (this: This, ...args: A) => T | Promise<T>,
  options: WrapOptions<A> & LoadOptionsOf<F, S>,
): (this: This, ...args: A) => Promise<Given<Loaded<T, S>, R>> {
  const view = viewOf(cache)
  const { name, key, ...loadOptions } = (options ?? {}) as WrapOptions<A> & GetOrSetOptions
  if (typeof fn !== 'function') throw invalid('wrap takes a function')
  namedKey('wrap', name, '')
  const wrapped = viewOfKind(view, { mark: WRAPPED, name })
  return async function (...args) {
    // Trailing signals and undefined arguments are left out: a call has the same key with and without them.
    const plainly = args.findLastIndex((arg) => arg !== undefined && !(arg instanceof AbortSignal)) + 1
    const callKey = key ? key(...(args as never)) : encodeJson(args.slice(0, plainly), true).payload
    const load = (): T | Promise<T> => fn.apply(this, args as never)
    return getOrSet(wrapped, namedKey('wrap', name, callKey), load, loadOptions)
  }
}
