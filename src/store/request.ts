import type { Effect } from '../protocol/operation.ts'
import type { Script } from './scripts.ts'
import type { PendingCall } from './tick.ts'

/** One command, and the calls it answers: several where reads were joined. */
export interface Request {
  readonly calls: PendingCall[]
  args: (string | number | Uint8Array)[]
  readonly effect: Effect
  /** What `args` runs: for several calls, the script that does so for each of their keys. */
  script?: Script
  /** It may go by digest: should the server say that it has no such script, nothing comes out of order. */
  canMiss?: boolean
  /** It was sent before. */
  readonly isResend?: boolean
}

/**
 * Adds an operation to the request before it, and returns true, where both run the same with the same arguments: one
 * script then runs for up to 32 keys of one server, and client and server save most of what a command costs beside its
 * work. `run` puts the joined script into the request, with the arguments of its first call.
 */
export type JoinScripts = (
  last: Request,
  call: PendingCall,
  canMiss: boolean,
  run: (joined: Script, args: PendingCall['args']) => void,
) => boolean
