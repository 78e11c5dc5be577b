import type { ReplyError } from './transport.ts'

/** Upstash locks its whole database for a script without this line. */
export const KEY_LOCKING_PRELUDE = '#!lua flags=allow-key-locking\n'

/** Whether a server refused a script for a flag it does not know: nothing ran. */
export function isUnexpectedFlag(reply: ReplyError): boolean {
  return reply.message.includes('Unexpected flag')
}

/**
 * The script without `allow-key-locking`, which only Upstash knows. If no flag is left, the first line is emptied; its
 * newline stays, so that line numbers in errors stay right. A script without the flag is returned unchanged.
 */
export function withoutKeyLocking(script: string): string {
  const line = /^#!lua[^\n]*/.exec(script)?.[0]
  if (!line?.includes('allow-key-locking')) return script
  const plain = line.replace(/\bflags=(\S*)/, (_, flags: string) => {
    const rest = flags.split(',').filter((flag) => flag !== 'allow-key-locking')
    return rest.length > 0 ? `flags=${rest.join()}` : ''
  })
  return (/^#!lua\s*$/.test(plain) ? '' : plain) + script.slice(line.length)
}
