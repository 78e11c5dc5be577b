import type { ReplyError } from './transport.ts'

/** Upstash locks its whole database for a script without this line. */
export const KEY_LOCKING_PRELUDE = '#!lua flags=allow-key-locking\n'

/** Whether a server refused a script for a flag it does not know: nothing ran. */
export function isUnexpectedFlag(reply: ReplyError): boolean {
  return reply.message.includes('Unexpected flag')
}
