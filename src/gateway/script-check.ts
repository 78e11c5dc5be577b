import { HitherError } from '../errors.ts'
import { now } from '../runtime/clock.ts'
import { createScriptGuard, GUARD_LINE, UNPROVEN } from '../store/script-guard.ts'
import { type Command, ReplyError, type Transport } from '../store/transport.ts'

const LIMIT_MS = 5000

/**
 * Whether the server runs one script at a time on a key. It is asked before the first script, by a script that most servers
 * simply run. Rejects if the server does not reply; nothing has run then.
 */
export function createScriptCheck({ send, exclusive }: Transport): () => Promise<boolean> {
  const guard = createScriptGuard(send, exclusive)
  let known: Promise<boolean> | undefined
  const ask = async (): Promise<boolean> => {
    const command: Command = { args: ['EVAL', `${GUARD_LINE}return 1`, 0], effect: 'read' }
    const reply = await send(command, { deadline: now() + LIMIT_MS })
    if (reply === 1) return true
    const isGuarded = reply instanceof ReplyError && reply.word === UNPROVEN
    const isAtomic = isGuarded && (await guard.prove())
    // Asked again next time: the server refuses scripts, as each script's own reply says, or may run them one at a time later.
    if (!isAtomic) known = undefined
    return isAtomic || !isGuarded
  }
  return () => {
    known ??= ask().catch((cause) => {
      known = undefined
      throw new HitherError('STORE_UNAVAILABLE', 'the server did not say how it runs scripts', {
        cause,
        retryable: true,
      })
    })
    return known
  }
}
