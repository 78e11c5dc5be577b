import type { Family } from '../contracts.ts'
import { HELP_TEXTS } from '../help-texts.ts'
import { Simple } from '../reply.ts'

/** What commands with subcommands say of them, as Redis 8 says it: a block for each, which begins with its name. */
export const helps: Family = Object.fromEntries(
  HELP_TEXTS.trim()
    .split('\n\n')
    .map((block) => {
      const [name = '', ...lines] = block.split('\n')
      const title = `${name.toUpperCase()} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`
      return [`${name}|help`, () => [title, ...lines, 'HELP', '    Print this help.'].map((line) => new Simple(line))]
    }),
)
