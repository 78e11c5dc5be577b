/** Most scripts in one write, and most keys of one script. */
export const COMMANDS_AT_ONCE = 32

/**
 * Divides a batch of `count` commands into writes, so that the server runs one while the client makes the next. Call the
 * returned function with each command that is added; it returns true if the command fills the write. A write is full at
 * scripts (by digest) for 32 keys, or at half of the batch, but not below 32 commands.
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
