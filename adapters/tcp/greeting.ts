import { StoreRejectedError } from '../../src/errors.ts'
import type { RedisAddress } from '../../src/store/redis-url.ts'
import { type Command, ReplyError, type Wire } from '../../src/store/transport.ts'
import { fault, refused } from './errors.ts'
import type { Settings } from './settings.ts'

type Ask = (lines: readonly Command['args'][]) => Promise<Wire[]>

/**
 * Logs in and chooses the protocol and the database, with `HELLO` and the commands after it. A server that does not know HELLO
 * speaks RESP2 and gets AUTH instead. Rejects if the connection cannot be used.
 * https://redis.io/docs/latest/commands/hello/
 */
export async function greet(address: RedisAddress, settings: Settings, ask: Ask): Promise<void> {
  const { username, password, db } = address
  const { protocol, readonly, primary } = settings
  // A user without a password logs in with an empty one.
  const auth = username || password ? ['AUTH', username || 'default', password] : []
  const after: Command['args'][] = [
    ...(db > 0 ? [['SELECT', db]] : []),
    ...(readonly ? [['READONLY']] : []),
    ...(primary ? [['ROLE']] : []),
    ['PING'],
  ]
  let replies = await ask([['HELLO', protocol, ...auth], ...after])
  const [hello] = replies
  if (hello instanceof ReplyError && /^(ERR|NOPROTO)$/.test(hello.word)) {
    const plain = auth[0] ? [['AUTH', ...(username ? [username] : []), password]] : []
    replies = await ask([...plain, ...after])
  }
  const first = replies.length - after.length
  replies.forEach((reply, at) => {
    const command = String(after[at - first]?.[0] ?? '')
    if (reply instanceof ReplyError) check(reply, command)
    else if (command === 'ROLE' && Array.isArray(reply) && reply[0] !== 'master') {
      throw fault('STORE_UNAVAILABLE', 'the server that Sentinel named is no primary, or no longer')
    }
  })
  if (Array.isArray(hello) && hello[hello.indexOf('mode') + 1] === 'cluster') settings.onCluster()
}

/** Throws if an error reply to the greeting makes the connection unusable. */
function check(reply: ReplyError, command: string): void {
  const { word } = reply
  const error = refused(reply)
  if (error.code === 'UNAUTHORIZED') throw error
  if (command === 'SELECT') throw new StoreRejectedError('SELECT', word)
  // A server that cannot save (MISCONF) refuses PING and writes, but still serves reads. A user may lack PING or ROLE.
  const passes = word === 'NOPERM' || (command === 'PING' && word !== 'LOADING')
  if (!passes) throw error
}
