import { HitherError } from '../../src/errors.ts'
import type { Call } from '../../src/store/store.ts'
import type { Transport } from '../../src/store/transport.ts'
import type { Exclusive } from '../../src/store/watch.ts'
import type { IoredisLike } from './client.ts'

const MAX_CONNECTIONS = 4
const MAX_WAITING = 10_000

export interface ExclusivePool {
  /** A connection of one's own; waits for one to be given back. Rejects when aborted, or with `OVERLOADED` past the bound. */
  acquire(call: Call): Promise<Exclusive>
  close(): Promise<void>
}

/** At most four duplicates of a client, opened as they are needed, each lent to one caller at a time. */
export function createExclusivePool(client: IoredisLike, open: (client: IoredisLike) => Transport): ExclusivePool {
  const idle: Transport[] = []
  const all = new Set<Transport>()
  const waiting: ((connection: Transport | undefined) => void)[] = []

  const lend = (connection: Transport): Exclusive => {
    let given = false
    return {
      send: connection.send,
      transaction: connection.transaction,
      release(broken) {
        if (given) return
        given = true
        if (broken) {
          all.delete(connection)
          void connection.close()
        }
        const next = waiting.shift()
        if (next) next(broken ? undefined : connection)
        else if (!broken) idle.push(connection)
      },
    }
  }
  const make = (): Transport => {
    const connection = open(client.duplicate())
    all.add(connection)
    return connection
  }
  return {
    async acquire({ signal }) {
      if (signal?.aborted) throw signal.reason
      const free = idle.pop() ?? (all.size < MAX_CONNECTIONS ? make() : undefined)
      if (free) return lend(free)
      if (waiting.length >= MAX_WAITING) {
        throw new HitherError('OVERLOADED', `${MAX_WAITING} callers wait for a connection`, { retryable: true })
      }
      const next = await new Promise<Transport | undefined>((resolve, reject) => {
        const turn = (connection: Transport | undefined): void => {
          signal?.removeEventListener('abort', onAbort)
          resolve(connection)
        }
        const onAbort = (): void => {
          waiting.splice(waiting.indexOf(turn), 1)
          reject(signal?.reason)
        }
        signal?.addEventListener('abort', onAbort, { once: true })
        waiting.push(turn)
      })
      return lend(next ?? make())
    },
    async close() {
      await Promise.all([...all].map((connection) => connection.close()))
      all.clear()
    },
  }
}
