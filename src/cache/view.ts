import { ownOf } from '../protocol/arguments.ts'
import { generationKey, tagKey } from '../protocol/keys.ts'
import { coarseNow } from '../runtime/coarse-clock.ts'
import { checkKeys } from '../store/checks.ts'
import { type AnyCache, VIEW } from './handle.ts'
import { keySpace } from './key-space.ts'
import type { Core, View } from './model.ts'
import { invalid } from './options.ts'
import { noNear } from './parts/no-near.ts'
import { emitterOf, nothing } from './store-calls.ts'
import type { ViewOptions } from './types.ts'
import type { NamespaceKeys } from './versions.ts'

/** A `wrap` or `define`: the mark that gives its keys a key space which no other call reaches, and its name. */
interface Kind {
  readonly mark: string
  readonly name: string
}

export function createView(core: Core, namespace: string, options: ViewOptions, kind?: Kind): View {
  const request: ViewOptions = ownOf(options)
  if (request.mutable !== undefined && typeof request.mutable !== 'boolean') throw invalid('mutable is true or false')
  const { names, stored } = keySpace(core, namespace + (kind?.mark ?? ''))
  const space: NamespaceKeys = {
    key: stored,
    generation: generationKey(namespace),
    tag: (tag) => tagKey(namespace, tag),
  }
  const peekNear = peekOf(core, request, names)
  return { core, namespace, request, space, nearKey: names, emit: emitterOf(core, namespace, kind?.name), peekNear }
}

/** Makes `peekNear` once for each view, so that a near hit does not check again what depends on the view alone. */
function peekOf({ near, loadDefaults }: Core, request: ViewOptions, nearKey: View['nearKey']): View['peekNear'] {
  const isHurried = request.signal !== undefined || request.deadline !== undefined
  if (near === noNear || isHurried || loadDefaults.refresh) return nothing
  const peek = (key: string): unknown => near.peek(nearKey(key), coarseNow())
  return request.mutable ? (key) => near.copyForCaller(peek(key)) : peek
}

/** The view of a cache. `key`: if the call is about one key. Throws `INVALID_ARGUMENT` for anything that is not a cache. */
export function viewOf(cache: AnyCache, key?: string): View {
  const view = cache?.[VIEW]
  if (!view) throw invalid('the first argument is a cache, such as of createCache()')
  return aboutKey(view as View, key)
}

/** The same view, whose events are about one key. */
export function aboutKey(view: View, key?: string): View {
  return view.core.eventKeys ? { ...view, emit: (event, ofKey = key) => view.emit(event, ofKey) } : view
}

/** The stored keys of a caller's keys. Throws `INVALID_KEY`, `INVALID_ARGUMENT`, and `BATCH_TOO_LARGE` for more than 10,000. */
export function storedKeys({ core, space }: View, keys: readonly string[]): string[] {
  if (!Array.isArray(keys)) throw invalid('keys are an array')
  const all = keys.map(space.key)
  checkKeys(all, core.store.traits)
  return all
}

/** Throws in the plain format. */
export function checkHasVersions({ core }: View): void {
  if (core.format.level < 2) throw invalid('the plain format has no namespaces, tags or grace')
}

/** The same view for the keys of a `wrap` or `define`. */
export function viewOfKind({ core, namespace, request }: View, kind: Kind): View {
  return createView(core, namespace, request, kind)
}
