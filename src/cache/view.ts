import type { NearPart } from '../near/coherence.ts'
import { ownOf } from '../protocol/arguments.ts'
import { generationKey, tagKey } from '../protocol/keys.ts'
import { checkKeys } from '../store/checks.ts'
import type { Core, Emit } from './engine.ts'
import { type AnyCache, VIEW } from './handle.ts'
import { keySpace } from './key-space.ts'
import type { LoadSettings, Loads, ReadThrough } from './load/types.ts'
import { invalid } from './options.ts'
import { noNear } from './parts/no-near.ts'
import type { ViewOptions } from './types.ts'
import type { NamespaceKeys } from './versions.ts'

/** A cache seen through one namespace and by one request: what every function of a cache works over. Data only. */
export interface View {
  /** What all views of a cache share. */
  readonly core: Core
  readonly loads: Loads
  readonly near: NearPart
  readonly namespace: string
  /** What the request adds to each call. */
  readonly request: ViewOptions
  /** The stored keys of the namespace. `key` throws `INVALID_KEY`. */
  readonly space: NamespaceKeys
  /** From a caller's key to the near tier's. */
  readonly nearKey: (key: string) => string
  readonly emit: Emit
  /** A near hit may be returned at once: there is a tier, and the request has no limit to check. */
  readonly canPeek: boolean
  /** The settings of a load without options, once one was asked for. */
  defaultSettings?: LoadSettings
  through?: ReadThrough
}

/** `kind`: `wrap` and `define` have keys of their own, which no other call reaches. */
export function createView(core: Core, loads: Loads, namespace: string, options: ViewOptions, kind = ''): View {
  const request: ViewOptions = ownOf(options)
  if (request.mutable !== undefined && typeof request.mutable !== 'boolean') throw invalid('mutable is true or false')
  const { names, stored } = keySpace(core, namespace + kind)
  const space: NamespaceKeys = {
    key: stored,
    generation: generationKey(namespace),
    tag: (tag) => tagKey(namespace, tag),
  }
  const { near } = core
  const canPeek = near !== noNear && !request.signal && request.deadline === undefined
  return { core, loads, near, namespace, request, space, nearKey: names, emit: core.emitter(namespace), canPeek }
}

/** What a cache's functions work over. Throws `INVALID_ARGUMENT` for what is no cache. */
export function viewOf(cache: AnyCache): View {
  const view = cache?.[VIEW]
  if (!view) throw invalid('the first argument is a cache, such as of createCache()')
  return view as View
}

/** The stored keys of a caller's. Throws `INVALID_KEY`, `INVALID_ARGUMENT` and for more than 10,000. */
export function storedKeys({ core, space }: View, keys: readonly string[]): string[] {
  if (!Array.isArray(keys)) throw invalid('keys are an array')
  const all = keys.map(space.key)
  checkKeys(all, core.traits)
  return all
}

/** Throws in the plain format. */
export function checkHasVersions({ core }: View): void {
  if (core.plain) throw invalid('the plain format has no namespaces, tags or grace')
}

/** The same view for another kind of keys. */
export function viewOfKind({ core, loads, namespace, request }: View, kind: string): View {
  return createView(core, loads, namespace, request, kind)
}
