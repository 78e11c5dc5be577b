import { type Mutant, of } from '../mutants.ts'

const TESTS = ['migrate/migrate.test.ts']
const copy = of('src/migrate/copy-key.ts', TESTS)
const keys = of('src/migrate/keys.ts', TESTS)
const run = of('src/migrate/migrate.ts', TESTS)
const state = of('src/migrate/state.ts', TESTS)
const dual = of('src/migrate/dual-store.ts', TESTS)
const memory = of('adapters/memory/index.ts', TESTS)

export const mutants: readonly Mutant[] = [
  run('keys that are none are refused', "throw invalid('keys is a list, or an iterable, of keys')", 'void 0'),
  run('so is progress that is told to nobody', "throw invalid('onProgress is a function')", 'void 0'),
  dual(
    'a dual store has a store to copy to',
    "if (typeof to?.set !== 'function') throw invalid('dualStore needs a store to copy to')",
    '',
  ),
  run('one place under two names is refused', 'if (await isOnePlace(', 'if (false && await isOnePlace('),
  keys('the mark that shows it is deleted', 'await to.delete([mark]).catch(() => {})', ''),
  keys(
    'an outage does not show that it is another place',
    '    throw error\n  } finally',
    '    return false\n  } finally',
  ),
  keys('where the mark is not allowed it is another place', '/^(UNAUTHORIZED|UNSUPPORTED)$/', '/^(UNSUPPORTED)$/'),
  run('an aborted run writes no mark', '  options.signal?.throwIfAborted()\n', ''),
  keys('it is one of the namespace', 'namespace === undefined ?', 'namespace !== 1 ?'),
  keys('a mark is not copied', '(key) => !MARK.test(key) }', '() => true }'),
  keys('in a namespace neither', ' && !MARK.test(key) }', ' }'),
  keys('a namespace has its HTTP cache', '*!?:`)', '*:`)'),
  copy('a key is read again after it was copied', 'if (isSame(before, after)) {', 'if (before || after) {'),
  copy('a lifetime that changed is copied again', 'Math.abs(before.endsAt - after.endsAt) <= SAME_END_MS', 'true'),
  copy(
    'what is absent in the source is deleted in the target',
    '(gone|value-too-large|bytes)',
    '(value-too-large|bytes)',
  ),
  copy('no older value of what is too large stays', '(gone|value-too-large|bytes)', '(gone|bytes)'),
  copy('bytes that are no text are copied as bytes', '!String(text).includes(REPLACED)', 'true'),
  copy('a digest without its name is named', 'if (/^~sha256:', 'if (/^~never:'),
  keys('a namespace takes no other that begins alike', '(\\\\.[\\\\w-]+)*!?:`', '.*:`'),
  keys('a namespace is no pattern', "typeof namespace !== 'string' || !/^", "typeof namespace !== 'string' || !/"),
  run('what was left half done is copied first', 'if (at.pending.length > 0)', 'if (at.pending.length < 0)'),
  run(
    'a store that is away is tried again',
    'if (!isPassing(failure) || elapsedMs() - run.goodAt > patienceMs) throw failure',
    'throw failure',
  ),
  run(
    'also after a wait for the rate',
    '    if (failed.length < left.length) run.goodAt = elapsedMs()\n',
    '    run.goodAt += failed.length && 0\n',
  ),
  run('or after a scan that found nothing', '        run.goodAt = elapsedMs()\n', ''),
  run('but not without end', '|| elapsedMs() - run.goodAt > patienceMs) throw failure', ') throw failure'),
  run('keys of state are named on a store without operations', 'if (hasOperations(to) || ', 'if (true || '),
  run('the rate is bounded', 'if (waitMs > 1)', 'if (waitMs < 0)'),
  state('a state of another run is refused', 'if (saved?.of !== of)', 'if (!of)'),
  dual(
    'a write that may have run is brought over',
    'if (!isHitherError(error) || error.maybeExecuted) remember(keys, isStrict)',
    '',
  ),
  dual('what failed is remembered', '        remember([key], pullsFirst)\n', ''),
  dual(
    'both have to answer where an old value would be read again',
    '    if (isStrict && own !== undefined)\n      throw',
    '    if (!isStrict && own !== undefined)\n      throw',
  ),
  dual('but only if this very write was not mirrored', 'if (isStrict && own !== undefined)', 'if (isStrict)'),
  dual(
    'a key that was deleted meanwhile is taken away again',
    "if (typeof again !== 'object' || again.value !== copy.value)",
    'if (false)',
  ),
  dual('a step sees what only the old store has', '|| !(await pull(key, call)) || ', '|| '),
  dual('what a step removes is not pulled again', 'await from.delete([key], call)', 'void 0'),
  dual('what a step keeps stays in the old store', ' || !removes(operation, args))', ')'),
  dual(
    'what cannot be pulled is left where it is',
    '!pullsFirst || (await pull(key, call))',
    'pullsFirst && (await pull(key, call)), true',
  ),
  dual('what only the old store has outlives a failed write', 'remember(keys, isStrict)', 'remember(keys)'),
  dual('what a later call has removed is not pulled again', 'if (pending.has(key)) pending.set(key, false)', ''),
  dual('also after another outage', 'remember([key], pullsFirst)', 'remember([key])'),
  dual('what a failed step left is brought back', '          remember([key], true)\n', ''),
  dual(
    'a dual store reads the keys it was given',
    'const keys = [...given]\n      const values',
    'const keys = given\n      const values',
  ),
  dual(
    'a dual store deletes the keys it was given',
    'const keys = [...given]\n      return',
    'const keys = given\n      return',
  ),
  dual('a write whose caller has left is brought over', 'if (!isHitherError(error) ||', 'if ('),
  dual('a delete that one store has done may have run', 'isHitherError(error) ? partlyRun(error) : error', 'error'),
  memory(
    'bytes that a step looked at stay bytes',
    'if (current !== next || slot?.endsMs !== endsMs)',
    'if (slot?.value !== next || slot.endsMs !== endsMs)',
  ),
]
