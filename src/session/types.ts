import type { Codec } from '../protocol/codec.ts'
import type { Duration } from '../protocol/duration.ts'
import type { Schema } from '../protocol/schema.ts'
import type { AtomicStore, Call } from '../store/store.ts'

export interface SessionsOptions<T> {
  readonly store: AtomicStore
  /** Sessions of two namespaces are separate. @default 'hither' */
  readonly namespace?: string
  /** Secrets for the cookies: the first signs, and each is accepted. Each is at least 32 random bytes, or their base64. */
  readonly secrets: readonly (Uint8Array | string)[]
  /** A session ends after this time without a request. @default '30m' */
  readonly idle?: Duration
  /** A session ends this long after it began, even if it is in use. @default '12h' */
  readonly absolute?: Duration
  /** Checks the data as a whole. Stored data that does not pass counts as no session; `save` rejects with `INVALID_VALUE`. */
  readonly schema?: Schema<T>
  /** Turns values into text, such as `encrypted({ keys })`; each value is bound to its session and field. @default JSON that keeps Date, BigInt, Map, Set and bytes */
  readonly codec?: Codec
  readonly cookie?: {
    /** Name of the cookie, without the prefix `__Host-`, which is added. @default 'session' */
    readonly name?: string
    /** @default 'Lax' */
    readonly sameSite?: 'Lax' | 'Strict'
  }
  /** Drops `Secure` and the prefix `__Host-`, for plain http on this machine. Requests to other hosts are refused. @default false */
  readonly insecure?: boolean
}

/** A request, or its headers. */
export type SessionRequest = { readonly headers: Headers; readonly url?: string }

/**
 * The data of one visitor. Reads and changes are synchronous; `save` sends the changes. A value that was read and then changed in
 * place is saved too.
 */
export interface Session<T> {
  /** Whether there is no session: none was opened, or it was destroyed. It is stored once it is saved with something in it. */
  readonly isNew: boolean
  /** The value of a field, or undefined if it has none. Sends nothing. */
  get<K extends keyof T & string>(name: K): T[K] | undefined
  /** Throws `INVALID_VALUE` for undefined. `save` rejects with `UNENCODABLE` for a value that cannot be encoded. */
  set<K extends keyof T & string>(name: K, value: Exclude<T[K], undefined>): void
  delete(name: keyof T & string): void
  /** Sets a value for the next request that reads it. */
  flash(name: string, value: unknown): void
  /** Reads a flash value. The next `save` deletes it. */
  flash(name: string): unknown
  /** Binds the session to a subject, such as a user: `destroyAll` of that subject ends this session too. Changes the cookie. */
  bind(subject: string): void
  /**
   * Gives the session a new id, after a login or a change of rights. Once this resolves, no server accepts the old id. `save`
   * sends the new one.
   */
  rotate(call?: Call): Promise<void>
  /** Ends the session on every server, also if another request rotates it meanwhile. */
  destroy(call?: Call): Promise<void>
  /**
   * Sends the changes, or extends the idle time when that is due. Resolves to a `Set-Cookie` value, or to `undefined` when
   * nothing changed. Changes to a session that another request has ended are dropped.
   */
  save(call?: Call): Promise<string | undefined>
}

/** One of a subject's sessions, to show to the user. Nothing in it can open the session. */
export interface ListedSession {
  /** Identifies the session for `destroy`. */
  readonly handle: string
  /** The `User-Agent` of the request that bound the session or stored it under a new id, at most 200 characters. */
  readonly device: string
  readonly createdMs: number
  /** Exact to a minute, or to a tenth of `idle` if that is less. */
  readonly lastSeenMs: number
}

export interface Sessions<T> {
  /**
   * Opens the session of a request. Reads the store only if the cookie has a valid signature, usually in one round trip. A
   * cookie that is missing, forged, expired or of another namespace gives a new, unsaved session. Rejects when the store does not
   * reply: an outage must not look like a logged-out user.
   */
  open(request: SessionRequest, call?: Call): Promise<Session<T>>
  /** Ends every session that is bound to a subject, on every server, by one command. */
  destroyAll(subject: string, call?: Call): Promise<void>
  /** The sessions of a subject, newest first, at most 100. A session that was just bound may be missing. */
  list(subject: string, call?: Call): Promise<ListedSession[]>
  /** Ends one session by its handle, also if it was rotated less than `idle` ago. Resolves to whether there was a session. */
  destroy(handle: string, call?: Call): Promise<boolean>
}
