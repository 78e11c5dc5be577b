import { joinedOperation } from '../protocol/operation.ts'
import type { JoinScripts } from './request.ts'
import type { Script } from './scripts.ts'
import type { PendingCall } from './tick.ts'
import { COMMANDS_AT_ONCE } from './writes.ts'

export const joinScripts: JoinScripts = (last, call, canMiss, run) => {
  const first = last.calls[0] as PendingCall
  const count = last.calls.length
  // A call that is sent again goes alone: the server may have refused it because of a call that it was joined with.
  if (first.script !== call.script || last.isResend || call.sent || count === COMMANDS_AT_ONCE) return false
  if (!call.keys[0] || !haveSameArgs(first, call)) return false
  if (count > 1 && last.args[0] !== 'EVAL' && !canMiss) return false
  if (count === 1) {
    last.canMiss = last.canMiss === true && canMiss
    run(joinedOf(first.script as Script), first.args)
  }
  last.args[2] = count + 1
  last.args.splice(3 + count, 0, call.keys[0])
  last.calls.push(call)
  return true
}

const joined = new WeakMap<Script, Script>()

function joinedOf(script: Script): Script {
  let entry = joined.get(script)
  if (!entry) {
    entry = joinedOperation(script)
    joined.set(script, entry)
  }
  return entry
}

/** Whether two operations differ only in their keys. */
function haveSameArgs({ args }: PendingCall, { args: others }: PendingCall): boolean {
  if (args.length !== others.length) return false
  for (let i = 2; i < args.length; i++) if (args[i] !== others[i]) return false
  return true
}
