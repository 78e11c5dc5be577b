import { type Mutant, of } from '../mutants.ts'

const UNIT = ['structures/structures.test.ts']
const OPTIONS = ['senseless-options.test.ts']
const SIGNAL = ['senseless-signal.test.ts']
const place = of('src/structures/place.ts', UNIT)
const waiting = of('src/store/wait-on.ts', UNIT)
const batch = of('src/structures/batch.ts', UNIT)
const group = of('src/structures/stream-group.ts', UNIT)
const source = of('src/structures/stream-source.ts', UNIT)
const slow = of('src/structures/stream-source.ts', ['structures/slow-consumers.test.ts'])
const stream = of('src/structures/stream.ts', UNIT)
const hash = of('src/structures/hash.ts', UNIT)
const list = of('src/structures/list.ts', UNIT)
const geo = of('src/structures/geo.ts', UNIT)
const sorted = of('src/structures/sorted-set.ts', UNIT)
const argument = of('src/protocol/arguments.ts', UNIT)

export const mutants: readonly Mutant[] = [
  place('a change is never sent again', "const write = askAs('once')", "const write = askAs('repeat')"),
  place('a store without commands is refused', "if (typeof space?.store?.command !== 'function')", 'if (!space)'),
  place('pairs are pairs', 'if (pairs?.every((pair) => Array.isArray(pair))) return pairs', 'if (pairs) return pairs'),
  place('no option of a space is dropped', "  checkNames('a space', space, ['store', 'namespace', 'codec'])\n", ''),
  place(
    'an object of options has its own and those of a call',
    '[...names, ...CALL])',
    '[...Object.keys(options ?? {}), ...names, ...CALL])',
  ),
  place('several values are an array', 'if (Array.isArray(values)) return values', 'if (values) return values'),
  place('a call that waits has a key', '      checkKey(stored, store.traits)\n', ''),
  place('a field is stored under its own name', '        checkArgs(checked, store.traits)\n', ''),
  place('waiting needs a connection of its own', 'if (!wait || collect) {', 'if (collect) {'),
  waiting('a connection that failed is given back broken', 'let broken = true', 'let broken = false'),
  waiting('a call that waits goes to the node of its key', 'await acquire(call, key)', 'await acquire(call)'),
  place('a field that is no number is a wrong type', "command === 'HINCRBY' && ", '!command && '),
  place('and only of a sum', "command === 'HINCRBY' && ", ''),
  place('a command that the server lacks is unsupported', '!/ERR unknown command/i.test(message)', 'message'),
  group(
    'a group that is not there has nothing pending',
    "read('XPENDING', [name], toList, call), []",
    "read('XPENDING', [name], toList, call), [7]",
  ),
  group(
    'another refusal of a group is passed on',
    "/: (NOGROUP|ERR no such|ERR The XGROUP)/.test(refusalOf(error)?.message ?? '')",
    'refusalOf(error)',
  ),
  group('poison of no sense is refused', 'if (poison !== undefined) {', 'if (poison) {', OPTIONS),
  place('a sum is one that a number holds', 'if (Number.isSafeInteger(Number(reply))) return', 'if (reply) return'),
  place('a score is no NaN', '|| Number.isNaN(score)', ''),
  place('an infinite score is written as the server reads it', "score === NEVER ? '+inf' :", ''),
  place('and is read so', "reply === '-inf' ? -NEVER :", ''),
  hash('getMany of a hash copies the array of fields', '[...checkList(fields)]', 'checkList(fields)'),
  hash('a codec of one’s own hides numbers', '      place.checkNumeric()\n', ''),
  batch(
    'the first error of a batch is that of its first call',
    'Promise.allSettled(built as readonly unknown[]).then((all) =>',
    'Promise.all((built as readonly Promise<unknown>[]).map(async (one) => ({ status: "fulfilled", value: await one }) as PromiseSettledResult<unknown>)).then((all) =>',
  ),
  batch('a batch that was sent takes no call', '  isOpen = false\n', ''),
  batch('a call that is refused keeps the others from being sent', 'Promise.all([ready, ...unsent])', 'ready'),
  batch(
    'also one of a group',
    "if (name === 'group') return watched(result as object)",
    "if (name === 'group') return result",
  ),
  batch('no refused call is left to nobody', '            result.catch(() => {})\n', ''),
  batch('a batch is bounded, its keys too', '  checkKeys(keys, space.store.traits)\n', ''),
  batch('a transaction ends as any call does', 'commands, withDeadline(call, store.timeoutMs)', 'commands, call'),
  batch('by the limit of its store', 'withDeadline(call, store.timeoutMs)', 'withDeadline(call)'),
  batch('and drops no limit of a call', 'call?.signal || call?.deadline !== undefined', 'call === null'),
  batch('a failed command says that the others have run', '{ cause, maybeExecuted: true }', '{ cause }'),
  stream('no option of an entry is dropped', "checkOptions('append', options, ['maxLength'])", ''),
  stream('no option of a read is dropped', "checkOptions('read', options, ['after', 'limit', 'wait'])", ''),
  stream('no option of a range is dropped', "checkNames('range', range, ['from', 'to', 'reverse', 'limit'])", ''),
  list(
    'a position fits 32 bits',
    "checkWhole(position, 'position', -(2 ** 31), 2 ** 31 - 1)",
    "checkWhole(position, 'position')",
  ),
  list('no option of a take is dropped', "checkOptions('take', options, ['wait'])", ''),
  geo(
    'no option of a search is dropped',
    "checkNames('nearby', options ?? null, ['around', 'within', 'unit', 'limit'])",
    '',
  ),
  sorted('no option of a score is dropped', "checkOptions('set', options, ['only', 'if'])", ''),
  sorted('no option of a rank is dropped', "checkOptions('rank', options, ['reverse'])", ''),
  sorted('no end of a count is dropped', "checkNames('count', range, ['from', 'to'])", ''),
  sorted('no end of a range is dropped', "checkNames(what, range ?? null, ['by', 'from', 'to', ...further])", ''),
  sorted('a range that is deleted is checked', "checkRange('deleteRange', range, [])", ''),
  argument('a word is one of a few', 'if (words.includes(value)) return value', 'return value'),
  group('no option of a group is dropped', "checkNames('group', options, ['from'])", ''),
  group('no option of poison is dropped', "checkNames('poison', poison, ['after', 'to'])", ''),
  group(
    'poison does not go back where it was',
    'if (group.place.keyOf(poison.to) === group.place.stored)',
    'if (!group.place.keyOf(poison.to))',
  ),
  group('no option of a consumer is dropped', "  checkNames('consume', options ?? null,", '  void (options ?? null,'),
  source('an entry that comes again is marked', '{ ...entry, deliveries }', '{ ...entry, deliveries: 1 }'),
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
    "if (!isHitherError(error) || !(error.retryable || error.code === 'TIMEOUT' || isPassing(error))) throw error",
    'throw error',
  ),
  group('a deadline is an outage', "(error.retryable || error.code === 'TIMEOUT' ||", '(error.retryable ||'),
  group(
    'close is none',
    "(error.retryable || error.code === 'TIMEOUT' || isPassing(error))",
    '(error.maybeExecuted || isPassing(error))',
  ),
  group('what a server refuses for a while is waited out', ' || isPassing(error))', ')'),
  group('what it refuses for good is not', "PASSING.test(refusalOf(error)?.reply ?? '')", 'true'),
  source('a group is made where there is none', '      await group.create(call)\n', ''),
  source('and only there', "  if (refusalOf(error)?.reply !== 'NOGROUP') throw error\n", ''),
  source('a call that waits and is not there is not made again', '      waits = false\n', ''),
  source(
    'what is refused otherwise is not read once more',
    "if (!waits || error.code !== 'UNSUPPORTED') throw error",
    '',
  ),
  source('what was deleted is pending no more', '    await group.ack(gone, call)\n', ''),
  source(
    'a group in a transaction is there or not as elsewhere',
    '[error, (error as Error | undefined)?.cause].find(',
    '[error].find(',
    ['structures/structures.test.ts'],
  ),
  group('after a lost reply what was given is read first', '      source.restart()\n', ''),
  slow('a consumer that works keeps its batch', 'idleMs < claimMs / 2) return rows', 'idleMs > 0) return rows'),
  slow('and takes nothing back that another has taken over', 'Math.floor(idleMs - claimMs / 8)', '0'),
  slow('although it asks late', 'idleMs - claimMs / 8', 'idleMs - claimMs / 2'),
  slow('and keeps what was trimmed', 'if (claimed && idleMs < claimMs * SURELY_OURS) return rows', ''),
  slow('unless the group is gone', 'if (claimed && idleMs <', 'if (idleMs <'),
  group('what was not read again counts no delivery', 'rows.length === 0 || error.maybeExecuted', 'true', [
    'structures/slow-consumers.test.ts',
  ]),
  slow('and works on nothing that another has', 'rows.filter(({ id }) => kept.has(id))', 'kept.size > 9 ? [] : rows'),
  slow('nor on what was taken over before its reply was seen', 'elapsedMs() - sentMs >= claimMs / 8', 'claimMs < 0'),
  slow('an entry is idle from its delivery on', ' - Math.max(0, ...pending.map(([idleMs = 0]) => idleMs))', ''),
  slow('a reply need not be late by claimAfter', 'sentMs >= claimMs / 8', 'sentMs >= claimMs'),
  slow(
    'and is done',
    'deliveries === undefined ? [] : { ...entry, deliveries }',
    '{ ...entry, deliveries: deliveries ?? 2 }',
  ),
  slow('or not', '[name, id, id, 1, consumer]', '[name, id, id, 1]'),
  slow('and goes on where its group was deleted', 'claiming.catch(orNoGroup)', 'claiming'),
  slow(
    'what others left is taken over after the clock was set back',
    'claimAtMs = elapsedMs() + idleMs / 2',
    'claimAtMs = Date.now() + idleMs / 2',
  ),
  group(
    'a signal ends a loop within a batch',
    '    signal?.throwIfAborted()\n    try {',
    '    if (rows.length === 0) signal?.throwIfAborted()\n    try {',
    ['structures/slow-consumers.test.ts'],
  ),
  place('the signal of a call that waits is one', '      checkSignal(call?.signal)\n', '', SIGNAL),
  batch('that of a transaction is one', '  checkSignal(call?.signal)\n', '', SIGNAL),
  sorted('an end of a range is one', 'above !== undefined && below !== undefined', 'false'),
  geo('a search is within one shape', 'isCircle && (width', 'false && (width'),
  stream('an iteration ends where the stream ended', "end, 'COUNT', PAGE], entries)", "'+', 'COUNT', PAGE], entries)"),
]
