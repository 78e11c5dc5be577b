import { checkFunction, checkNames, checkOperations, checkSignal, checkWhole, invalid } from '../protocol/arguments.ts'
import { keyUnder } from '../protocol/digest.ts'
import { toMs } from '../protocol/duration.ts'
import { checkNamespace } from '../protocol/keys.ts'
import { elapsedMs, NEVER, now, sleep } from '../runtime/clock.ts'
import { tell } from '../runtime/listener.ts'
import { createStoreBreaker, isOutage } from '../store/outage.ts'
import type { Call } from '../store/store.ts'
import { checkTime } from './algorithm.ts'
import { createLocalLimit } from './local-limit.ts'
import type { LimitNumbers, LimitReply } from './meter.ts'
import { type Asked, createRefusals } from './refusals.ts'
import type { Decision, LimitOptions, RateLimiter, RateLimiterOptions } from './types.ts'

const OPTIONS = ['store', 'algorithm', 'outage', 'namespace', 'timeout', 'onEvent']
const CALL = ['cost', 'limit', 'signal']
const WAIT = [...CALL, 'timeout']
const REASONS = ['limited', 'ok', 'blocked'] as const
/** Longest id that becomes part of a key as it is; a longer one is hashed. */
const MAX_ID = 128
/** `retryAfterMs` of a refusal while the store is down, where nothing better is known. */
const RETRY_MS = 1000

/**
 * A limiter over a store. Throws `INVALID_ARGUMENT`, `INVALID_DURATION` or `INVALID_KEY` for options that make no sense,
 * and `UNSUPPORTED` for a store without operations.
 */
export function createRateLimiter(options: RateLimiterOptions): RateLimiter {
  checkNames('createRateLimiter', options ?? null, OPTIONS)
  const { store, algorithm, outage, namespace = 'limit', timeout = 250, onEvent } = options
  checkOperations('createRateLimiter', store)
  if (typeof algorithm?.args !== 'function')
    throw invalid('algorithm is made by fixedWindow(…), slidingLog(…) or another')
  const local =
    typeof outage === 'object' && outage ? createLocalLimit(outage.local, algorithm.windowMs, RETRY_MS) : undefined
  if (!local && outage !== 'open' && outage !== 'closed') throw invalid("outage is 'open', 'closed' or { local: n }")
  checkFunction(onEvent, 'onEvent')
  if (typeof namespace !== 'string') throw invalid('namespace is text')
  const timeoutMs = toMs(timeout, 'timeout')
  const text = !store.transport
  const { args, steps, tag, windowMs } = algorithm
  const own = args(undefined, text)
  // A limiter's namespaces are not nested: a dot is a character like any other.
  const space = `:${namespace.split('.').map(checkNamespace).join('.')}:${tag}`
  // A character of an id has up to 3 bytes of UTF-8.
  if (space.length + 1 + 3 * MAX_ID > store.traits.maxKeyBytes)
    throw invalid('the namespace and the limits are too long for a key of this store')
  const refusals = createRefusals()
  /** By the clock of a test nobody but the store knows when a refusal ends. */
  const remembers = !store.traits.ownClock
  const guarded = createStoreBreaker(store.part?.bind(store), timeoutMs, (open) =>
    tell(onEvent, { type: 'breaker', namespace, open }),
  )

  const keyOf = (id: string): string | Promise<string> => {
    if (typeof id !== 'string' || id === '') throw invalid('an id is text that is not empty')
    return keyUnder(space, id)
  }
  const call = (sentMs: number, signal?: AbortSignal): Call => ({ deadline: sentMs + timeoutMs, signal }) as Call

  const change = async (id: string, verb: string, number: number): Promise<void> => {
    const key = await keyOf(id)
    refusals.forget(key)
    await guarded([key], () => store.run(steps[0], key, [verb, number, ...own], call(now())))
    refusals.forget(key)
  }

  const degraded = (error: unknown, { key, cost, limits }: Asked, taking: boolean): Decision => {
    if (!isOutage(error)) throw error
    const reason = error.code === 'TIMEOUT' ? 'timeout' : 'unavailable'
    const decision = local?.(key, cost, taking) ?? {
      success: outage === 'open',
      limit: limits[0] as number,
      remaining: 0,
      reset: now() + windowMs,
      retryAfterMs: outage === 'open' ? 0 : RETRY_MS,
    }
    tell(onEvent, { type: 'degraded', namespace, reason, code: error.code, success: decision.success })
    return { ...decision, reason }
  }

  const decide = async (verb: 'take' | 'peek', id: string, given: LimitOptions, names = CALL): Promise<Decision> => {
    checkNames('a call', given, names)
    const { cost = 1, limit, signal } = given
    checkSignal(signal)
    checkWhole(cost, 'cost', 0)
    const limits = limit === undefined ? own : args(limit, text)
    const named = keyOf(id)
    const key = typeof named === 'string' ? named : await named
    const asked = { key, cost, limits }
    const taking = verb === 'take'
    signal?.throwIfAborted()
    const known = taking && remembers && refusals.find(asked)
    if (known) return known
    const sentMs = now()
    const epoch = refusals.epoch()
    try {
      const ask = () => store.run(steps[taking ? 0 : 1], key, [verb, cost, ...limits], call(sentMs, signal))
      const decision = toDecision(await guarded([key], ask))
      if (taking && !decision.success) refusals.keep(asked, decision, sentMs, epoch)
      return decision
    } catch (error) {
      signal?.throwIfAborted()
      // Of many calls at once, an earlier one may have been refused meanwhile. That refusal is valid without the store.
      return (taking && refusals.find(asked)) || degraded(error, asked, taking)
    }
  }

  return {
    limit: (id, own = {}) => decide('take', id, own),
    peek: (id, own = {}) => decide('peek', id, own),
    async waitFor(id, own = {}) {
      const end = elapsedMs() + toMs(own?.timeout ?? '30s', 'timeout')
      for (;;) {
        // The `timeout` of the wait does not shorten the time that the store has: if the store took the cost too late, the
        // caller would lose it.
        const decision = await decide('take', id, own, WAIT)
        if (decision.success || elapsedMs() + decision.retryAfterMs >= end) return decision
        await sleep(decision.retryAfterMs, own.signal)
        // The timer was late: the wait is over.
        if (elapsedMs() >= end) return decision
      }
    },
    async reset(id) {
      const key = await keyOf(id)
      refusals.forget(key)
      await guarded([key], () => store.delete([key], call(now())))
      refusals.forget(key)
    },
    refund: async (id, cost = 1) => change(id, 'refund', checkWhole(cost, 'cost', 0)),
    block: async (id, time) => change(id, 'block', checkTime(time, 'the time of a block')),
  }
}

function toDecision(reply: LimitReply): Decision {
  const [code, limit, remaining, reset, retryMs] = reply.split(' ').map(Number) as unknown as LimitNumbers
  return {
    success: code === 1,
    limit,
    remaining,
    reset,
    retryAfterMs: retryMs < 0 ? NEVER : retryMs,
    reason: REASONS[code] as Decision['reason'],
  }
}
