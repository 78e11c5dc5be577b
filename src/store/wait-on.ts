import type { Transport } from './transport.ts'

/** Makes the `wait` of a transport from its `exclusive`. `key`: chooses the node, on a Cluster. */
export function waitOn(acquire: NonNullable<Transport['exclusive']>, key?: string): NonNullable<Transport['wait']> {
  return async (command, call) => {
    const connection = await acquire(call, key)
    let broken = true
    try {
      const reply = await connection.send(command, call)
      broken = false
      return reply
    } finally {
      // If the caller has left, the server could still pop an element for it, and nobody would get it: close the connection.
      connection.release(broken)
    }
  }
}
