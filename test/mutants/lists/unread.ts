import { type Mutant, of } from '../mutants.ts'

const stored = of('src/cache/steps/stored-entry.ts', ['cache/unread.test.ts'])
const unread = of('src/cache/functions/unread.ts', ['cache/unread.test.ts'])
const entries = of('src/cache/functions/entries.ts', ['cache/unread.test.ts'])
const increment = of('src/cache/functions/increment.ts', ['cache/unread.test.ts'])

export const mutants: readonly Mutant[] = [
  stored('an unread step judges one generation only', 'isUsual = text.slice', 'isUsual = true || text.slice'),
  stored('and the marks of its caller only', 'asked.includes(text[1] as string, 17)', 'true', [
    'codec/another-mark.test.ts',
  ]),
  unread('what an unread step finds is judged by its mark', 'core.values.marks.includes(mark) && ', '', [
    'codec/another-mark.test.ts',
  ]),
  unread(
    'and reported where that alone makes it dead',
    "if (isValid && !isLive) view.emit({ type: 'decode-failed' })",
    '',
    ['codec/another-mark.test.ts'],
  ),
  unread('an unread step runs once more where the generation has ended', 'generation === remembered ?', 'true ?'),
  unread('what an unread step finds is judged by its generation', '= entryGeneration === generation &&', '= true &&'),
  unread('what an unread step finds is judged by its tags', '(await hasValidTags(block))', 'true'),
  unread(
    'an unread step waits for what is being filled',
    'filled = pendingFill(core, to); filled;',
    'filled = core.filled(to); !filled && filled;',
  ),
  entries(
    'an unread add judges nothing that is live',
    "limit, deadId: '='",
    "limit, deadId: '=' + generation + core.values.marks",
  ),
  entries(
    'a value of an ended generation is not taken',
    'ended: () => ({ reply: null }),\n  })\n  const { tags }',
    'ended: (reply) => ({ reply }),\n  })\n  const tags',
  ),
  increment(
    'a count under an ended generation is dead',
    'known: { dead: id, generation }',
    "known: { dead: '', generation }",
    ['cache/unread.test.ts > a count of a generation that has ended is replaced by the next step'],
  ),
]
