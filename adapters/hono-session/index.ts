import type { Storage } from '@hono/session'
import { type Duration, HitherError } from 'hither'
import { type HashedEntriesOptions, hashedEntries } from 'hither/session'
import type { MiddlewareHandler } from 'hono'

export interface SessionStorageOptions extends HashedEntriesOptions {
  /** A session ends so long after it was last written. Longer than the `duration` of `useSession`. @default '1d' */
  readonly ttl?: Duration
}

/**
 * Middleware in place of `useSessionStorage`: `app.use(sessionStorage({ store }), useSession())`. Ids are stored only as
 * SHA-256. `@hono/session` does not wait for what it stores: this does, before the response leaves, and throws what failed.
 */
export function sessionStorage<Data extends Record<string, unknown> = Record<string, unknown>>(
  options: SessionStorageOptions,
): MiddlewareHandler<{ Variables: { sessionStorage?: Storage<Data> } }> {
  const entries = hashedEntries({ ...options, ttl: options?.ttl === undefined ? '1d' : options.ttl })
  return async (c, next) => {
    const writes: Promise<unknown>[] = []
    /** Changes of one request run in call order. */
    const write = (change: () => Promise<unknown>): void => {
      const last = writes.at(-1) ?? Promise.resolve()
      const writing = last.then(change, change)
      // It may fail before the handler has ended, which is when it is looked at: until then it counts as handled.
      writing.catch(() => {})
      writes.push(writing)
    }
    c.set('sessionStorage', {
      get: async (id) => dataOf<Data>(await entries.get(id)),
      set: (id, data) => write(() => entries.set(id, textOf(data))),
      delete: (id) => write(() => entries.delete(id)),
    })
    await next()
    const failed = (await Promise.allSettled(writes)).find(({ status }) => status === 'rejected')
    if (failed) throw (failed as PromiseRejectedResult).reason
  }
}

/** Null for what is no data of a session, such as text of another codec: each request of its visitor would fail. */
function dataOf<Data>(text = ''): Data | null {
  try {
    const data = JSON.parse(text) as Data
    return typeof data === 'object' && !Array.isArray(data) ? data : null
  } catch {
    return null
  }
}

function textOf(data: unknown): string {
  const text = JSON.stringify(data) as string | undefined
  if (text !== undefined) return text
  throw new HitherError('INVALID_VALUE', 'the data of a session is what JSON can keep')
}
