/** Scripts in one write, and keys of one script. */
export const COMMANDS_AT_ONCE = 32

/**
 * Divides a batch of `count` commands into writes: the server runs one while the client makes the next, and neither waits
 * for the other. What it returns is called with each command that is added, and is true where that fills a write: scripts
 * for 32 keys, or half of the batch and 32 commands at the least.
 */
export function divideIntoWrites(count: number): (args: readonly unknown[]) => boolean {
  const share = 1 / Math.max(COMMANDS_AT_ONCE, count / 2)
  let room = 1
  return ([verb, , keys]) => {
    room -= verb === 'EVALSHA' ? Number(keys) / COMMANDS_AT_ONCE : share
    if (room > 0) return false
    room = 1
    return true
  }
}
