import { HitherError } from '../errors.ts'
import { limitOf, onLimit } from '../runtime/deadline.ts'
import type { Call } from './store.ts'
import type { Exclusive, Transport } from './transport.ts'

const MAX_WAITING = 10_000

/** A connection that a pool opens. */
export interface Lendable extends Pick<Transport, 'send' | 'transaction'> {
  /** Whether it can no longer be lent. @default false */
  readonly ended?: boolean
  /** Lets what is under way be answered, unless it is of no use any more. */
  close(broken?: boolean): Promise<void>
}

export interface ExclusivePool {
  /**
   * A connection of one's own; waits for one to be given back. Rejects when aborted, with `TIMEOUT` at the deadline,
   * with `OVERLOADED` past 10,000 who wait, or with `CLOSED`.
   */
  acquire(call?: Call): Promise<Exclusive>
  /** Ends all connections; what is under way on them then, and who waits for one, rejects with `CLOSED`. */
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
  /** A connection does not know that it was cut by `close`. */
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
        const late = () => new HitherError('TIMEOUT', 'no connection before the deadline', { retryable: true })
        const callOff = onLimit(limitOf(call), late, (reason) => {
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
