import { inTransaction, readExec } from '../../src/store/over-redis.ts'
import type { Command, Transport, Wire } from '../../src/store/transport.ts'
import type { Peer } from './client.ts'
import type { Exchange } from './exchange.ts'
import type { Progress } from './progress.ts'
import type { Readiness } from './readiness.ts'
import { ASKING, isRedirect, REDIRECTS, type Routing } from './routing.ts'

export interface TransactionParts {
  readonly client: Peer
  readonly routing: Routing
  readonly open: Readiness['open']
  readonly write: Exchange['write']
  /** Opens the Cluster of which the client's server turned out to be a node. Absent: the client is used as it is. */
  readonly joinCluster: (() => Promise<Transport>) | undefined
}

/** Runs `commands` in MULTI … EXEC on the node of their key. If the key has moved, nothing ran, and they run there. */
export type Transaction = (commands: readonly Command[], progress: Progress) => Promise<readonly Wire[]>

export function createTransaction({ client, routing, open, write, joinCluster }: TransactionParts): Transaction {
  const cluster = client.isCluster === true
  const { route, follow } = routing
  return async (commands, progress) => {
    const framed = inTransaction(commands)
    const keyed = (commands.find(({ args }) => args.length > 1) ?? framed[0]) as Command
    let known: Peer | undefined
    let asking: Command[] = []
    for (let left = REDIRECTS; ; left--) {
      const peer = known ?? (cluster ? route(keyed.args) : client)
      await open(peer)
      const replies = (await Promise.all(write(peer, [...asking, ...framed], progress))).slice(asking.length)
      const result = readExec(framed, replies)
      if (!('error' in result)) return result
      const { error, blamed } = result
      // EXECABORT: nothing ran, so a transaction that was redirected may be sent again.
      if (joinCluster && blamed?.word === 'MOVED') {
        const { deadline, bytes = false } = progress
        return (await joinCluster()).transaction(commands, { bytes, deadline })
      }
      if (!cluster || left === 0 || !blamed || !isRedirect(blamed)) throw error
      known = await follow(blamed, left)
      asking = known && blamed.word === 'ASK' ? [ASKING] : []
    }
  }
}
