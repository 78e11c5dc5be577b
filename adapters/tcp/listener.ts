import { HitherError } from '../../src/errors.ts'
import { createHeartbeat } from '../../src/store/subscriptions.ts'
import { type Listening, ReplyError, type Transport, type Wire } from '../../src/store/transport.ts'
import { openConnection } from './connection.ts'
import { closed } from './errors.ts'
import type { Settings } from './settings.ts'
import type { Connection } from './wiring.ts'

export interface Listeners {
  listen: NonNullable<Transport['listen']>
  close(): void
}

const PING_MS = 5000

/**
 * Commands with more than one reply, each on a separate connection. A PING every 5 s checks the connection, except for MONITOR,
 * which would show every PING. A connection that ends is not opened again, since messages may be lost: its caller gets `onEnd`.
 */
export function createListeners(settings: Settings): Listeners {
  const open = new Set<(error: HitherError) => void>()
  return {
    listen: (command, onReply, onEnd) =>
      new Promise((resolve, reject) => {
        let over = false
        const heartbeat = createHeartbeat({
          everyMs: PING_MS,
          ping: () => connection.tell(['PING']),
          onDead: () =>
            connection.end(new HitherError('STORE_UNAVAILABLE', 'the link was silent', { retryable: true })),
        })
        const listening: Listening = {
          tell(more) {
            if (!over) connection.tell(more.args)
          },
          end() {
            over = true
            connection.end(closed())
          },
        }
        const connection: Connection = openConnection(
          { ...settings, protocol: 2 },
          {
            patient: true,
            onStray(reply) {
              heartbeat.heard()
              if (!over && !isPong(reply)) onReply(reply)
            },
            onOpen() {
              connection.tell(command.args)
              if (command.args[0] !== 'MONITOR') heartbeat.start()
              resolve(listening)
            },
            onEnd(error, opened) {
              open.delete(end)
              heartbeat.stop()
              if (over) return
              over = true
              if (opened) onEnd(error)
              else reject(error)
            },
          },
        )
        const end = connection.end
        open.add(end)
      }),
    close() {
      for (const end of [...open]) end(closed())
    },
  }
}

/** Whether this is the reply to the heartbeat's PING, also for a user who may not run PING. */
function isPong(reply: Wire): boolean {
  if (reply instanceof ReplyError) return reply.word === 'NOPERM' && reply.message.includes("'ping'")
  return reply === 'PONG' || (Array.isArray(reply) && reply[0] === 'pong')
}
