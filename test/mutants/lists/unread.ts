import { type Mutant, of } from '../mutants.ts'

const stored = of('src/cache/steps/stored-entry.ts', ['cache/unread.test.ts'])
const unread = of('src/cache/functions/unread.ts', ['cache/unread.test.ts'])
const entries = of('src/cache/functions/entries.ts', ['cache/unread.test.ts'])

export const mutants: readonly Mutant[] = [
  stored('an unread step judges one generation only', 'isUsual = text.slice', 'isUsual = true || text.slice'),
  unread('an unread step runs once more where the generation has ended', 'generation === remembered ?', 'true ?'),
  unread('what an unread step finds is judged by its generation', 'entryGeneration === generation &&', 'true &&'),
  unread('what an unread step finds is judged by its tags', '(await hasValidTags(block))', 'true'),
  unread(
    'an unread step waits for what is being filled',
    'filled = pendingFill(core, to); filled;',
    'filled = core.filled(to); !filled && filled;',
  ),
  entries(
    'an unread add judges nothing that is live',
    "limit, deadId: '='",
    "limit, deadId: '=' + generation + core.marks",
  ),
  entries(
    'a value of an ended generation is not taken',
    'ended: () => ({ reply: null }),\n  })\n  const { tags }',
    'ended: (reply) => ({ reply }),\n  })\n  const tags',
  ),
]
