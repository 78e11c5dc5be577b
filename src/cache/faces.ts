import { checkNamespace } from '../protocol/keys.ts'
import { createCore, type FaceParts } from './engine.ts'
import { closeFlights } from './load/flight.ts'
import type { View } from './model.ts'
import { checkNames, VIEW_OPTIONS } from './options.ts'
import type { CacheOptions, PlainCacheOptions, ViewOptions } from './types.ts'
import { checkHasVersions, createView } from './view.ts'

/** The first view of a cache. */
export function openView(options: CacheOptions | PlainCacheOptions, face: FaceParts): View {
  const core = createCore(options, face)
  const { waitUntil, mutable } = options
  return createView(core, core.namespace, { waitUntil, mutable })
}

export function viewWith({ core, namespace, request }: View, options: ViewOptions): View {
  checkNames('with', options, VIEW_OPTIONS, core.plain)
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  return createView(core, namespace, { ...request, ...Object.fromEntries(given) })
}

export function viewOfNamespace(view: View, name: string): View {
  checkHasVersions(view)
  return createView(view.core, `${view.namespace}.${checkNamespace(name)}`, view.request)
}

export async function close({ core }: View): Promise<void> {
  await closeFlights(core)
  await core.near.close()
  await core.background.flush()
  await core.store.close()
}
