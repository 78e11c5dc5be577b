import { HitherError, StoreRejectedError } from '../errors.ts'
import { type Arg, type Operation, scriptOf } from '../protocol/operation.ts'
import { now } from '../runtime/clock.ts'
import type { AtomicStore } from '../store/store.ts'
import { type Exclusive, ReplyError } from '../store/transport.ts'

/** The reply of a step that too few replicas have confirmed. */
export const UNMET: number = -2

/** The deadline of a step and the wait that follows it, in milliseconds. */
const TIMEOUT_MS = 5000
/** Longest wait for the replicas, in milliseconds. */
const WAIT_MS = 1000

/**
 * As `store.run`, but the step counts only when `minReplicas` replicas have confirmed it: resolves to `UNMET` when fewer do in
 * time. WAIT covers only the writes of its own connection, so both commands go over a connection that nobody else uses. Throws
 * `UNSUPPORTED` for a store that has no such connection: REST, a Cluster of ioredis, memory.
 */
export function confirmedRun(store: AtomicStore, minReplicas: number): AtomicStore['run'] {
  const lend = store.transport?.exclusive
  if (!lend)
    throw new HitherError('UNSUPPORTED', 'minReplicas needs a store over TCP, of ioredis to one server: it uses WAIT')
  return async <A extends readonly Arg[], R>(
    operation: Operation<A, never>,
    key: string,
    args: A,
    call?: { readonly deadline?: number },
  ) => {
    const limit = { deadline: now() + TIMEOUT_MS, ...call }
    const send = async (own: Exclusive, ...words: (string | number)[]): Promise<number> => {
      const reply = await own.send({ args: words, effect: 'once' }, limit)
      if (!(reply instanceof ReplyError)) return Number(reply)
      if (!/unknown command|NOPERM|without a Lua|scripting support/i.test(reply.message))
        throw new StoreRejectedError(`${words[0]}`, reply.word)
      throw new HitherError('UNSUPPORTED', `minReplicas needs EVAL and WAIT: this server refuses ${words[0]}`)
    }
    const own = await lend(limit, key)
    let broken = true
    try {
      const reply = await send(own, 'EVAL', scriptOf(operation), 1, key, ...args)
      // At most half of the time left, so that the reply arrives before the deadline. WAIT with 0 would wait for ever.
      const waitMs = Math.max(1, Math.min(WAIT_MS, Math.ceil((limit.deadline - now()) / 2)))
      const few = reply > 0 && (await send(own, 'WAIT', minReplicas, waitMs)) < minReplicas
      broken = false
      return (few ? UNMET : reply) as R
    } finally {
      own.release(broken)
    }
  }
}
