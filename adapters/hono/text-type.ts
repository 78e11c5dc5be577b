import type { Context } from 'hono'

/**
 * Has `c.text()` state its Content-Type, as it does once `c` has fields: setting one and removing it leaves an empty set of them.
 * On Bun a `Response` of text has no Content-Type until it is sent, and a copy of it, such as `c.header()` makes, is sent as
 * `application/octet-stream`.
 */
export function stateTextType(c: Context): void {
  c.header('hither-none', '')
  c.header('hither-none', undefined)
}
