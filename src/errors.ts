/**
 * What went wrong, as a stable word that a program can compare.
 *
 * Bad input, raised before any I/O: `INVALID_ARGUMENT`, `INVALID_DURATION`, `INVALID_KEY`, `INVALID_VALUE`, `VALUE_TOO_LARGE`,
 * `BATCH_TOO_LARGE`, `UNENCODABLE`, `INVALID_URL`, `INSECURE_URL`, `MISSING_CREDENTIALS`, `UNSAFE_CLIENT`.
 *
 * No reply: `STORE_UNAVAILABLE`, `TIMEOUT`, `CLOSED`, `OVERLOADED`; `LOAD_FAILED`, where another caller's loader failed.
 *
 * A reply that was an error: `STORE_REJECTED`, `UNAUTHORIZED`, `BAD_REPLY`, `UNSUPPORTED`; `STORE_UNAVAILABLE`, where the server
 * still loads or its Cluster is down.
 *
 * A stored form that does not fit the call: `WRONG_TYPE`, `OVERFLOW`.
 *
 * A lock that is needed and no longer held: `LOCK_LOST`.
 */
export type ErrorCode =
  | 'INVALID_ARGUMENT'
  | 'INVALID_DURATION'
  | 'INVALID_KEY'
  | 'INVALID_VALUE'
  | 'VALUE_TOO_LARGE'
  | 'BATCH_TOO_LARGE'
  | 'UNENCODABLE'
  | 'INVALID_URL'
  | 'INSECURE_URL'
  | 'MISSING_CREDENTIALS'
  | 'UNSAFE_CLIENT'
  | 'STORE_UNAVAILABLE'
  | 'TIMEOUT'
  | 'CLOSED'
  | 'OVERLOADED'
  | 'LOAD_FAILED'
  | 'STORE_REJECTED'
  | 'UNAUTHORIZED'
  | 'BAD_REPLY'
  | 'UNSUPPORTED'
  | 'WRONG_TYPE'
  | 'OVERFLOW'
  | 'LOCK_LOST'

export interface HitherErrorOptions {
  readonly cause?: unknown
  /** The same call may succeed if made again later. @default false */
  readonly retryable?: boolean
  /** The command may have run although no reply arrived. @default false */
  readonly maybeExecuted?: boolean
}

const BRAND = Symbol.for('hither.error')

/** Every error this package raises. The message says what to do and never carries a value, a token or a full key. */
export class HitherError extends Error {
  override name = 'HitherError'
  readonly code: ErrorCode
  readonly retryable: boolean
  readonly maybeExecuted: boolean
  constructor(code: ErrorCode, message: string, options: HitherErrorOptions = {}) {
    super(message, options)
    Object.defineProperty(this, BRAND, { value: true })
    this.code = code
    this.retryable = !!options.retryable
    this.maybeExecuted = !!options.maybeExecuted
  }
}

/** The store replied with an error (wrong type, bad script, no permission, a Cluster that is down). */
export class StoreRejectedError extends HitherError {
  override name = 'StoreRejectedError'
  /** The command's name, without its arguments. */
  readonly command: string
  /** The first word of the reply, such as `WRONGTYPE`. */
  readonly reply: string
  /**
   * `reply` is the first word of the reply, or that word and the whole reply. The error's message has only the first words of
   * it, up to anything that may be an argument.
   */
  constructor(
    command: string,
    reply: string | { readonly word: string; readonly message: string },
    options?: HitherErrorOptions,
  ) {
    const { word, message } = typeof reply === 'string' ? { word: reply, message: reply } : reply
    // Redis 8 and Valkey name the command that a script may not run; Redis 7 does not.
    const denied = /^[A-Z]+ (?:ACL failure|The user executing)(?:.*(to run the '[a-z|]+' command))?/.exec(message)
    // The listed words may be followed by an argument, and a word that is more than letters may be one. Whether a key was
    // refused or a command is kept: Redis 6 says `this user has no permissions to access one of` or `to run`.
    const [words] =
      /^[A-Z]+(?: (?!(?:for|keys?(?!$)|user(?! has )|with|in|of|named|option|argument)\b)[a-z]+(?=[ ,.]|$)){0,8}/i.exec(
        message,
      ) ?? [word]
    const reason = denied ? `the user lacks the right ${denied[1] ?? 'that the script needs'}` : words
    // A server that loads, or a Cluster without one of its nodes, is down, though it replies. One that still serves reads is not.
    const isDown = /^(LOADING|CLUSTERDOWN(?!.*only accepts read))\b/.test(message)
    super(
      denied || /^(NOAUTH|WRONGPASS|NOPERM)$/.test(word)
        ? 'UNAUTHORIZED'
        : isDown
          ? 'STORE_UNAVAILABLE'
          : 'STORE_REJECTED',
      `${command} was rejected: ${reason}${command === 'SELECT' ? ', check the number of the database in the url' : ''}`,
      // `TOOLARGE`: the reply was too large to be kept, but the command has run.
      { retryable: isDown, maybeExecuted: word === 'TOOLARGE', ...options },
    )
    this.command = command
    this.reply = word
  }
}

/** Whether this is an error of this package, also one from another copy of the package or another realm. */
export function isHitherError(error: unknown): error is HitherError {
  return typeof error === 'object' && error !== null && BRAND in error
}
