import type { Msg, MsgHdrs, NatsConnection } from '@nats-io/nats-core'
import { HitherError } from '../../src/errors.ts'
import { onAbort } from '../../src/runtime/abort.ts'
import { elapsedMs, NEVER, now, setDeadline, setQuietTimer } from '../../src/runtime/clock.ts'
import { onLimit } from '../../src/runtime/deadline.ts'
import type { CallLimits } from '../../src/store/swap.ts'

/** One request. */
export interface Question {
  readonly subject: string
  readonly payload: string | Uint8Array
  readonly headers?: MsgHdrs | undefined
  /** Whether it changes something, so that it may have run although no reply came. */
  readonly writes: boolean
}

/** Requests over one connection. All replies arrive on one subscription. */
export interface Requests {
  /** Rejects with `TIMEOUT`, `STORE_UNAVAILABLE`, `UNAUTHORIZED`, or the signal's reason. */
  ask(question: Question, limits: CallLimits): Promise<Msg>
  /** Sends a message without a reply. Resolves once the server has it. Rejects as `ask` does. */
  publish(subject: string, message: string, limits: CallLimits): Promise<void>
  /** The error of a request that no server handles. Calls `onGone`: the bucket no longer exists and must be opened again. */
  gone(): HitherError
  /** Rejects all waiting requests and every later one with `error`. */
  end(error: HitherError): void
}

interface Waiting {
  readonly question: Question
  /** When its caller stops waiting, by `elapsedMs`: the wall clock may be set back meanwhile. */
  readonly endMs: number
  settle(outcome: Msg | undefined, error?: unknown): void
}

/** `onGone` is called when the bucket no longer exists, as after a restart of a server that held it in memory. */
export function createRequests(connection: NatsConnection, inbox: string, onGone: () => void): Requests {
  const waiting = new Map<string, Waiting>()
  let number = 0
  let dueMs = NEVER
  let cancelSweep: (() => void) | undefined
  let ended: HitherError | undefined
  let isDown = false

  const lost = (error: HitherError, { question }: Waiting): HitherError =>
    question.writes ? new HitherError(error.code, error.message, { cause: error.cause, maybeExecuted: true }) : error
  const gone = (): HitherError => {
    onGone()
    return unavailable('no server answers for the bucket: is JetStream on (nats-server -js), and for this account?')
  }
  const endAll = (error: HitherError): void => {
    for (const each of [...waiting.values()]) each.settle(undefined, lost(error, each))
  }
  const arm = (endMs: number, atMs: number): void => {
    if (endMs >= dueMs) return
    cancelSweep?.()
    dueMs = endMs
    cancelSweep = setDeadline(sweep, endMs - atMs, undefined, setQuietTimer)
  }
  const sweep = (): void => {
    const atMs = elapsedMs()
    dueMs = NEVER
    let next = NEVER
    for (const each of [...waiting.values()]) {
      if (each.endMs <= atMs) each.settle(undefined, timedOut(each.question.writes))
      else next = Math.min(next, each.endMs)
    }
    arm(next, atMs)
  }
  const subscription = connection.subscribe(`${inbox}.*`, {
    callback(error, message) {
      const found = error ? undefined : waiting.get(message.subject.slice(inbox.length + 1))
      if (!found) return
      // No server handles the subject: the bucket is gone or has no leader yet, or JetStream is off.
      if (message.headers?.code === 503) found.settle(undefined, gone())
      else found.settle(message)
    },
  })
  const watch = async (): Promise<void> => {
    for await (const status of connection.status()) {
      if (status.type === 'disconnect') {
        isDown = true
        endAll(unavailable('the connection ended'))
      } else if (status.type === 'reconnect') isDown = false
      else if (status.type === 'error' && status.error.name === 'PermissionViolationError') {
        const { subject } = status.error as Error & { readonly subject?: string }
        for (const each of [...waiting.values()]) {
          if (each.question.subject === subject) each.settle(undefined, unauthorized(status.error))
        }
      }
    }
    endAll(unavailable('the connection was closed'))
  }
  void watch()

  const check = ({ deadline, signal }: CallLimits): void => {
    if (signal?.aborted) throw signal.reason
    if (ended) throw ended
    if (!(deadline > now())) throw timedOut(false)
    // The client queues requests for a server that is down. They would be sent when nobody waits for them any more.
    if (isDown || connection.isClosed()) throw unavailable('it is not connected')
  }

  return {
    ask: (question, limits) =>
      new Promise((resolve, reject) => {
        check(limits)
        const { deadline, signal } = limits
        const atMs = elapsedMs()
        const endMs = atMs + deadline - now()
        number = (number + 1) % 1e9
        const token = number.toString(36)
        const forget = signal && onAbort(signal, () => settle(undefined, signal.reason))
        const settle = (outcome: Msg | undefined, error?: unknown): void => {
          waiting.delete(token)
          forget?.()
          if (outcome) resolve(outcome)
          else reject(error)
        }
        waiting.set(token, { question, endMs, settle })
        const { subject, payload, headers } = question
        try {
          connection.publish(subject, payload, { reply: `${inbox}.${token}`, ...(headers ? { headers } : {}) })
        } catch (error) {
          settle(undefined, unsent(error))
        }
        arm(endMs, atMs)
      }),
    async publish(subject, message, limits) {
      check(limits)
      try {
        connection.publish(subject, message)
      } catch (error) {
        throw unsent(error)
      }
      await flushed(connection, limits, true)
    },
    gone,
    end(error) {
      ended ??= error
      endAll(error)
      cancelSweep?.()
      subscription.unsubscribe()
    },
  }
}

/** Resolves once the server has all messages sent before, by its reply to a PING. `writes`: they may have had an effect. */
export function flushed(connection: NatsConnection, { deadline, signal }: CallLimits, writes: boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const limit = { deadline, signals: signal ? [signal] : [] }
    const callOff = onLimit(limit, () => timedOut(writes), reject)
    const fail = (cause: unknown): void => {
      const message = 'NATS: the connection ended before the reply'
      reject(new HitherError('STORE_UNAVAILABLE', message, { cause, retryable: true, maybeExecuted: writes }))
    }
    connection.flush().then(resolve, fail).finally(callOff)
  })
}

export function unavailable(what: string, cause?: unknown): HitherError {
  return new HitherError('STORE_UNAVAILABLE', `NATS: ${what}`, { cause, retryable: true })
}

export function tooLarge(cause?: unknown): HitherError {
  const what = "the value is larger than the server takes: see its max_payload, and the bucket's max_msg_size"
  return new HitherError('VALUE_TOO_LARGE', what, { cause })
}

function unsent(error: unknown): HitherError {
  return /max_payload/.test(String(error)) ? tooLarge(error) : unavailable('it could not be sent', error)
}

export function unauthorized(cause: unknown): HitherError {
  // Further parts of a subject may be a key.
  const [right] = /\$(?:JS\.API\.\w+\.\w+|KV\.[\w-]+)/.exec(String(cause)) ?? []
  const what = right ? `the user lacks a right on ${right}` : 'the server refused user, password, or a right'
  return new HitherError('UNAUTHORIZED', `NATS: ${what}`, { cause })
}

function timedOut(maybeExecuted: boolean): HitherError {
  return new HitherError('TIMEOUT', 'no answer before the deadline', { retryable: !maybeExecuted, maybeExecuted })
}
