import type { HitherError } from '../errors.ts'
import type { Effect } from '../protocol/operation.ts'
import type { Call } from './call.ts'

/** An error reply, as a value: `message` is the server's text, which can quote user data and is never shown. */
export class ReplyError {
  readonly message: string
  constructor(message: string) {
    this.message = message
  }
  /** The first word, such as `WRONGTYPE`: the part that is the same on every server. */
  get word(): string {
    return /^[A-Z][A-Z0-9_]*/.exec(this.message)?.[0] ?? 'ERR'
  }
}

/** What a server answers, raw: nested arrays, bytes where the call asked for them, errors as values. */
export type Wire = null | string | Uint8Array | number | bigint | ReplyError | readonly Wire[]

export interface Command {
  /** The command's name, in upper case, then its arguments. */
  readonly args: readonly (string | number | Uint8Array)[]
  readonly effect: Effect
}

/**
 * As `transport.sendMany`, with an outcome per command as it comes: a part of a batch can fail alone (a cluster's node),
 * and who was answered goes on before the last of the batch is. Each command's place is told once.
 */
export type SendEach = (
  commands: readonly Command[],
  call: Call,
  onReply: (at: number, reply: Wire) => void,
  onError: (at: number, error: unknown) => void,
) => void

/** How a batch is answered. */
export interface BatchCall extends Call {
  /**
   * Called with each reply as it comes, with its command's place; what it returns is what `sendMany` resolves with there,
   * so that a caller need not hold all replies at once. It may not throw, and is not called once the call has settled. A
   * transport that gets all replies at a time may leave it out: the caller then finds them in the result.
   */
  readonly onReply?: (reply: Wire, at: number) => Wire
}

/** A connection of one's own, until it is given back. */
export interface Exclusive extends Pick<Transport, 'send' | 'transaction'> {
  /** Gives the connection back; `broken` when it may be out of step, so that it is closed instead. */
  release(broken: boolean): void
}

/** A connection that goes on answering. */
export interface Listening {
  /** Says one more on it (SUBSCRIBE, UNSUBSCRIBE); the reply goes to `onReply`, after those before it. */
  tell(command: Command): void
  /** Ends it; nothing is heard of it any more. */
  end(): void
}

/**
 * The raw way to a server that speaks Redis commands. It does not batch, split, retry or interpret: the store above
 * does. An error reply is a value (`ReplyError`), never a rejection. A rejection is a `HitherError` without an
 * answer: `maybeExecuted` is false only where nothing was sent. An abort rejects with the signal's reason.
 */
export interface Transport {
  /** The server is a Cluster: the keys of one command, script or transaction share a hash slot. @default false */
  readonly cluster?: boolean
  /** One command, one reply. */
  send(command: Command, call?: Call): Promise<Wire>
  /** Commands in order, replies in the same order; one round trip, not atomic. Resolves only with all replies. */
  sendMany(commands: readonly Command[], call?: BatchCall): Promise<readonly Wire[]>
  /** MULTI … EXEC around `commands`, contiguous on one connection; rejects as a whole when the server refuses it. */
  transaction(commands: readonly Command[], call?: Call): Promise<readonly Wire[]>
  subscribe?(channel: string, onMessage: (message: string) => void, onGap?: () => void): Promise<() => Promise<void>>
  /**
   * Opens a subscription as server-sent events, over REST: its body, until `signal` aborts. Rejects as `send`.
   * https://upstash.com/docs/redis/features/restapi
   */
  events?(channel: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array>>
  /**
   * A command that goes on answering (SUBSCRIBE, PSUBSCRIBE, MONITOR), on a connection of its own: every reply goes to
   * `onReply`, the first included. Resolves once it was sent; `onEnd` is called when the connection ends otherwise than
   * by `end`.
   */
  listen?(command: Command, onReply: (reply: Wire) => void, onEnd: (error: HitherError) => void): Promise<Listening>
  /**
   * A connection of one's own, for WATCH and what else only one caller may do; waits for one where all are lent. `key`: on a
   * Cluster, a key of what is to be done.
   */
  exclusive?(call?: Call, key?: string): Promise<Exclusive>
  /**
   * A command that waits on the server (BLPOP, XREAD BLOCK), on a connection that no other command shares; where it is
   * aborted, that connection ends at once. Absent: it goes on an `exclusive` connection.
   */
  wait?(command: Command, call?: Call): Promise<Wire>
  /** Ends what this transport opened; leaves a borrowed client alone. */
  close(): Promise<void>
}
