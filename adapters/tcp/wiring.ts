import type { OpenedSocket } from '#socket'
import type { HitherError } from '../../src/errors.ts'
import type { Encoder } from '../../src/store/resp-encoder.ts'
import type { Command, Wire } from '../../src/store/transport.ts'
import type { Queue } from './queue.ts'
import type { Settings } from './settings.ts'

export interface Role {
  /** Called with push messages, and with every reply that no entry waits for. @default such a reply ends the connection */
  onStray?(message: Wire): void
  onOpen?(): void
  /** Called once, also for a connection that never opened. */
  onEnd(error: HitherError, opened: boolean): void
  /** Whether the server may take any time to reply: for commands that wait. @default false */
  readonly patient?: boolean
}

/** The commands of one call. They are written together and in order, and settle together. */
export interface Entry {
  readonly commands: readonly Command[]
  readonly bytes: boolean
  readonly deadline: number
  readonly resolve: (reply: never) => void
  readonly reject: (error: unknown) => void
  /** Replies so far to several commands; absent if there is one command. */
  readonly replies: Wire[] | undefined
  /** Replies still to come. */
  left: number
  /** How much is kept of the replies, in bytes on the wire. */
  held: number
  /** For several commands: called with each reply while the caller waits; returns what is kept of it. */
  readonly onReply?: ((reply: Wire, at: number) => Wire) | undefined
  /** Removes the listener from the caller's signal. */
  end?: () => void
  sent: boolean
  /** Whether its promise has settled. The entry still takes the replies that come later, so that others do not. */
  over: boolean
}

export type State = 'opening' | 'ready' | 'leaving' | 'ended'

export interface Connection {
  state(): State
  /** Whether nothing is under way. */
  isIdle(): boolean
  /**
   * When anything last arrived from the server, in epoch milliseconds. A write while no reply is awaited counts too, since the
   * silence of the server is measured from then.
   */
  heardAt(): number
  /** Queues an entry. Its replies, its deadline, its signal or the end of the connection settle it. Throws `OVERLOADED`. */
  add(entry: Entry, signal: AbortSignal | undefined): void
  /** Writes a command whose reply goes to `onStray`. */
  tell(args: Command['args']): void
  /** Accepts no more entries, and ends when all replies under way have come, or after `graceMs` milliseconds. */
  leave(graceMs: number): Promise<void>
  /** Ends the connection at once. */
  end(error: HitherError): void
}

/** The state that the parts of a connection share. */
export interface Wiring {
  readonly settings: Settings
  readonly role: Role
  /** Absent until the address is known. */
  socket: OpenedSocket | undefined
  state: State
  /** Entries that wait to be written, and entries that were written: both in the order they were added. */
  readonly unsent: Queue<Entry>
  readonly sent: Queue<Entry>
  readonly encoder: Encoder
  /** Number of commands without a reply, written or not. */
  load: number
  /** Number of unsent entries whose callers have left. */
  deserted: number
  /** Whether the socket accepts no more until `onDrain`. */
  blocked: boolean
  scheduled: boolean
  heardAt: number
  /** The `heardAt` at the check that first found the connection silent for too long. */
  doubtedAt: number
  /** When deadlines are checked next; `cancelSweep` cancels that check. */
  due: number
  cancelSweep: (() => void) | undefined
  cancelOpening: (() => void) | undefined
  /** Resolves the promise of `leave`. */
  left: (() => void) | undefined
  /** Notifies the source of the address that no connection could be opened to it. */
  onMisled: (() => void) | undefined
  /** Ends the connection: every entry that is not settled rejects with `error`. */
  readonly end: (error: HitherError) => void
}
