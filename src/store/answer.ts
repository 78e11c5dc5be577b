import { HitherError, StoreRejectedError } from '../errors.ts'
import type { Placement } from './plan-batch.ts'
import type { Request } from './request.ts'
import type { Scripts } from './scripts.ts'
import { type PendingCall, settle } from './tick.ts'
import { ReplyError, type Wire } from './transport.ts'

/** Settles the callers of a request with its reply. Returns the calls to send again: the server ran none of them. */
export type Answer = (request: Request, reply: Wire) => PendingCall[]

const NONE: PendingCall[] = []

export function createAnswer(placement: Placement, scripts: Scripts, onForeignType: (verb: string) => void): Answer {
  return ({ calls, args, script }, reply) => {
    const [first, second] = calls as [PendingCall, PendingCall?]
    if (typeof reply === 'string' && !second && first.effect === 'read' && !first.script) {
      settle(first, 'resolve', reply)
      return NONE
    }
    const verb = args[0] as string
    const word = reply instanceof ReplyError ? reply.word : ''
    if (script && scripts.noteReply(script, reply)) return calls
    if (word === 'CROSSSLOT' && second) {
      placement.separate()
      return calls
    }
    // The user may lack access to one of the joined keys only. Send each call again alone, so that the others succeed.
    if (word === 'NOPERM' && second && verb !== 'HMGET') {
      for (const call of calls) call.isApart = true
      return calls
    }
    if (second) answerEach(calls, verb, reply)
    else if (word && !(verb === 'GET' && word === 'WRONGTYPE'))
      settle(first, 'reject', rejected(verb, reply as ReplyError))
    else {
      if (word) onForeignType(verb)
      settle(first, 'resolve', first.args[0] === 'GET' ? present(word ? null : reply) : reply)
    }
    return NONE
  }
}

/** Settles each of several joined calls with its part of the reply. */
function answerEach(calls: readonly PendingCall[], verb: string, reply: Wire): void {
  const isWhole = Array.isArray(reply) && reply.length === calls.length
  calls.forEach((call, i) => {
    const part = isWhole ? reply[i] : reply
    if (part instanceof ReplyError) settle(call, 'reject', rejected(verb, part))
    else if (isWhole) settle(call, 'resolve', call.args[0] === 'GET' ? present(part) : part)
    else settle(call, 'reject', badReply(verb))
  })
}

/** What a read resolves to: undefined for a key that is absent. */
function present(reply: Wire): string | Uint8Array | undefined {
  return reply === null ? undefined : reply instanceof Uint8Array ? reply : String(reply)
}

function rejected(verb: string, reply: ReplyError): HitherError {
  // Only a refusal of EVAL itself, or by the script guard, means that no script can run. A refused key, or a refused command
  // inside a script, says nothing about other keys and scripts.
  return verb.startsWith('EVAL') &&
    /^(UNPROVEN|ERR unknown command|ERR .*scripting support disabled|NOPERM (?!ACL).*\beval(sha)?\b)/i.test(
      reply.message,
    )
    ? new HitherError(
        'UNSUPPORTED',
        'this server runs no scripts, or several at once on a key: operations need EVAL and EVALSHA',
      )
    : new StoreRejectedError(verb, reply)
}

export function badReply(verb: string): HitherError {
  return new HitherError('BAD_REPLY', `${verb} was answered in a form that is not Redis`)
}
