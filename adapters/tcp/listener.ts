import { HitherError } from '../../src/errors.ts'
import { setQuietTimer } from '../../src/runtime/clock.ts'
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
/** A link is dead when the third PING is due and nothing was heard since the first. */
const MAX_SILENT = 2

/**
 * Commands that go on answering, each on a connection of its own, which proves itself by a PING every 5 s (not while
 * it monitors, which shows every PING). It is not opened again: what was said meanwhile is lost, and its caller knows.
 */
export function createListeners(settings: Settings): Listeners {
  const open = new Set<(error: HitherError) => void>()
  return {
    listen: (command, onReply, onEnd) =>
      new Promise((resolve, reject) => {
        let silent = 0
        let over = false
        let cancelPing: (() => void) | undefined
        const ping = (): void => {
          if (silent++ >= MAX_SILENT) {
            connection.end(new HitherError('STORE_UNAVAILABLE', 'the link was silent', { retryable: true }))
            return
          }
          connection.tell(['PING'])
          cancelPing = setQuietTimer(ping, PING_MS)
        }
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
              silent = 0
              if (!over && !isPong(reply)) onReply(reply)
            },
            onOpen() {
              connection.tell(command.args)
              if (command.args[0] !== 'MONITOR') ping()
              resolve(listening)
            },
            onEnd(error, opened) {
              open.delete(end)
              cancelPing?.()
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

/** The answer to our own PING, also to a user who may not ask. */
function isPong(reply: Wire): boolean {
  if (reply instanceof ReplyError) return reply.word === 'NOPERM' && reply.message.includes("'ping'")
  return reply === 'PONG' || (Array.isArray(reply) && reply[0] === 'pong')
}
