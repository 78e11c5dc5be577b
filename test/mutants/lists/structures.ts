import { type Mutant, of } from '../mutants.ts'

const UNIT = ['structures/structures.test.ts']
const place = of('src/structures/place.ts', UNIT)
const batch = of('src/structures/batch.ts', UNIT)
const group = of('src/structures/stream-group.ts', UNIT)
const stream = of('src/structures/stream.ts', UNIT)
const hash = of('src/structures/hash.ts', UNIT)

export const mutants: readonly Mutant[] = [
  place('a change is never sent again', "const write = askAs('once')", "const write = askAs('repeat')"),
  place(
    'a store without commands is refused',
    "if (typeof space?.store?.command === 'function') return space",
    'if (space) return space',
  ),
  place('a field is stored under its own name', '    checkArgs(args as readonly Arg[], store.traits)\n', ''),
  place('waiting needs a connection of its own', 'if (!exclusive || collect) {', 'if (collect) {'),
  place('a connection that failed is given back broken', 'let broken = true', 'let broken = false'),
  place('a sum is one that a number holds', 'if (Number.isSafeInteger(Number(reply))) return', 'if (reply) return'),
  place('a score is no NaN', '|| Number.isNaN(score)', ''),
  place('an infinite score is written as the server reads it', "score === NEVER ? '+inf' :", ''),
  place('and is read so', "reply === '-inf' ? -NEVER :", ''),
  hash('a codec of one’s own hides numbers', '      place.checkNumeric()\n', ''),
  batch('a batch that was sent takes no call', '  isOpen = false\n', ''),
  batch('a call that is refused keeps the others from being sent', 'Promise.all([ready, ...unsent])', 'ready'),
  batch(
    'also one of a group',
    "if (name === 'group') return watched(result as object)",
    "if (name === 'group') return result",
  ),
  batch('a batch is bounded, its keys too', '  checkKeys(keys, space.store.traits)\n', ''),
  batch('a failed command says that the others have run', '{ cause, maybeExecuted: true }', '{ cause }'),
  stream('no option of an entry is dropped', "checkNames('append', options, ['maxLength', ...CALL])", ''),
  group('no option of a consumer is dropped', "  checkNames('consume', options ?? null,", '  void (options ?? null,'),
  group('an entry that comes again is marked', 'deliveries: counts[i] as number', 'deliveries: 1'),
  group('poison is moved', 'row.deliveries <= after', 'true'),
  group(
    'what cannot be read is moved',
    "if ('value' in row && row.deliveries <= after)",
    "if (!('value' in row) || row.deliveries <= after)",
  ),
  group(
    'what cannot be read ends a loop that has no poison',
    "if (!('value' in row)) throw row.error",
    "if (!('value' in row)) continue",
  ),
  group(
    'a move that met an outage is made again',
    'if (!(isHitherError(error) && error.retryable)) throw error',
    'throw error',
  ),
  group('after a lost reply what was given is read first', '      source.restart()\n', ''),
]
