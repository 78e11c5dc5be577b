import { HitherError } from '../errors.ts'
import { now } from '../runtime/clock.ts'
import { createScriptGuard, GUARD_LINE, UNPROVEN } from '../store/script-guard.ts'
import { type Command, ReplyError, type Transport } from '../store/transport.ts'

const LIMIT_MS = 5000

/**
 * Whether the server runs one script at a time on a key: asked with the first script, by one that most servers just run. Rejects
 * where the server does not answer; nothing ran then.
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
    // It refuses scripts, and says so itself, or may run them later.
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
