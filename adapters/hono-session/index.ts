import type { Storage } from '@hono/session'
import { type Duration, HitherError } from 'hither'
import { type HashedEntriesOptions, hashedEntries } from 'hither/session'
import type { MiddlewareHandler } from 'hono'

export interface SessionStorageOptions extends HashedEntriesOptions {
  /** How long a session lives after its last write. Set it longer than the `duration` of `useSession`. @default '1d' */
  readonly ttl?: Duration
}

/**
 * Middleware in place of `useSessionStorage`: `app.use(sessionStorage({ store }), useSession())`. Ids are stored only as
 * SHA-256. `@hono/session` does not wait for its writes. This middleware does, before the response is sent, and throws the first
 * error of a write.
 */
export function sessionStorage<Data extends Record<string, unknown> = Record<string, unknown>>(
  options: SessionStorageOptions,
): MiddlewareHandler<{ Variables: { sessionStorage?: Storage<Data> } }> {
  const entries = hashedEntries({ ...options, ttl: options?.ttl === undefined ? '1d' : options.ttl })
  return async (c, next) => {
    const writes: Promise<unknown>[] = []
    /** Runs the changes of one request one after another, in the order of the calls. */
    const write = (change: () => Promise<unknown>): void => {
      const last = writes.at(-1) ?? Promise.resolve()
      const writing = last.then(change, change)
      // A write may fail before the handler has ended. Its error is thrown after that; until then it must not count as unhandled.
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

/** Null for text that is no session data, such as that of another codec: otherwise each request of its visitor would fail. */
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
