import type { WaitUntil } from 'hither'
import type { Context } from 'hono'

/** The runtime's `waitUntil`, if it has one. `c.executionCtx` throws where there is none; `waitUntil` needs its `this`. */
export function waitUntilOf(c: Context): WaitUntil | undefined {
  try {
    const context = c.executionCtx
    return typeof context.waitUntil === 'function' ? (work) => context.waitUntil(work) : undefined
  } catch {
    return undefined
  }
}
