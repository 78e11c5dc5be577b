import type { NatsConnection } from '@nats-io/nats-core'

/** Subscriptions of one store. */
export interface Subscriptions {
  /** Resolves once the server has it. `onGap` is called when messages may be missing: the connection ended, or is back. */
  add(
    connection: NatsConnection,
    subject: string,
    onMessage: (message: string) => void,
    onGap: (() => void) | undefined,
  ): Promise<() => Promise<void>>
  close(): void
}

export function createSubscriptions(): Subscriptions {
  const gaps = new Set<() => void>()
  const ends = new Set<() => void>()
  const watched = new WeakSet<NatsConnection>()
  const watch = async (connection: NatsConnection): Promise<void> => {
    watched.add(connection)
    for await (const { type } of connection.status()) {
      if (/^(disconnect|reconnect|slowConsumer)$/.test(type)) for (const gap of gaps) gap()
    }
    for (const gap of gaps) gap()
  }
  return {
    async add(connection, subject, onMessage, onGap) {
      if (!watched.has(connection)) void watch(connection)
      const subscription = connection.subscribe(subject, {
        callback(error, message) {
          if (!error) onMessage(message.string())
        },
      })
      const gap = (): void => onGap?.()
      gaps.add(gap)
      const end = (): void => {
        gaps.delete(gap)
        ends.delete(end)
        if (!connection.isClosed()) subscription.unsubscribe()
      }
      ends.add(end)
      await connection.flush()
      return async () => end()
    },
    close() {
      for (const end of [...ends]) end()
    },
  }
}
