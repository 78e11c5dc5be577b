import { HitherError } from '../errors.ts'
import { limitOf, onLimit } from '../runtime/deadline.ts'
import type { Call } from './store.ts'
import type { Exclusive, Transport } from './transport.ts'

const MAX_WAITING = 10_000

/** A connection that a pool opens. */
export interface Lendable extends Pick<Transport, 'send' | 'transaction'> {
  /** Whether it can no longer be lent. @default false */
  readonly ended?: boolean
  /** Closes the connection. Commands under way still get their replies, unless it is `broken`. */
  close(broken?: boolean): Promise<void>
}

export interface ExclusivePool {
  /**
   * Lends a connection to this caller alone, or waits until one is released. Rejects when aborted, with `TIMEOUT` at the
   * deadline, with `OVERLOADED` if 10,000 callers wait already, or with `CLOSED`.
   */
  acquire(call?: Call): Promise<Exclusive>
  /** Ends all connections. Commands that this cuts, and callers that wait for a connection, reject with `CLOSED`. */
  close(): Promise<void>
}

/** At most `max` connections, opened as they are needed, each lent to one caller at a time. */
export function createExclusivePool(open: () => Lendable, max = 4): ExclusivePool {
  const idle: Lendable[] = []
  const all = new Set<Lendable>()
  const waiting: ((connection: Lendable | undefined) => void)[] = []
  let isClosed = false
  const checkOpen = (): void => {
    if (isClosed) throw ended()
  }
  /** Throws `CLOSED` for a command that `close` has cut: the connection itself knows only that it ended. */
  const cut = (error: Partial<HitherError>): never => {
    throw isClosed && error.code === 'STORE_UNAVAILABLE' ? ended(error.maybeExecuted) : error
  }

  const drop = (connection: Lendable): void => {
    all.delete(connection)
    void connection.close(true)
  }
  const lend = (connection: Lendable): Exclusive => {
    let given = false
    return {
      send: (command, call) => connection.send(command, call).catch(cut),
      transaction: (commands, call) => connection.transaction(commands, call).catch(cut),
      release(broken) {
        if (given) return
        given = true
        const gone = broken || connection.ended === true
        if (gone) drop(connection)
        const next = waiting.shift()
        if (next) next(gone ? undefined : connection)
        else if (!gone) idle.push(connection)
      },
    }
  }
  const make = (): Lendable => {
    const connection = open()
    all.add(connection)
    return connection
  }
  const take = (): Lendable | undefined => {
    for (let free = idle.pop(); free; free = idle.pop()) {
      if (!free.ended) return free
      drop(free)
    }
    return all.size < max ? make() : undefined
  }
  return {
    async acquire(call) {
      call?.signal?.throwIfAborted()
      checkOpen()
      const free = take()
      if (free) return lend(free)
      if (waiting.length >= MAX_WAITING) {
        throw new HitherError('OVERLOADED', `${MAX_WAITING} callers wait for a connection`, { retryable: true })
      }
      const next = await new Promise<Lendable | undefined>((resolve, reject) => {
        const take = (connection: Lendable | undefined): void => {
          callOff()
          resolve(connection)
        }
        const timedOut = () => new HitherError('TIMEOUT', 'no connection before the deadline', { retryable: true })
        const callOff = onLimit(limitOf(call), timedOut, (reason) => {
          waiting.splice(waiting.indexOf(take), 1)
          reject(reason)
        })
        waiting.push(take)
      })
      checkOpen()
      return lend(next ?? make())
    },
    async close() {
      isClosed = true
      for (const leave of waiting.splice(0)) leave(undefined)
      await Promise.all([...all].map((connection) => connection.close()))
      all.clear()
    },
  }
}

function ended(maybeExecuted = false): HitherError {
  return new HitherError('CLOSED', 'the transport is closed', { maybeExecuted })
}
