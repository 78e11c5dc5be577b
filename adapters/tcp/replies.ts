import { ReplyError, type Wire } from '../../src/store/transport.ts'
import { closed, fault, tooLarge } from './errors.ts'
import type { Wiring } from './wiring.ts'

/** Passes a reply to the first entry that waits. If none does, passes it to `onStray`, or throws `BAD_REPLY` without one. */
export function take(on: Wiring, reply: Wire, bytes: number): void {
  if (on.state === 'ended') return
  const { sent, role, settings } = on
  const entry = sent.peek()
  if (!entry) {
    if (!role.onStray) throw fault('BAD_REPLY', 'the server answered what nobody asked')
    role.onStray(reply)
    return
  }
  on.load--
  // The primary has become a replica. End this connection, so that the next one looks up the primary's address again.
  if (reply instanceof ReplyError && on.state !== 'opening' && reply.word === 'READONLY') on.state = 'leaving'
  const { replies } = entry
  // Keep no replies of a call that is over: nobody will read them, and there may be many.
  if (replies && !entry.over) {
    if (entry.onReply) replies.push(entry.onReply(reply, replies.length))
    else {
      entry.held += bytes
      replies.push(entry.held > settings.maxCallBytes ? tooLarge(settings.maxCallBytes) : reply)
    }
  }
  if (--entry.left > 0) return
  sent.shift()
  if (entry.over) settings.onLate(String(entry.commands[0]?.args[0]))
  else {
    entry.over = true
    entry.end?.()
    entry.resolve((replies ?? reply) as never)
  }
  if (on.load === 0 && on.state === 'leaving') on.end(closed())
}
