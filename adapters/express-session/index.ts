import session from 'express-session'
import type { Duration } from 'hither'
import { type HashedEntriesOptions, hashedEntries } from 'hither/session'

export interface SessionStoreOptions extends HashedEntriesOptions {
  /** Lifetime of a session whose cookie has no expiry. @default '1d' */
  readonly ttl?: Duration
}

/** The longest lifetime there is: a cookie may have an expiry after it, such as the year 9999. */
const LONGEST_MS = 1e14

type Done<T> = (error?: unknown, value?: T) => void

/**
 * A `store` for express-session 1.17 and later: `session({ store: sessionStore({ store }), … })`. Ids are stored only as
 * SHA-256. A session lives as long as its cookie; reading it does not extend it, `touch` does, and makes none. Errors of the
 * store go to the callback: Express's error handler gets them. There is no `all`, `length` or `clear`: nothing is listed.
 */
export function sessionStore(options: SessionStoreOptions): session.Store {
  const entries = hashedEntries({ ...options, ttl: options?.ttl === undefined ? '1d' : options.ttl })
  /** Undefined: that of the store. */
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

/** Null for what is no session, such as text of another codec: express-session would answer each of its requests with an error. */
function sessionOf(text = ''): session.SessionData | null {
  try {
    const data = JSON.parse(text) as session.SessionData | null
    return data?.cookie ? data : null
  } catch {
    return null
  }
}

/** A callback that throws is not called a second time. */
function settle<T>(work: () => Promise<T>, done: Done<T> = () => {}): void {
  work().then(
    (value) => queueMicrotask(() => done(null, value)),
    (error: unknown) => queueMicrotask(() => done(error)),
  )
}
