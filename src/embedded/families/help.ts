import type { Family, Run } from '../contracts.ts'
import { Simple } from '../reply.ts'

/** What a command with subcommands says of them, as Redis 8 says it: what they do stands below each, indented. */
const help =
  (name: string, ...subcommands: readonly (readonly [usage: string, ...lines: readonly string[]])[]): Run =>
  () =>
    [
      `${name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`,
      ...subcommands.flatMap(([usage, ...lines]) => [usage, ...lines.map((line) => `    ${line}`)]),
      'HELP',
      '    Print this help.',
    ].map((line) => new Simple(line))

export const helps: Family = {
  'object|help': help(
    'OBJECT',
    [
      'ENCODING <key>',
      'Return the kind of internal representation used in order to store the value',
      'associated with a <key>.',
    ],
    [
      'FREQ <key>',
      'Return the access frequency index of the <key>. The returned integer is',
      'proportional to the logarithm of the recent access frequency of the key.',
    ],
    [
      'IDLETIME <key>',
      'Return the idle time of the <key>, that is the approximated number of',
      'seconds elapsed since the last access to the key.',
    ],
    ['REFCOUNT <key>', 'Return the number of references of the value associated with the specified', '<key>.'],
  ),
  'xinfo|help': help(
    'XINFO',
    ['CONSUMERS <key> <groupname>', 'Show consumers of <groupname>.'],
    ['GROUPS <key>', 'Show the stream consumer groups.'],
    ['STREAM <key> [FULL [COUNT <count>]', 'Show information about the stream.'],
  ),
}
