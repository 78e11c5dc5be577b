import { type Mutant, of } from '../mutants.ts'

/** By the title of one test: that of the others takes its time. */
const by = (title: string): readonly string[] => [`cache/loads.test.ts > ${title}`]

const step = of('src/cache/entry-operations.ts')
const load = of('src/cache/load.ts')
const through = of('src/cache/get-or-set.ts')
const core = of('src/cache/core.ts')
const look = of('src/cache/look.ts')
const cache = of('src/cache/create-cache.ts')
const clock = of('src/runtime/store-clock.ts', ['cache/clocks.test.ts'])
const background = of('src/runtime/background.ts')
const abort = of('src/runtime/abort.ts')

export const mutants: readonly Mutant[] = [
  // A load that ended without a value
  load(
    'who waited for it does not queue',
    '(isNext && after) ||',
    '',
    by('when it throws, and each gets its own answer'),
  ),
  load('who waited for another does', '(isNext && after) ||', 'isNext ||'),
  load(
    'a failure leaves word',
    "giveUp('fail', job.shareMs)",
    'giveUp()',
    by('when it throws, and one of them stores what it loads'),
  ),
  load(
    'but not a load that everybody has left',
    '(load.over ? giveUp() : giveUp',
    '(false ? giveUp() : giveUp',
    by('but behind one another when it was deleted, or its callers have left'),
  ),
  load(
    'what is loaded beside the lease is not stored',
    "load.unstored = ''",
    '',
    by('is waited for as long by a caller with less patience than its holder, which then loads beside it'),
  ),
  load(
    'a value that could not be written leaves word',
    "await release(job, token, false, 'fail')",
    'await release(job, token, false)',
    by('when it is too large'),
  ),
  step(
    'so does one whose tags came too late',
    "verb === 'fill' && a[0] === NO_VALUE ? word(0) : FREE",
    'FREE',
    by('when it skips, or names a tag too late'),
  ),
  step(
    'a lease after it says so',
    "held === FAILED ? '10' : '00'",
    "'00'",
    by('when it throws, and each gets its own answer'),
  ),
  step(
    'word is left where somebody waits',
    "(text[90] === '1' || Number(b) > 0)",
    'Number(b) > 0',
    by('when it throws, and each gets its own answer'),
  ),
  step('and no other', "(text[90] === '1' || Number(b) > 0)", 'true', by('leave nothing where nobody waits')),
  step(
    'a shared failure ends',
    'if (Number(e) === 1 && leaseLeft > 0)',
    'if (Number(e) === 1)',
    by('serves the stale copy meanwhile, and loads once its time is over'),
  ),
  step(
    'it is for those who ask for it',
    'if (Number(e) === 1 && leaseLeft > 0)',
    'if (leaseLeft > 0)',
    by('answers those who wait, and who come soon, by the failure of another process'),
  ),
  load(
    'and for no load that is forced',
    'Number(job.shareMs > 0 && !job.early)',
    'Number(job.shareMs > 0)',
    by('shares no load that was forced, skipped or answered undefined'),
  ),
  through(
    'who joins another caller need not share',
    'if (plan.shareMs > 0 && !force)',
    'if (true)',
    by('is not for a caller that does not name it, though it waits with one that does'),
  ),
  // Leases without a holder
  step(
    'no holder is no lease',
    'held !== NONE && held !== a',
    'held !== a',
    by('is none when it has no token, however far ahead it ends'),
  ),
  load(
    'patience ends',
    '|| sleptMs > job.hardMs + PATIENCE_MARGIN_MS',
    '',
    by('keeps no follower from its stale copy'),
  ),
  load(
    'a lease that ends far ahead is taken over',
    'if (isNext || tooLong || leftMs <= longestLeaseMs)',
    'if (true)',
    by('is taken over past hardTimeout and a margin, and then held as any other'),
  ),
  load(
    'one that is renewed is not',
    'if (isNext || tooLong || leftMs <= longestLeaseMs)',
    'if (isNext || tooLong)',
    by('is waited for as long by a caller with less patience than its holder, which then loads beside it'),
  ),
  // The end of a cache
  cache(
    'close sees to running loads',
    'await loads.close()',
    '',
    by('gives the lease of a load that takes longer back, and its callers get their value'),
  ),
  load(
    'it lets them end first',
    'await within(ended, { signals: [], deadline: now() + CLOSE_MS }).catch(nothing)',
    '',
    by('lets a load end and stores its value, so that another process has it'),
  ),
  load(
    'it gives leases back',
    'return token ? release(job, token) : undefined',
    'return undefined',
    by('gives the lease of a load that takes longer back, and its callers get their value'),
  ),
  load(
    'it ends what waits for another',
    'end(load, closed)',
    '',
    by('ends what waits for another process, and leaves no timer'),
  ),
  // Callers less patient than the loader
  load(
    'a load goes on by option',
    'if (load.finishes && goOn(load, load.job)) return',
    '',
    by('stores what is loaded when every caller has left'),
  ),
  load(
    'by that of any caller',
    'running.finishes ||= caller.finishes',
    '',
    by('is so by the option of any of its callers, and is off by default'),
  ),
  load(
    'who is past its deadline shares',
    'if (load) load.late = own',
    '',
    by('runs one more load, however many callers are past their deadlines'),
  ),
  through(
    'and stays with the load it waited for',
    'return await late(load)',
    'return late(load)',
    by('runs one more load, however many callers are past their deadlines'),
  ),
  // What a loader says
  load(
    'undefined ends the copy',
    "(coded || wish.skip ? 'fail' : 'gone')",
    "('fail')",
    by('ends the stale copy, here and there, near and in the store'),
  ),
  load(
    'skip leaves it',
    "(coded || wish.skip ? 'fail' : 'gone')",
    "(coded ? 'fail' : 'gone')",
    by('leaves the copy when it says skip'),
  ),
  core(
    'near, too',
    '/^(lease|release|fail)$/',
    '/^(lease|release|fail|gone)$/',
    by('ends the stale copy, here and there, near and in the store'),
  ),
  load(
    'a lifetime of none stores nothing',
    'coded && !wish.skip && !wish.uncached',
    'coded && !wish.skip',
    by('answers the value and stores nothing, forced or not'),
  ),
  load(
    'and fails nothing',
    "typeof given === 'number' && !(given > 0) ? 0 :",
    '',
    by('answers the value and stores nothing, forced or not'),
  ),
  // Background work
  background(
    'a loader does not wait for itself',
    'else if (!(me && owner && flushing.has(owner)))',
    'else',
    by('of two of them keeps neither waiting for the other'),
  ),
  // Clocks
  clock('a reply tells the time', 'least = meet ? Math.max(least, from) : from', ''),
  clock('the least that is certain', 'least > 0 ? least : Math.min(most, 0)', 'most'),
  clock('a clock that was set', 'const meet = from <= most && to >= least', 'const meet = true'),
  clock('a stamp of no clock', '|| from > MOST_AHEAD_MS', ''),
  look('freshness is by the store’s clock', 'return isFresh(entry, clock.now)', 'return isFresh(entry, now)', [
    'cache/clocks.test.ts',
  ]),
  look('an entry tells the least', 'if (entry.freshUntilMs !== entry.expiresMs) clock.passed(entry.writtenMs)', '', [
    'cache/clocks.test.ts',
  ]),
  cache('near, it ends with the store’s', 'entry.freshUntilMs - aheadMs', 'entry.freshUntilMs', [
    'cache/clocks.test.ts',
  ]),
  // Calls
  core(
    'an option is a call’s own',
    'Object.keys(options ?? {})',
    'Object.keys({ ...Object.prototype, ...options })',
    by('are a call’s own names, whatever somebody has put on Object.prototype'),
  ),
  abort(
    'one listener a signal',
    'waiting.set(signal, shared)',
    '',
    by('with one signal for many calls add one listener to it'),
  ),
]
