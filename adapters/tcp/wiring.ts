import type { OpenedSocket } from '#socket'
import type { HitherError } from '../../src/errors.ts'
import type { Encoder } from '../../src/store/resp-encoder.ts'
import type { Command, Wire } from '../../src/store/transport.ts'
import type { Queue } from './queue.ts'
import type { Settings } from './settings.ts'

export interface Role {
  /** What is said unasked, and every reply that nobody waits for. @default such a reply ends the connection */
  onStray?(message: Wire): void
  onOpen?(): void
  /** Called once, also for a connection that never opened. */
  onEnd(error: HitherError, opened: boolean): void
  /** The server may take as long as it likes to answer: for commands that wait. @default false */
  readonly patient?: boolean
}

/** Commands of one call: written together and in order, answered together. */
export interface Entry {
  readonly commands: readonly Command[]
  readonly bytes: boolean
  readonly deadline: number
  readonly resolve: (reply: never) => void
  readonly reject: (error: unknown) => void
  /** What has been answered of several commands; absent where there is one. */
  readonly replies: Wire[] | undefined
  /** Replies still to come. */
  left: number
  /** What is held of the replies, in bytes on the wire. */
  held: number
  /** Of several commands: takes each reply while the caller waits, and returns what is kept of it. */
  readonly onReply?: ((reply: Wire, at: number) => Wire) | undefined
  /** Takes the listener off the caller's signal. */
  end?: () => void
  sent: boolean
  /** Its caller has been answered; a reply that comes later still takes its place. */
  over: boolean
}

export type State = 'opening' | 'ready' | 'leaving' | 'ended'

export interface Connection {
  state(): State
  /** Whether nothing is under way. */
  isIdle(): boolean
  /** When the server was last heard, in epoch milliseconds. */
  heardAt(): number
  /** Settles the entry by its replies, at its deadline, by its signal, or when the connection ends. Throws `OVERLOADED`. */
  add(entry: Entry, signal: AbortSignal | undefined): void
  /** Writes a command whose reply goes to `onStray`. */
  tell(args: Command['args']): void
  /** Takes no more, and ends when all under way is answered, or by force after so many milliseconds. */
  leave(graceMs: number): Promise<void>
  /** Ends it at once. */
  end(error: HitherError): void
}

/** What the parts of a connection share: who waits, and what has been heard. */
export interface Wiring {
  readonly settings: Settings
  readonly role: Role
  /** Absent until the address is known. */
  socket: OpenedSocket | undefined
  state: State
  /** Waiting to be written, and written: each in the order they were added. */
  readonly unsent: Queue<Entry>
  readonly sent: Queue<Entry>
  readonly encoder: Encoder
  /** Commands that are not answered yet, waiting or sent. */
  load: number
  /** Unsent entries whose callers have left. */
  deserted: number
  /** The socket asked for a pause. */
  blocked: boolean
  scheduled: boolean
  heardAt: number
  /** The `heardAt` since which the connection seemed dead. */
  doubtedAt: number
  /** When the next deadline is looked at, and what calls that off. */
  due: number
  cancelSweep: (() => void) | undefined
  cancelOpening: (() => void) | undefined
  /** Who waits for `leave`. */
  left: (() => void) | undefined
  /** Tells who named the address that no connection was opened to it. */
  onMisled: (() => void) | undefined
  /** Ends the connection: every entry that is not settled rejects with `error`. */
  readonly end: (error: HitherError) => void
}
