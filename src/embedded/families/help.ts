import type { Family } from '../contracts.ts'
import { HELP_TEXTS } from '../help-texts.ts'
import { Simple } from '../reply.ts'

/** The HELP subcommands, with the texts of Redis 8: one block for each command, which begins with the command's name. */
export const helps: Family = Object.fromEntries(
  HELP_TEXTS.trim()
    .split('\n\n')
    .map((block) => {
      const [name = '', ...lines] = block.split('\n')
      const title = `${name.toUpperCase()} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`
      return [`${name}|help`, () => [title, ...lines, 'HELP', '    Print this help.'].map((line) => new Simple(line))]
    }),
)
