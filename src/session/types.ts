import type { Codec } from '../protocol/codec.ts'
import type { Duration } from '../protocol/duration.ts'
import type { Schema } from '../protocol/schema.ts'
import type { AtomicStore, Call } from '../store/store.ts'

export interface SessionsOptions<T> {
  readonly store: AtomicStore
  /** Sessions of two namespaces know nothing of each other. @default 'hither' */
  readonly namespace?: string
  /** Sign the cookies: the first signs, each is accepted. Each is at least 32 random bytes, or their base64. */
  readonly secrets: readonly (Uint8Array | string)[]
  /** A session ends after so long without a request. @default '30m' */
  readonly idle?: Duration
  /** A session ends so long after it began, whatever happens. @default '12h' */
  readonly absolute?: Duration
  /** Checks the data as a whole: what does not pass when it is read is no session, when it is saved `INVALID_VALUE`. */
  readonly schema?: Schema<T>
  /** Turns values into text, such as `encrypted({ keys })`; each value is bound to its session and field. @default JSON that keeps Date, BigInt, Map, Set and bytes */
  readonly codec?: Codec
  readonly cookie?: {
    /** Without the prefix `__Host-`, which is put before it. @default 'session' */
    readonly name?: string
    /** @default 'Lax' */
    readonly sameSite?: 'Lax' | 'Strict'
  }
  /** Drops `Secure` and the prefix `__Host-`, for plain http on this machine: requests to other hosts are refused. @default false */
  readonly insecure?: boolean
}

/** A request, or its headers. */
export type SessionRequest = { readonly headers: Headers; readonly url?: string }

/**
 * The data of one visitor. Reading and changing it is synchronous; `save` sends what changed. A value that was read and then
 * changed in place is saved too.
 */
export interface Session<T> {
  /** There was no session to open: nothing is stored until it is saved with something in it. */
  readonly isNew: boolean
  get<K extends keyof T & string>(name: K): T[K] | undefined
  /** Throws `INVALID_VALUE` for undefined. `save` rejects with `UNENCODABLE` for what the codec cannot keep. */
  set<K extends keyof T & string>(name: K, value: Exclude<T[K], undefined>): void
  delete(name: keyof T & string): void
  /** A value for the next request that reads it. */
  flash(name: string, value: unknown): void
  /** Reads such a value; once it is saved, it is gone. */
  flash(name: string): unknown
  /** Binds the session to a subject, such as a user: `destroyAll` of it ends this session too. Changes the cookie. */
  bind(subject: string): void
  /** A new id, after a login or a change of rights. The old one is dead on every server once this resolves; `save` sends the new. */
  rotate(call?: Call): Promise<void>
  /** Ends the session on every server, also where another request rotates it meanwhile. */
  destroy(call?: Call): Promise<void>
  /**
   * Sends what changed, or extends the idle time where that is due. Resolves to a `Set-Cookie` value, or `undefined` when
   * nothing changed. Changes to a session that another request has ended are dropped.
   */
  save(call?: Call): Promise<string | undefined>
}

/** One of a subject's sessions, to be shown. No part of it opens a session. */
export interface ListedSession {
  /** Names it to `destroy`. */
  readonly handle: string
  /** The `User-Agent` of the request that bound it, at most 200 characters. */
  readonly device: string
  readonly createdMs: number
  /** To within a minute, or a tenth of `idle`. */
  readonly lastSeenMs: number
}

export interface Sessions<T> {
  /**
   * The session of a request: one read when its cookie is signed by us, none otherwise. A cookie that is missing, forged,
   * expired or of another namespace gives a new, unsaved session. Rejects when the store does not answer: an outage is no
   * logged-out user.
   */
  open(request: SessionRequest, call?: Call): Promise<Session<T>>
  /** Ends every session that is bound to a subject, on every server, by one command. */
  destroyAll(subject: string, call?: Call): Promise<void>
  /** The sessions of a subject, newest first, at most 100. It can miss one that was just bound. */
  list(subject: string, call?: Call): Promise<ListedSession[]>
  /** Ends one session by its handle, also where it was rotated since, less than `idle` ago. Resolves to whether there was one. */
  destroy(handle: string, call?: Call): Promise<boolean>
}
