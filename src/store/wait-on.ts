import type { Transport } from './transport.ts'

/** `wait` of a transport that lends connections of one's own: on the one of `key`, where that counts. */
export function waitOn(acquire: NonNullable<Transport['exclusive']>, key?: string): NonNullable<Transport['wait']> {
  return async (command, call) => {
    const connection = await acquire(call, key)
    let broken = true
    try {
      const reply = await connection.send(command, call)
      broken = false
      return reply
    } finally {
      // A caller that left would still be served, and nobody would have what it was given.
      connection.release(broken)
    }
  }
}
