import { HitherError } from '../errors.ts'
import { ownOf } from '../protocol/arguments.ts'
import { checkNamespace } from '../protocol/keys.ts'
import { BIND } from '../runtime/background.ts'
import { createCore, type FaceParts } from './engine.ts'
import { closeFlights } from './load/flight.ts'
import { loadSettings } from './load/settings.ts'
import type { View } from './model.ts'
import { checkNames, invalid, VIEW_OPTIONS } from './options.ts'
import type { CacheOptions, PlainCacheOptions, ViewOptions, WaitUntil } from './types.ts'
import { checkHasVersions, createView } from './view.ts'

/** Creates a cache and returns its first view. */
export function openView(given: CacheOptions | PlainCacheOptions, face: FaceParts): View {
  const options = given && (ownOf(given) as typeof given)
  const core = createCore(options, face)
  const { waitUntil, mutable } = options
  checkWaitUntil(waitUntil)
  const view = createView(core, core.namespace, { waitUntil, mutable })
  // Checked now, so that an invalid default is refused here and not at the first call.
  view.defaultSettings = loadSettings(core)
  return view
}

export function viewWith({ core, namespace, request }: View, from: ViewOptions): View {
  const options = isRequestContext(from) ? { waitUntil: (work: Promise<unknown>) => from.waitUntil(work) } : from
  checkNames('with', options, VIEW_OPTIONS, core.format.level)
  const own = ownOf(options)
  const { waitUntil } = own
  checkWaitUntil(waitUntil)
  checkIsBound(waitUntil)
  const given = Object.entries(own).filter(([, value]) => value !== undefined)
  return createView(core, namespace, { ...request, ...Object.fromEntries(given) })
}

/** Whether it is a Worker's request context and not options: `waitUntil` is inherited, or there is `passThroughOnException`. */
function isRequestContext(from: ViewOptions): from is { readonly waitUntil: WaitUntil } {
  if (typeof from?.waitUntil !== 'function') return false
  return !Object.hasOwn(from, 'waitUntil') || 'passThroughOnException' in from
}

function checkWaitUntil(waitUntil: WaitUntil | undefined): void {
  if (waitUntil !== undefined && typeof waitUntil !== 'function') throw invalid(`waitUntil is a function: ${BIND}`)
}

/** Throws for a method of the runtime that was detached from its object: in a request it would throw at every call. */
function checkIsBound(waitUntil: WaitUntil | undefined): void {
  // A function of the program is not called for this test: it may count its calls.
  if (!waitUntil || !/\[native code\]\s*}$/.test(Function.prototype.toString.call(waitUntil))) return
  try {
    waitUntil(Promise.resolve())
  } catch (cause) {
    // Outside a request a bound method throws as well, but no `TypeError`.
    if (!(cause instanceof TypeError)) return
    throw new HitherError('INVALID_ARGUMENT', `waitUntil was taken from its object: ${BIND}`, { cause })
  }
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
