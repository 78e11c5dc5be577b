import { ownOf } from '../protocol/arguments.ts'
import { checkNamespace } from '../protocol/keys.ts'
import type { Core } from './engine.ts'
import { createLoads } from './load/flight.ts'
import { checkNames, VIEW_OPTIONS } from './options.ts'
import type { CacheOptions, ViewOptions } from './types.ts'
import { checkHasVersions, createView, type View } from './view.ts'

/** The first view of a cache. */
export function openView(core: Core, options: Pick<CacheOptions, 'waitUntil' | 'mutable'>): View {
  const { waitUntil, mutable } = ownOf(options)
  return createView(core, createLoads(core), core.namespace, { waitUntil, mutable })
}

export function viewWith({ core, loads, namespace, request }: View, options: ViewOptions): View {
  checkNames('with', options, VIEW_OPTIONS, core.plain)
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  return createView(core, loads, namespace, { ...request, ...Object.fromEntries(given) })
}

export function viewOfNamespace(view: View, name: string): View {
  checkHasVersions(view)
  return createView(view.core, view.loads, `${view.namespace}.${checkNamespace(name)}`, view.request)
}

export async function close({ core, loads }: View): Promise<void> {
  await loads.close()
  await core.close()
}
