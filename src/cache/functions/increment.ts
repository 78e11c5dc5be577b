import { HitherError } from '../../errors.ts'
import type { Reply } from '../../protocol/operation.ts'
import { randomId } from '../../runtime/random.ts'
import { lifeOf } from '../engine.ts'
import { CALL, invalid, limitOf } from '../options.ts'
import { currentVersions } from '../stamped-write.ts'
import type { AnyCache, PlainAddOptions } from '../types.ts'
import { viewOf } from '../view.ts'
import { type Attempt, readThenRun } from '../write.ts'
import { unread } from './unread.ts'
import { verbStep } from './verb-step.ts'

/**
 * Adds a whole number to a counter. A new counter starts at 0 with the given lifetime, which later calls do not change.
 * Resolves to the sum. Rejects with `WRONG_TYPE` when the key holds anything else, and with `OVERFLOW` beyond 2^53 - 1.
 * Atomic, never run twice.
 */
export async function increment(cache: AnyCache, key: string, by = 1, options?: PlainAddOptions): Promise<number> {
  const view = viewOf(cache, key)
  const { core } = view
  const limit = limitOf(view, options, { ...CALL, ttl: 1 })
  if (!Number.isSafeInteger(by)) throw invalid('increment takes a whole number')
  const { freshMs } = lifeOf(core, { ...options, grace: 0 })
  const send = (to: string, dead: string, id: string, generation: string): Promise<Reply> =>
    verbStep({ view, storedKey: to, limit }, 'once', ['increment', dead, id, freshMs, by, generation])
  const id = randomId()
  let attempt: Attempt | undefined = unread(view, limit, {
    send: (to, generation, unreadId) => send(to, unreadId, id, generation),
    // The step wrote its sum under the ended generation: that counter is dead.
    ended: (reply, generation) => (/\d/.test(`${reply}`) ? { known: { dead: id, generation } } : undefined),
  })
  let reply: Reply
  // Null: since the read, a counter of another generation was stored. Read again.
  do {
    const add: Parameters<typeof readThenRun>[2] = async (to, dead, known) => {
      // The generation must be read after this call began: a counter written under an older one would be lost.
      const generation = known?.generation ?? (await currentVersions(view, [], freshMs, limit)).generation
      return send(to, dead, randomId(), generation)
    }
    reply = await readThenRun(view, key, add, { limit, tags: undefined, attempt })
    attempt = undefined
  } while (reply === null)
  if (reply === 'WRONG_TYPE') throw new HitherError(reply, 'the key holds something other than a counter')
  if (reply === 'OVERFLOW') throw new HitherError(reply, 'the counter would leave the range of exact whole numbers')
  return Number(reply)
}

/** `increment` by `-by`. */
export function decrement(cache: AnyCache, key: string, by = 1, options?: PlainAddOptions): Promise<number> {
  return increment(cache, key, typeof by === 'number' ? -by : by, options)
}
