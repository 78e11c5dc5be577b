import { type Mutant, of } from '../mutants.ts'

/** One test by its title, since the others of its file take long. */
const by = (title: string): readonly string[] => [`cache/loads.test.ts > ${title}`]

const value = of('src/cache/steps/values.ts')
const leasing = of('src/cache/steps/lease.ts')
const flight = of('src/cache/load/flight.ts')
const lease = of('src/cache/load/lease.ts')
const lead = of('src/cache/load/lead.ts')
const runs = of('src/cache/load/run-loader.ts')
const fill = of('src/cache/load/fill.ts')
const through = of('src/cache/load/read-through.ts')
const write = of('src/cache/write.ts')
const options = of('src/cache/options.ts')
const calls = of('src/cache/store-calls.ts')
const judge = of('src/cache/judge.ts')
const open = of('src/cache/open.ts')
const faces = of('src/cache/faces.ts')
const view = of('src/cache/view.ts')
const settings = of('src/cache/load/settings.ts')
const clock = of('src/runtime/store-clock.ts', ['cache/clocks.test.ts'])
const background = of('src/runtime/background.ts')
const abort = of('src/runtime/abort.ts')

const inDefaults = ['cache/engine.test.ts']

export const mutants: readonly Mutant[] = [
  // Options of a load that the cache sets for all of them
  settings('a default softTimeout counts', 'own.softTimeout ?? all.softTimeout', 'own.softTimeout', inDefaults),
  settings('a default jitter is checked', 'own.jitter ?? all.jitter', 'own.jitter', ['cache/options.test.ts']),
  settings('a default backoff counts', 'own.backoff ?? all.backoff', 'own.backoff', inDefaults),
  settings('a default refresh counts', 'own.refresh ?? all.refresh', 'own.refresh', inDefaults),
  settings(
    'a default softTimeout suits a call without grace',
    'if (isOwn && fresh',
    'if (softMs < NEVER && fresh',
    inDefaults,
  ),
  settings('and one with less time', '(isOwn || hardTimeout === undefined)', 'true', inDefaults),
  view('a default refresh is asked at a near hit', ' || loadDefaults.refresh', '', inDefaults),
  faces('defaults are checked when the cache is made', 'view.defaultSettings = loadSettings(core)', '', [
    'cache/options.test.ts',
  ]),
  // Closing a cache
  flight(
    'a follower has what is stored while its cache closes',
    'result), ...calls]',
    'result)]',
    by('lets a caller that waits for another process have its value, where that comes meanwhile'),
  ),
  flight(
    'no deadline of a caller keeps a closed process alive',
    'timers.areQuiet = true\n  for (const quieten of [...timers.quieten]) quieten()',
    '',
    by('keeps no process for a caller’s own deadline, and the caller gets its value or its end'),
  ),
  write(
    'a lease is no key that was deleted',
    "if (leases[i]) runStep(core, { operation, key: to, args: ['release', '', leases[i]] }, call).catch(nothing)",
    '',
    by('counts nothing where there was a lease alone'),
  ),
  // A load that ended without a value
  lease('what is no lease is no answer', 'if (!/^(held|live|failed|busy)$/.test(reply?.[0]))', 'if (false)', [
    'cache/foreign-store.test.ts',
  ]),
  lease(
    'who waited for it does not queue',
    '(isNext && isAfterFailure) ||',
    '',
    by('when it throws, and each gets its own answer'),
  ),
  lease('who waited for another does', '(isNext && isAfterFailure) ||', 'isNext ||'),
  runs(
    'a failure leaves word',
    "isGivenUp ? {} : { verb: 'fail', shareMs: settings.shareMs }",
    '{}',
    by('when it throws, and one of them stores what it loads'),
  ),
  runs(
    'but not a load that everybody has left',
    'isGivenUp ? {} : {',
    'false ? {} : {',
    by('but behind one another when it was deleted, or its callers have left'),
  ),
  lease(
    'what is loaded beside the lease is not stored',
    "flight.dropCode = ''",
    '',
    by('is waited for as long by a caller with less patience than its holder, which then loads beside it'),
  ),
  fill(
    'a value that could not be written leaves word',
    "await core.format.leases.release(request, lease.token, { verb: 'fail' })",
    'await core.format.leases.release(request, lease.token)',
    by('when it is too large'),
  ),
  value(
    'so does one whose tags came too late',
    "verb === 'fill' && markAndId[0] === NO_VALUE ? failedLease(entry, 0) : FREE_LEASE",
    'FREE_LEASE',
    by('when it skips, or names a tag too late'),
  ),
  leasing(
    'a lease after it says so',
    "leaseToken === FAILED ? '10' : '00'",
    "'00'",
    by('when it throws, and each gets its own answer'),
  ),
  leasing(
    'word is left where somebody waits',
    "(text[90] === '1' || Number(shareMs) > 0)",
    'Number(shareMs) > 0',
    by('when it throws, and each gets its own answer'),
  ),
  leasing('and no other', "(text[90] === '1' || Number(shareMs) > 0)", 'true', by('leave nothing where nobody waits')),
  leasing(
    'a shared failure ends',
    'if (Number(readsFailure) === 1 && leaseLeftMs > 0)',
    'if (Number(readsFailure) === 1)',
    by('serves the stale copy meanwhile, and loads once its time is over'),
  ),
  leasing(
    'it is for those who ask for it',
    'if (Number(readsFailure) === 1 && leaseLeftMs > 0)',
    'if (leaseLeftMs > 0)',
    by('answers those who wait, and who come soon, by the failure of another process'),
  ),
  lease(
    'and for no load that is forced',
    'Number(settings.shareMs > 0 && !early)',
    'Number(settings.shareMs > 0)',
    by('shares no load that was forced, skipped or answered undefined'),
  ),
  through(
    'who joins another caller need not share',
    'else if (outcome.failed && settings.shareMs > 0 && !force)',
    'else if (outcome.failed)',
    by('is not for a caller that does not name it, though it waits with one that does'),
  ),
  // Leases without a holder
  leasing(
    'no holder is no lease',
    'leaseToken !== NONE && leaseToken !== token',
    'leaseToken !== token',
    by('is none when it has no token, however far ahead it ends'),
  ),
  lease(
    'patience ends',
    '|| wait.sleptMs > hardMs + PATIENCE_MARGIN_MS',
    '',
    by('keeps no follower from its stale copy'),
  ),
  lease(
    'a lease that ends far ahead is taken over',
    'isNext || wait.takesOver || leftMs <= longestLeaseMs',
    'true',
    by('is taken over past hardTimeout and a margin, and then held as any other'),
  ),
  lease(
    'one that is renewed is not',
    'isNext || wait.takesOver || leftMs <= longestLeaseMs',
    'isNext || wait.takesOver',
    by('is waited for as long by a caller with less patience than its holder, which then loads beside it'),
  ),
  // Closing a cache
  faces(
    'close sees to running loads',
    'await closeFlights(core)',
    '',
    by('gives the lease of a load that takes longer back, and its callers get their value'),
  ),
  flight(
    'it lets them end first',
    'await within(ended, { signals: [], deadline: now() + CLOSE_MS }).catch(nothing)',
    '',
    by('lets a load end and stores its value, so that another process has it'),
  ),
  flight(
    'it gives leases back',
    'return token ? core.format.leases.release(request, token) : undefined',
    'return undefined',
    by('gives the lease of a load that takes longer back, and its callers get their value'),
  ),
  flight(
    'it ends what waits for another',
    "abort(flight, new HitherError('CLOSED', 'the cache was closed'))",
    '',
    by('ends what waits for another process, and leaves no timer'),
  ),
  // Callers less patient than the loader
  flight(
    'a load goes on by option',
    'if (callers.finish && continueInBackground(flight, request.view)) return',
    '',
    by('stores what is loaded when every caller has left'),
  ),
  flight(
    'by that of any caller',
    'flight.callers.finish ||= caller.finish',
    '',
    by('is so by the option of any of its callers, and is off by default'),
  ),
  flight(
    'who is past its deadline shares',
    'if (flight) flight.pastDeadline = second',
    'if (flight) void second',
    by('runs one more load, however many callers are past their deadlines'),
  ),
  through(
    'and stays with the load it waited for',
    'return await afterFailure(round, flight, error)',
    'return afterFailure(round, flight, error)',
    by('keeps the load that it waited for, whose value is stored'),
  ),
  // Decisions of a loader
  lead(
    'undefined ends the copy',
    "coded || decisions.skips ? 'fail' : 'gone'",
    "'fail'",
    by('ends the stale copy, here and there, near and in the store'),
  ),
  lead(
    'skip leaves it',
    "coded || decisions.skips ? 'fail' : 'gone'",
    "coded ? 'fail' : 'gone'",
    by('leaves the copy when it says skip'),
  ),
  calls(
    'near, too',
    '/^(lease|release|fail)$/',
    '/^(lease|release|fail|gone)$/',
    by('ends the stale copy, here and there, near and in the store'),
  ),
  lead(
    'a lifetime of none stores nothing',
    'coded && !decisions.skips && !decisions.isUncached',
    'coded && !decisions.skips',
    by('answers the value and stores nothing, forced or not'),
  ),
  runs(
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
  of('src/cache/engine.ts', ['testing/testing.test.ts'])(
    'a clock that can be read is read',
    'createStoreClock(store.traits.ownClock)',
    'createStoreClock()',
  ),
  of('src/cache/load/read-through.ts', ['cache/events.test.ts'])(
    'a call past its deadline is counted',
    'if (!isHit && !isCounted) countMiss(view, key)',
    '',
  ),
  of('src/cache/load/read-through.ts', ['cache/events.test.ts'])(
    'a near hit of such a call is no miss',
    'if (!isHit && !isCounted)',
    'if (!isCounted)',
  ),
  clock('a reply tells the time', 'least = meet ? Math.max(least, from) : from', ''),
  clock('the least that is certain', 'least > 0 ? least : Math.min(most, 0)', 'most'),
  clock('a clock that was set', 'const meet = from <= most && to >= least', 'const meet = true'),
  clock('a stamp of no clock', '|| from > MOST_AHEAD_MS', ''),
  judge('freshness is by the store’s clock', 'return isFresh(entry, clock.now)', 'return isFresh(entry, now)', [
    'cache/clocks.test.ts',
  ]),
  open('one that is kept near, too', '  core.clock.passed(writtenMs)\n', '', ['cache/clocks.test.ts']),
  judge('an entry tells the least', 'if (entry.hasGrace) clock.passed(entry.writtenMs)', '', ['cache/clocks.test.ts']),
  open('near, it ends with the store’s', 'entry.freshUntilMs - aheadMs', 'entry.freshUntilMs', [
    'cache/clocks.test.ts',
  ]),
  // Calls
  options(
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
