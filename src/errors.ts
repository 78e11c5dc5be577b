/**
 * What went wrong, as a stable word a program can compare.
 *
 * Bad input, raised before any I/O: `INVALID_ARGUMENT`, `INVALID_DURATION`, `INVALID_KEY`, `INVALID_VALUE`,
 * `VALUE_TOO_LARGE`, `BATCH_TOO_LARGE`, `UNENCODABLE`, `INVALID_URL`, `INSECURE_URL`, `MISSING_CREDENTIALS`,
 * `UNSAFE_CLIENT`.
 * No answer: `STORE_UNAVAILABLE`, `TIMEOUT`, `CLOSED`, `OVERLOADED`; `LOAD_FAILED`, of another caller's loader.
 * An answer that was an error: `STORE_REJECTED`, `UNAUTHORIZED`, `BAD_REPLY`, `UNSUPPORTED`.
 * A stored form that does not fit the call: `WRONG_TYPE`, `OVERFLOW`.
 * A lock that is not held any more, where it is needed: `LOCK_LOST`.
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

/** The backend answered, and the answer was an error (wrong type, bad script, no permission). */
export class StoreRejectedError extends HitherError {
  override name = 'StoreRejectedError'
  /** The command's name, without its arguments. */
  readonly command: string
  /** The first word of the reply, such as `WRONGTYPE`. */
  readonly reply: string
  /** `reply` is the first word, or the whole reply: of it the message has the first words, up to what may be an argument. */
  constructor(
    command: string,
    reply: string | { readonly word: string; readonly message: string },
    options?: HitherErrorOptions,
  ) {
    const { word, message } = typeof reply === 'string' ? { word: reply, message: reply } : reply
    // An argument may follow these words, or stand out by more than letters.
    const [reason] =
      /^[A-Z]+(?: (?!(?:for|keys?|user|with|in|of|named|option|argument)\b)[a-z]+(?=[ ,.]|$)){0,8}/i.exec(message) ?? [
        word,
      ]
    super(
      /^(NOAUTH|WRONGPASS|NOPERM)$/.test(word) ? 'UNAUTHORIZED' : 'STORE_REJECTED',
      `${command} was rejected: ${reason}${command === 'SELECT' ? ', check the number of the database in the url' : ''}`,
      // Of a reply that was too large to be kept, the command has run.
      { maybeExecuted: word === 'TOOLARGE', ...options },
    )
    this.command = command
    this.reply = word
  }
}

/** True for an error of this package, also one from another copy of it or another realm. */
export function isHitherError(error: unknown): error is HitherError {
  return typeof error === 'object' && error !== null && BRAND in error
}
