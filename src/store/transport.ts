import type { HitherError } from '../errors.ts'
import type { Effect } from '../protocol/operation.ts'
import type { Call } from './call.ts'

/** An error reply, as a value. `message` is the server's text. It can quote user data, so it is never shown. */
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

/** A raw reply: nested arrays, bytes if the call asked for them, errors as values. */
export type Wire = null | string | Uint8Array | number | bigint | ReplyError | readonly Wire[]

export interface Command {
  /** The command's name, in upper case, then its arguments. */
  readonly args: readonly (string | number | Uint8Array)[]
  readonly effect: Effect
}

/**
 * As `transport.sendMany`, but reports the outcome of each command as it comes. A part of a batch can fail alone (a node of a
 * Cluster), and a caller with a reply need not wait for the rest of the batch. Each command is reported once, by its index.
 */
export type SendEach = (
  commands: readonly Command[],
  call: Call,
  onReply: (at: number, reply: Wire) => void,
  onError: (at: number, error: unknown) => void,
) => void

/** The limits of a batch, and what takes its replies. */
export interface BatchCall extends Call {
  /**
   * Called with each reply as it comes, and the index of its command. `sendMany` resolves to what it returns in place of the
   * reply, so that a caller need not hold all replies at once. It must not throw, and is not called once the call has settled.
   * A transport that gets all replies at once may ignore it; the caller then finds them in the result.
   */
  readonly onReply?: (reply: Wire, at: number) => Wire
}

/** A connection that only its caller uses, until it is released. */
export interface Exclusive extends Pick<Transport, 'send' | 'transaction'> {
  /** Returns the connection. `broken`: its replies may be out of step, so it is closed. */
  release(broken: boolean): void
}

/** A connection on which replies keep coming. */
export interface Listening {
  /** Sends one more command on it (SUBSCRIBE, UNSUBSCRIBE). The reply goes to `onReply`, in order. */
  tell(command: Command): void
  /** Ends the connection. Nothing is called for it any more. */
  end(): void
}

/**
 * Sends raw commands to a server that speaks Redis. It does not batch, split, retry or interpret: the store above does. An
 * error reply is a value (`ReplyError`), never a rejection. A rejection is a `HitherError` and means that there was no reply;
 * `maybeExecuted` is false only if nothing was sent. An abort rejects with the signal's reason.
 */
export interface Transport {
  /** Whether the server is a Cluster: the keys of one command, script or transaction must share a hash slot. @default false */
  readonly cluster?: boolean
  /** One command, one reply. */
  send(command: Command, call?: Call): Promise<Wire>
  /** Commands in order, replies in the same order; one round trip, not atomic. Resolves only with all replies. */
  sendMany(commands: readonly Command[], call?: BatchCall): Promise<readonly Wire[]>
  /** MULTI … EXEC around `commands`, contiguous on one connection; rejects as a whole when the server refuses it. */
  transaction(commands: readonly Command[], call?: Call): Promise<readonly Wire[]>
  subscribe?(channel: string, onMessage: (message: string) => void, onGap?: () => void): Promise<() => Promise<void>>
  /**
   * Opens a subscription as server-sent events over REST. Resolves to their body, which ends when `signal` aborts. Rejects as
   * `send`.
   * https://upstash.com/docs/redis/features/restapi
   */
  events?(channel: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array>>
  /**
   * Sends a command with more than one reply (SUBSCRIBE, PSUBSCRIBE, MONITOR), on a separate connection. Every reply goes to
   * `onReply`, the first included. Resolves once the command was sent. `onEnd` is called if the connection ends other than by
   * `end`.
   */
  listen?(command: Command, onReply: (reply: Wire) => void, onEnd: (error: HitherError) => void): Promise<Listening>
  /**
   * A connection for one caller alone, for WATCH and other commands that affect a whole connection. Waits while all are in use.
   * `key`: on a Cluster, a key that the commands use.
   */
  exclusive?(call?: Call, key?: string): Promise<Exclusive>
  /**
   * Sends a command that waits on the server (BLPOP, XREAD BLOCK), on a connection that no other command shares. If it is
   * aborted, that connection ends at once. Absent: such a command goes on an `exclusive` connection.
   */
  wait?(command: Command, call?: Call): Promise<Wire>
  /** Ends what this transport opened; leaves a borrowed client alone. */
  close(): Promise<void>
}
