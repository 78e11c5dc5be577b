import { HitherError } from '../../src/errors.ts'
import type { Peer } from './client.ts'

/**
 * Refuses a client whose settings would keep a caller waiting, run a command twice, or change commands or replies on
 * their way (`UNSAFE_CLIENT`, naming each such setting and the value it needs).
 */
export function checkSettings(client: Peer): void {
  if (typeof client?.call !== 'function' || typeof client.callBuffer !== 'function') {
    const promised = (client as { then?: unknown } | undefined)?.then ? ': await connect(…) first' : ''
    throw new HitherError(
      'INVALID_ARGUMENT',
      `ioredisStore takes a client of ioredis or iovalkey, or their Cluster${promised}`,
    )
  }
  const cluster = client.isCluster === true
  const own = client.options
  const node = (cluster ? (own.redisOptions ?? {}) : own) as Peer['options']
  const inNode = cluster ? 'redisOptions.' : ''
  const wrong: string[] = []
  const need = (ok: boolean, setting: string, value: string, why: string): void => {
    if (!ok) wrong.push(`set ${setting} to ${value} on the client: otherwise ${why}`)
  }
  const waits = 'commands wait for a dead server and run late'
  const twice = 'a command whose reply was lost runs twice'
  need(own.enableOfflineQueue === false, 'enableOfflineQueue', 'false', waits)
  need(node.maxRetriesPerRequest === 0, `${inNode}maxRetriesPerRequest`, '0', twice)
  if (cluster) {
    need(own.retryDelayOnFailover === 0, 'retryDelayOnFailover', '0', twice)
    need(own.scaleReads === 'master', 'scaleReads', "'master'", 'reads miss acknowledged writes')
    // The Cluster itself asks a node for the slots before it is connected, so that command has to be queued.
    need(node.enableOfflineQueue !== false, 'redisOptions.enableOfflineQueue', 'true', 'no node is ever reached')
  }
  need(!own.enableAutoPipelining && !node.enableAutoPipelining, 'enableAutoPipelining', 'false', 'order is lost')
  need(!own.keyPrefix && !node.keyPrefix, 'keyPrefix', "'' (hither has namespaces)", 'keys differ between stores')
  // Over RESP2, `stringNumbers` gives only integers as text, with all their digits, and the adapter reads them. A Cluster with it
  // misreads its own table of slots.
  need(
    !node.stringNumbers || (!cluster && node.protocol === 2),
    `${inNode}stringNumbers`,
    'false',
    'numbers arrive as text',
  )
  need(node.replyMapping !== 'resp3', `${inNode}replyMapping`, "'legacy'", 'replies arrive reshaped')
  need(!node.readOnly, `${inNode}readOnly`, 'false', 'writes are refused')
  need(node.role !== 'slave', 'role', "'master'", 'writes are refused')
  need((client.mode ?? 'normal') === 'normal', 'mode', "'normal' (a client of its own)", 'commands are refused')
  if (wrong.length > 0) throw new HitherError('UNSAFE_CLIENT', wrong.join('; '))
}
