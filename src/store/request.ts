import type { Effect } from '../protocol/operation.ts'
import type { Script } from './scripts.ts'
import type { PendingCall } from './tick.ts'

/** One command, and the calls that its reply settles: several if reads or operations were joined. */
export interface Request {
  readonly calls: PendingCall[]
  args: (string | number | Uint8Array)[]
  readonly effect: Effect
  /** The script that `args` runs. For several calls it is a joined one, which runs for each of their keys. */
  script?: Script
  /** Whether the script may go by digest: sending it again after NOSCRIPT breaks no order. */
  canMiss?: boolean
  /** Whether its call was sent before. */
  readonly isResend?: boolean
}

/**
 * Adds an operation to the request before it and returns true, if both run the same script with the same arguments. One
 * script then runs for up to 32 keys of one server, which saves client and server most of the cost of a command. `run`
 * puts the joined script into the request, with the arguments of its first call.
 */
export type JoinScripts = (
  last: Request,
  call: PendingCall,
  canMiss: boolean,
  run: (joined: Script, args: PendingCall['args']) => void,
) => boolean
