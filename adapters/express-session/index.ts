import session from 'express-session'
import type { Duration } from 'hither'
import { type HashedEntriesOptions, hashedEntries } from 'hither/session'

export interface SessionStoreOptions extends HashedEntriesOptions {
  /** Lifetime of a session whose cookie has no expiry. @default '1d' */
  readonly ttl?: Duration
}

/** The longest lifetime that a store takes. A cookie may expire later, such as in the year 9999. */
const LONGEST_MS = 1e14

type Done<T> = (error?: unknown, value?: T) => void

/**
 * A `store` for express-session 1.17 and later: `session({ store: sessionStore({ store }), … })`. Ids are stored only as
 * SHA-256. A session lives as long as its cookie. Reading a session does not extend it; `touch` does, and never creates one.
 * Errors of the store go to the callback, and from there to Express's error handler. There is no `all`, `length` or `clear`,
 * since the store keeps no list of sessions.
 */
export function sessionStore(options: SessionStoreOptions): session.Store {
  const entries = hashedEntries({ ...options, ttl: options?.ttl === undefined ? '1d' : options.ttl })
  /** Milliseconds until the cookie expires; undefined for a cookie without an expiry, so that the option `ttl` applies. */
  const lifetimeOf = ({ cookie }: session.SessionData): number | undefined => {
    const { expires } = cookie ?? {}
    return expires ? Math.min(new Date(expires).getTime() - Date.now(), LONGEST_MS) : undefined
  }
  const isOver = (life = 1): boolean => life <= 0

  class HitherSessionStore extends session.Store {
    override get(id: string, done: Done<session.SessionData | null>): void {
      settle(async () => sessionOf(await entries.get(id)), done)
    }
    override set(id: string, data: session.SessionData, done?: Done<void>): void {
      settle(async () => {
        const life = lifetimeOf(data)
        if (isOver(life)) await entries.delete(id)
        else await entries.set(id, JSON.stringify(data), life)
      }, done)
    }
    override touch(id: string, data: session.SessionData, done?: Done<void>): void {
      settle(async () => {
        const life = lifetimeOf(data)
        if (isOver(life)) await entries.delete(id)
        else await entries.touch(id, life)
      }, done)
    }
    override destroy(id: string, done?: Done<void>): void {
      settle(async () => void (await entries.delete(id)), done)
    }
  }
  return new HitherSessionStore()
}

/** Null for text that is no session, such as that of another codec: otherwise express-session would fail each of its requests. */
function sessionOf(text = ''): session.SessionData | null {
  try {
    const data = JSON.parse(text) as session.SessionData | null
    return data?.cookie ? data : null
  } catch {
    return null
  }
}

/** Calls back outside of the promise chain, so that a callback that throws is not called a second time with its own error. */
function settle<T>(work: () => Promise<T>, done: Done<T> = () => {}): void {
  work().then(
    (value) => queueMicrotask(() => done(null, value)),
    (error: unknown) => queueMicrotask(() => done(error)),
  )
}
