import { HitherError, StoreRejectedError } from '../errors.ts'
import { type Arg, type Operation, scriptOf } from '../protocol/operation.ts'
import { now } from '../runtime/clock.ts'
import { withDeadline } from '../store/call.ts'
import type { AtomicStore } from '../store/store.ts'
import { type Exclusive, ReplyError } from '../store/transport.ts'

/** The reply of a step that too few replicas have confirmed. */
export const UNMET: number = -2

/** Longest wait for the replicas, in milliseconds. */
const WAIT_MS = 1000

/**
 * As `store.run`, but the step counts only when `minReplicas` replicas have confirmed it: resolves to `UNMET` when fewer do in
 * time. WAIT covers only the writes of its own connection, so both commands go over a connection that nobody else uses. Throws
 * `UNSUPPORTED` for a store that has no such connection: REST, a Cluster of ioredis, memory.
 */
export function confirmedRun({ transport }: AtomicStore, minReplicas: number): AtomicStore['run'] {
  const lend = transport?.exclusive?.bind(transport)
  if (!lend)
    throw new HitherError('UNSUPPORTED', 'minReplicas needs a store over TCP, of ioredis to one server: it uses WAIT')
  return async <A extends readonly Arg[], R>(
    operation: Operation<A, never>,
    key: string,
    args: A,
    call?: { readonly deadline?: number },
  ) => {
    const limit = withDeadline(call)
    const step = [scriptOf(operation), 1, key, ...args] as const
    const attempt = async (): Promise<number> => confirmed(await lend(limit, key), step, minReplicas, limit)
    const reply = await attempt().catch(async (error: unknown) => {
      // The key has moved to another node, so nothing ran. An ordinary command follows it there, and the store then knows the node.
      if (!(error instanceof StoreRejectedError && error.reply === 'MOVED')) throw error
      await transport?.send({ args: ['GET', key], effect: 'read' }, limit)
      return attempt()
    })
    return reply as R
  }
}

/** Runs a script, and waits for the replicas. Resolves to the reply of the script, or to `UNMET`. */
async function confirmed(
  own: Exclusive,
  step: readonly (string | number)[],
  minReplicas: number,
  limit: { readonly deadline: number },
): Promise<number> {
  const send = async (...words: (string | number)[]): Promise<number> => {
    const reply = await own.send({ args: words, effect: 'once' }, limit)
    if (!(reply instanceof ReplyError)) return Number(reply)
    if (!/unknown command|NOPERM (?!ACL|.*access)|without a Lua|scripting support/i.test(reply.message))
      throw new StoreRejectedError(`${words[0]}`, reply)
    throw new HitherError('UNSUPPORTED', `minReplicas needs EVAL and WAIT: this server refuses ${words[0]}`)
  }
  let broken = true
  try {
    const reply = await send('EVAL', ...step)
    // At most half of the time left, so that the reply arrives before the deadline. WAIT with 0 would wait for ever.
    const waitMs = Math.max(1, Math.min(WAIT_MS, Math.ceil((limit.deadline - now()) / 2)))
    const few = reply > 0 && (await send('WAIT', minReplicas, waitMs)) < minReplicas
    broken = false
    return few ? UNMET : reply
  } finally {
    own.release(broken)
  }
}
