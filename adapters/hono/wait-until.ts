import type { WaitUntil } from 'hither'
import type { Context } from 'hono'

/** `c.executionCtx` throws where there is none, and `waitUntil` needs its `this`. */
export function waitUntilOf(c: Context): WaitUntil | undefined {
  try {
    const context = c.executionCtx
    return typeof context.waitUntil === 'function' ? (work) => context.waitUntil(work) : undefined
  } catch {
    return undefined
  }
}
