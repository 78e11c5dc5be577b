import { type Mutant, of } from '../mutants.ts'

/** Quick unit tests over real parts. */
const UNIT = ['cache/guards.test.ts', 'cache/engine.test.ts']

const breaker = of('src/runtime/breaker.ts', ['cache/near.test.ts'])
const stored = of('src/cache/steps/stored-entry.ts')
const value = of('src/cache/steps/values.ts')
const leasing = of('src/cache/steps/lease.ts')
const counter = of('src/cache/steps/counters.ts')
const flight = of('src/cache/load/flight.ts')
const flights = of('src/cache/load/flights.ts')
const lease = of('src/cache/load/lease.ts')
const lead = of('src/cache/load/lead.ts')
const runs = of('src/cache/load/run-loader.ts')
const fill = of('src/cache/load/fill.ts')
const reading = of('src/cache/reading.ts')
const judge = of('src/cache/judge.ts')
const version = of('src/cache/versions.ts')
const tags = of('src/cache/parts/tags.ts')
const versionStep = of('src/cache/steps/versions.ts')
const through = of('src/cache/load/read-through.ts')
const many = of('src/cache/load/read-many.ts')
const entries = of('src/cache/functions/entries.ts')
const increment = of('src/cache/functions/increment.ts')
const invalidate = of('src/cache/functions/invalidate.ts')
const write = of('src/cache/write.ts')
const stamped = of('src/cache/stamped-write.ts')
const read = of('src/cache/read.ts')
const answer = of('src/cache/answer.ts', ['cache/foreign-type.test.ts'])
const open = of('src/cache/open.ts')
const queue = of('src/runtime/key-queue.ts')
const calls = of('src/cache/store-calls.ts')
const nearEntry = of('src/cache/near-entry.ts')
const plain = of('src/cache/parts/format-plain.ts')
const entry = of('src/protocol/entry.ts')
const near = of('src/near/coherence.ts')
const feed = of('src/near/message-feed.ts')
const pull = of('src/near/pull-feed.ts')
const pendingDelete = of('src/near/pending-deletes.ts')
const perTick = of('src/runtime/per-tick.ts')
const recent = of('src/cache/recent.ts')

const lastResort = of('src/store/last-resort.ts', ['cache/foreign-store.test.ts'])
const marks = of('src/store/ends-in-time.ts', ['cache/foreign-store.test.ts'])

const inEvents = ['cache/events.test.ts']
const engine = of('src/cache/engine.ts', inEvents)
const checks = of('src/cache/check-cache-options.ts', inEvents)
const view = of('src/cache/view.ts', inEvents)
const faces = of('src/cache/faces.ts', inEvents)
const background = of('src/runtime/background.ts', inEvents)
const runLoader = of('src/cache/load/run-loader.ts', inEvents)

/** A test that takes no name on `Object.prototype` for an option. */
const PROTOTYPE = ['cache/prototype.test.ts > set, get and their like take a ttl and tags of nobody’s for none']

const past = of('src/cache/options.ts', [
  'cache/bounds.test.ts > is given a load also where the deadline had passed before: an earlier call of its request has waited',
])

export const mutants: readonly Mutant[] = [
  // A deadline that has passed before the call
  past(
    'who asks for a load past its deadline gets one',
    "if (onDeadline !== 'load' || bypass) checkLimit",
    'checkLimit',
  ),
  past(
    'but for one that neither reads nor stores',
    "if (onDeadline !== 'load' || bypass)",
    "if (onDeadline !== 'load')",
  ),
  // Events, and the check of `waitUntil`
  calls(
    'the key of an event is told on demand only',
    'key !== undefined && eventKeys ?',
    'key !== undefined ?',
    inEvents,
  ),
  view('the failure of a call has its key', 'ofKey = key', 'ofKey?: string'),
  view('and that of a call of a function', 'aboutKey(view as View, key)', 'view as View'),
  read('getMany copies the array of keys', 'const names = [...keys]', 'const names = keys', ['cache/engine.test.ts']),
  read('and that of a read', 'answerOf(aboutKey(view, key), reading', 'answerOf(view, reading', inEvents),
  read('and what a load leaves behind', '{ view: aboutKey(view, key), key,', '{ view, key,', inEvents),
  many('no fake timer holds up the batch', 'soon(() => soon(runBatch))', 'queueMicrotask(() => soon(runBatch))', [
    'cache/fake-timers.test.ts',
  ]),
  many('and one of many loads', 'view: aboutKey(call.view, key),', '', inEvents),
  write('and that of a write', 'setMany(aboutKey(view, key), [[', 'setMany(view, [[', inEvents),
  write('and one of many writes', 'writeStamped(aboutKey(view, key), to', 'writeStamped(view, to', inEvents),
  write('and that of a delete', "typeof keys === 'string' ? aboutKey(from, keys) : from", 'from', inEvents),
  engine('a number below a second is reported once', ' && !core.hasWarnedOfUnit', ''),
  engine('and no number above', ' && ttl < 1000', ''),
  checks('a url is no store', 'given instanceof URL', 'false'),
  runLoader("a loader's grace is told nothing of its unit", 'ttl: 1000 }).lifeMs - 1000', 'ttl: 1 }).lifeMs - 1'),
  faces('a context is no list of options', "|| 'passThroughOnException' in from", ''),
  faces(
    "a program's own waitUntil is not called for a try",
    '|| !/\\[native code\\]\\s*}$/.test(Function.prototype.toString.call(waitUntil))',
    '',
  ),
  faces('one that is no function is refused', "waitUntil !== undefined && typeof waitUntil !== 'function'", 'false'),
  background('a waitUntil that throws is told with its mend', 'tell(new Hither', 'void (new Hither'),
  // Names that somebody has put on Object.prototype
  engine('a lifetime is an own option', 'const own = options && ownOf(options)', 'const own = options', PROTOTYPE),
  write(
    'so are tags of a write',
    'const options: SetOptions = ownOf(given)',
    'const options: SetOptions = given ?? {}',
    PROTOTYPE,
  ),
  read('and of a read', 'const { tags = [] } = ownOf(options)', 'const { tags = [] } = options ?? {}', PROTOTYPE),
  stamped('a list of tags is one whatever a list has', 'tags && !Array.isArray(tags))', "'tags' in tags)", PROTOTYPE),
  // A store that breaks its contract
  lastResort('a call that no store ends is ended', 'for (const reject of [...waiting]) reject(timedOut())', ''),
  lastResort('an error of another kind is an outage', 'isHitherError(error) || signal?.aborted', 'true'),
  lastResort('so is what a store throws at once', 'fail(error)\n      }\n    })', 'throw error\n      }\n    })'),
  lastResort('a store that ends its own calls gets no timer', '!REQUEST_SCOPED && hasMark(store)', 'false'),
  marks('until a method of it is replaced', 'store.get === own.get &&', ''),
  marks('or another', '&& store.run === own.run', ''),
  // The steps on an entry
  value('a fill needs its lease', 'entry.leaseToken === args[4] ?', 'true ?'),
  value(
    'a write ends the lease',
    'times + lease + rest',
    'times + (entry.text ? entry.text.slice(73, 104) : lease) + rest',
  ),
  leasing(
    'a lease that stands is not taken',
    'leaseToken !== overdueToken && leaseLeftMs > 0',
    'leaseToken !== overdueToken && leaseLeftMs > 1e9',
  ),
  leasing('a lease is not taken for what is live', 'if (isLive && Number(purpose) === 0) return', 'if (false) return'),
  leasing(
    'a lease keeps its key while it lasts',
    'hasGrace && leftMs !== undefined && leftMs < Number(leaseMs)',
    'false',
  ),
  leasing('a lease leaves the stale copy', 'const hasCopy = isLive || hasGrace', 'const hasCopy = isLive'),
  leasing('only its holder gives a lease back', 'if (leaseToken !== token) return same', 'if (false) return same'),
  value('expire ends the lease', 'digits(0, 15) + entry.expires + FREE_LEASE', 'digits(0, 15) + entry.expires'),
  value(
    'expire ends freshness',
    'digits(0, 15) + entry.expires + FREE_LEASE',
    'entry.freshUntil + entry.expires + FREE_LEASE',
  ),
  value('expire without grace deletes', '!entry.hasGrace || left <= 0', 'left <= 0', UNIT),
  value('add leaves what is live', 'entry.isLive ? same(entry.current, 0) : write(entry, args)', 'write(entry, args)'),
  stored('what is dead is not live', '(entryId === id) === meansLive', '(!meansLive || entryId === id)'),
  stored('take takes what it has found', '(entryId === id) === meansLive', '(meansLive || entryId !== id)', UNIT),
  value('take deletes', 'isLive ? put(undefined, 0, text)', 'isLive ? same(current, text)'),
  counter(
    'a count is of one generation',
    'if (isLive && text.slice(104, 120) !== generation) return',
    'if (false) return',
    UNIT,
  ),
  // Loads
  flight(
    'a load that is over is not joined',
    "if (state === 'over' || aliveUntilMs <= now()) return false",
    'if (aliveUntilMs <= now()) return false',
    ['cache/guards.test.ts > leaves no load that others join before it has ended, however close the two are'],
  ),
  flight(
    'a load is joined only with its lease in sight',
    'reading?.entry?.lease === token && areCurrent(versions, reading)',
    'reading?.generation === versions.generation',
  ),
  flight('nor of an older generation', 'reading.generation === generation && [...tags]', '[...tags]'),
  flight(
    'nor with other versions of its tags',
    ' && [...tags].every(([tag, version]) => reading.tags.get(tag) === version)',
    '',
  ),
  flight(
    'a load without a lease is for those who came before it',
    '(!reading || lease.isBeside) && startsAtArrival < startNumber',
    '!reading',
    UNIT,
  ),
  flight(
    'nor for whom the store has answered',
    '(!reading || lease.isBeside) && startsAtArrival < startNumber',
    'startsAtArrival < startNumber',
    UNIT,
  ),
  lead(
    'loads without a lease run one at a time',
    'settledOrTimeout(predecessor.result.catch(nothing))',
    'Promise.resolve()',
    UNIT,
  ),
  lead('but not once the store has answered', ' && predecessor.answerCount === answerCount', '', UNIT),
  runs('a lease is renewed', 'const stopRenewing = leases.renew(flight)', 'const stopRenewing = () => {}', [
    'cache/guards.test.ts > is kept by a load that takes longer than it, and stores what it loads',
  ]),
  runs('a load that has ended renews no lease', 'cancel()\n    stopRenewing()\n  }\n  core', 'cancel()\n  }\n  core'),
  leasing(
    'only its holder renews a lease',
    'if (renews && leaseToken !== token) return same',
    'if (false) return same',
  ),
  lease(
    'versions are captured anew after a wait',
    'if (holder !== undefined) lease.versions =',
    'if (false) lease.versions =',
    UNIT,
  ),
  runs(
    'a load that everybody has left does not count as failed',
    'if (!isGivenUp) recordFailure',
    'if (true) recordFailure',
    UNIT,
  ),
  lease(
    'a lease is asked for once',
    'runStep(core, { operation: core.format.steps.once, key: storedKey, args }, call)',
    "runStep(core, { operation: 'repeat', key: storedKey, args }, call)",
    UNIT,
  ),
  fill(
    'versions are captured before the load',
    'versions: { generation: versions.generation, tags },',
    'versions: await core.versions.capture(space, request.tags, commandCall(core), { lifeMs: decisions.life.lifeMs }),',
  ),
  lease(
    'the lease that was asked for in vain is given back',
    'void release(request, token, { inDoubt: true })',
    '',
    UNIT,
  ),
  lead(
    'a load given up gives its lease back',
    'if (stop.signal.aborted) {\n    await leases.release(request, lease.token)',
    'if (stop.signal.aborted) {',
    UNIT,
  ),
  runs(
    'a failure gives the lease back',
    "await leases.release(request, lease.token, isGivenUp ? {} : { verb: 'fail', shareMs: settings.shareMs })",
    '',
  ),
  lead(
    'what is not stored gives the lease back',
    "else if (!isStored) await leases.release(request, lease.token, { verb: coded || decisions.skips ? 'fail' : 'gone' })",
    '',
  ),
  fill(
    'a refused write gives the lease back',
    "await core.format.leases.release(request, lease.token, { verb: 'fail' })",
    '',
    UNIT,
  ),
  lease('a lease is given back again where the store is away', 'retryLater()\n      throw error', 'throw error', UNIT),
  lead('skip is not stored', 'coded && !decisions.skips && !decisions.isUncached', 'coded && !decisions.isUncached'),
  runs('a loader ends at hardTimeout', 'cancel = setTimer(expire, hardMs)', 'cancel = (): void => {}'),
  runs('a loader that has ended leaves no timer', '} finally {\n    cancel()', '} finally {', 'simulation'),
  fill(
    'tags a loader names were known before it',
    'core.versions.recall(space.tag(tag), startNumber)',
    'core.versions.recall(space.tag(tag))',
    ['cache/guards.test.ts > keeps nothing under a tag that was first seen while it was loaded'],
  ),
  tags('tags a loader names are needed', 'if (version === undefined) isComplete = false', '', UNIT),
  flight('a load that is over leaves the map', 'takeOut(core, flight)\n    onDecided?.(true)', 'onDecided?.(true)'),
  flight(
    'a write detaches a load from its key',
    'if (!flight) return undefined\n  flight.isDetached = true\n  takeOut(core, flight)',
    'if (!flight) return undefined',
    UNIT,
  ),
  flight(
    'what was invalidated is no load to wait for',
    'if (old && (!core.format.leases.guardsFills || isOutdated(old, request))) old.isDetached = true',
    '',
    UNIT,
  ),
  lease(
    'the lease of a detached load is released for the next',
    "if (predecessor?.isDetached && predecessor.lease.token && predecessor.state !== 'over')\n    await release(request, predecessor.lease.token)",
    '',
    UNIT,
  ),
  flight(
    'a load that nobody waits for ends',
    "if (--callers.count > 0 || flight.state === 'over' || callers.isKept) return",
    'if (--callers.count > -1e9) return',
    UNIT,
  ),
  flight(
    'but not while somebody does',
    "if (--callers.count > 0 || flight.state === 'over' || callers.isKept) return",
    "if (flight.state === 'over' || callers.isKept) return",
  ),
  flights('a load that stands is waited for', 'byKey.set(storedKey, predecessor)', '', [
    'cache/interleavings.test.ts > shares the load once its own read has shown the lease',
  ]),
  lease(
    'an outage loads without a lease',
    'if (!recordOutage(core, error, emit)) throw error\n      return undefined',
    'throw error',
  ),
  // Reads
  breaker('the store is asked no more once it has failed often', 'if (open) return probeOrRefuse(call)', ''),
  breaker('one probe at a time', 'Math.abs(now() - probingMs) < patienceMs) throw refusal()', 'false) throw refusal()'),
  breaker('what is answered in between counts', 'if (failures.length > 0) failures = []', ''),
  open(
    'a near tier entry is a copy',
    'const callerMayModify = request.mutable === true',
    'const callerMayModify = false',
    ['cache/near.test.ts'],
  ),
  nearEntry(
    'what is returned to a caller is a copy that it may modify',
    '? { ...kept, value: view.core.near.copyForCaller(kept.value) } :',
    '? kept :',
    ['cache/near.test.ts'],
  ),
  view(
    'and by the quick way',
    'return request.mutable ? (key) => near.copyForCaller(peek(key)) : peek',
    'return peek',
    ['cache/near.test.ts'],
  ),
  judge('an entry of another generation is dead', 'entry.generation === generation ? tags.judge', 'true ? tags.judge'),
  reading('tags that the entry bears are read', '.filter((name) => name && !all.has(name))', '.filter(() => false)'),
  judge(
    'what is not valid is dead',
    "validity === 'valid' && !isForeign ? ''",
    "validity !== 'dead' && !isForeign ? ''",
  ),
  judge('what is dead is not stale', "validity !== 'dead' && entry.hasGrace", 'entry.hasGrace'),
  entry('what is past its ttl is not fresh', '|| entry.freshUntilMs > clock())', '|| true)'),
  entry('a usual hit is of this generation', 'text.startsWith(generation, 104) &&', ''),
  entry(
    'a usual hit bears no other tag',
    "text.startsWith(tags ? String(tags.length).padStart(8, '0') : NO_TAGS, 120) &&",
    '',
  ),
  entry('a usual hit bears these versions', 'text.startsWith(tags, 128)', 'true'),
  reading(
    'a look sent at once waits for what is being written',
    ' || beforeRead(core, storedKey)) return undefined',
    ') return undefined',
    UNIT,
  ),
  reading(
    'reads sent at once mind a delete that has failed',
    'if (core.format.read || core.near.retryPendingDelete(storedKey) || ',
    'if (core.format.read || ',
    ['cache/near.test.ts'],
  ),
  tags(
    'a version that is missing equals nothing',
    "if (now === undefined || !isSameTag(now, version)) return 'dead'",
    "if (now && !isSameTag(now, version)) return 'dead'",
  ),
  tags('a soft half that changed makes stale', 'stale ||= now !== version', ''),
  version(
    'what was forgotten is not noted again',
    'else if (since === versions.epoch) seen.set',
    'else if (true) seen.set',
    ['cache/versions.test.ts > is nothing that was read before it was forgotten'],
  ),
  versionStep(
    'a version is made, not replaced',
    'if (made && !(current?.length',
    'if (made && !(0 * (current ?? made).length',
  ),
  version(
    'what is invalidated is forgotten',
    'versions.epoch++\n      asked.delete(key)\n      seen.delete(key)',
    '',
    'simulation',
  ),
  recent('what was seen is forgotten where the clock is set back', 'known.sinceMs <= at && ', '', [
    'cache/clocks.test.ts',
  ]),
  version('what is seen again was known all the time', 'same ?? { version', '{ version', ['cache/guards.test.ts']),
  recent('what was seen is forgotten in time', ' && known.untilMs > at', '', 'simulation'),
  // Read-through
  through(
    'a caller has read the tags of the load it joins',
    'knownVersions ? [...settings.tags, ...knownVersions.tags.keys()] : settings.tags',
    'settings.tags',
    UNIT,
  ),
  through('a call counts once', 'isCounted = true', '', ['cache/events.test.ts']),
  through(
    'an outage is survived',
    'if (!recordOutage(core, error, emit)) throw error\n    return undefined',
    'throw error',
  ),
  through('an abort is told as such', 'checkSignals(limit)\n  const copy', 'const copy', UNIT),
  through('a load is left', '} finally {\n      leave(flight)\n    }\n  }\n}', '} finally {\n    }\n  }\n}', UNIT),
  through(
    'a failed refresh serves the stale copy',
    'const copy = await serveStale(round)\n  if (copy) return copy.value\n  if',
    'if',
    UNIT,
  ),
  many(
    'each key gets its own value',
    'return (values as ReadonlyMap<string, unknown>).get(key)',
    'return values.values().next().value',
  ),
  many('what waits is decided', 'onDecided: () => decided(key),', 'onDecided: () => {},', [
    'cache/engine.test.ts > waits for what another loads, and loads the rest meanwhile',
  ]),
  many(
    'a failure reaches every key',
    'for (const { reject } of batch.values()) reject(error)',
    'for (const { reject } of [...batch.values()].slice(0, 1)) reject(error)',
  ),
  // Writes
  write('a write parts the loads of its keys', 'detachLoad(core, to) ?? (guardsFills', '(guardsFills', UNIT),
  write('what is looked for is told', 'work(to, reading.dead, reading)', "work(to, '', reading)"),
  invalidate('an invalidation forgets the versions it ends', 'undefined)\n  forget()', 'undefined)'),
  write('a write that failed is told', "if (outcome?.status !== 'rejected') continue", 'continue'),
  increment('a count that was overtaken is made again', 'while (reply === null)', 'while (false)', UNIT),
  write(
    'a take that was overtaken is made again',
    'while (reply === null && id && id !== tried)',
    'while (false)',
    UNIT,
  ),
  perTick('reads of one tick only are shared', 'soon(forget)', ''),
  calls(
    'reads before a write are not shared after it',
    "if (operation.effect === 'read') return run()\n  core.reads.delete(key)",
    "if (operation.effect === 'read') return run()",
    UNIT,
  ),
  queue(
    'calls wait for slower ones before them',
    'const turn = before ? within(before, limit).then(work) : work()',
    'const turn = work()',
    UNIT,
  ),
  queue('but no longer than their own limit', 'within(before, limit).then(work)', 'before.then(work)', [
    'cache/guards.test.ts > leaves at its deadline, or when it is aborted, and nobody overtakes the slower one',
  ]),
  queue(
    'and who leaves lets nobody past',
    'Promise.all([before, turn.then(ignore, ignore)])',
    'turn.then(ignore, ignore)',
    ['cache/guards.test.ts > leaves at its deadline, or when it is aborted, and nobody overtakes the slower one'],
  ),
  // The previous value of a loader
  runs('the previous value is what the lease was taken on', 'entry.id !== copyId || ', '', ['cache/previous.test.ts']),
  runs('and of the generation that stands', 'copyId || generation !== versions.generation', 'copyId', [
    'cache/previous.test.ts > is not the previous value: clear',
  ]),
  tags('and of the tags that stand', 'if (current !== undefined && !isSameTag(current, version)) return true', '', [
    'cache/previous.test.ts > is not the previous value: a tag of the call',
  ]),
  tags(
    'what is kept bears its tags as old as it is',
    'current !== undefined && isSameTag(current, version) ? current : version',
    'current ?? version',
    ['cache/previous.test.ts > does not come back: a tag that only it bears'],
  ),
  runs(
    'what is kept passes the schema',
    'settings.schema ? await conform(settings.schema, decoded) : { value: decoded }',
    '{ value: decoded }',
    ['cache/previous.test.ts > cannot say again what the schema refuses'],
  ),
  through(
    'what is kept is returned as the schema makes it',
    '(loaded.schema === schema && coded !== reading?.entry)',
    'loaded.schema === schema',
    ['cache/previous.test.ts > returns what the schema makes of it, as a hit does'],
  ),
  fill('what is kept takes the soft half that its caller has read', ' ?? (isVersion(read) ? read : undefined)', '', [
    'cache/previous.test.ts > makes it fresh again after a slow load, where only the entry names the tag and another process made it stale',
  ]),
  stamped(
    'what was captured in another namespace stamps no write',
    'if (capturedIn !== space.generation)',
    'if (false)',
    ['cache/engine.test.ts > of a capture are those of one namespace'],
  ),
  many("what has a Map's methods is one", "typeof values.get === 'function'", 'values instanceof Map', [
    'cache/engine.test.ts > takes what has the methods of a Map, such as a Map of another realm',
  ]),
  flight('one that asks shows what it may make way for', 'versions ?? predecessor?.lease.versions', 'versions', [
    'cache/bounds.test.ts',
  ]),
  through('what another schema has let pass is checked', 'return isChecked ? { value }', 'return true ? { value }', [
    'cache/near.test.ts > checks what another call has loaded, too, and loads by itself where it refuses that',
  ]),
  calls('a codec ends within the limit', 'if (!(work instanceof Promise)) return work', 'return work', [
    'cache/bounds.test.ts > ends a read at its deadline, or at hardTimeout',
  ]),
  // The near tier
  open(
    'what a tag has made stale is not fresh near',
    "status === 'stale' ? 0 : entry.freshUntilMs",
    'entry.freshUntilMs',
  ),
  near('a write drops what is near before it is sent', 'keys.forEach(drop)\n      // A late', '// A late', [
    'cache/near.test.ts',
  ]),
  near('and once more when it is answered', 'pending, failed)\n        keys.forEach(drop)', 'pending, failed)'),
  near('a tag ends what bears it', 'tier.invalidate(stored)', 'void 0'),
  near('clear empties the tier', 'else tier.clear()', ''),
  near('others are notified of a write', 'if (isAnswered) feed?.publish(keys)', '', ['cache/near.test.ts']),
  feed('what others have changed is dropped', 'for (const key of JSON.parse(keys) as string[]) drop(key)', 'void 0', [
    'cache/near.test.ts',
  ]),
  feed(
    'a message that is missing empties the tier',
    'if (missed) flush(!digits || known !== undefined)\n        else if',
    'if',
    ['cache/near.test.ts'],
  ),
  feed('a number that could not be sent is repeated', '          repeatFrom(intervalMs)\n', '', ['cache/near.test.ts']),
  feed('but not one that the store refuses', 'if (!isOutage(error)) return', '', ['cache/near.test.ts']),
  feed('a clock that is set back delays no subscription', ' && waitMs <= RETRY_INTERVALS * intervalMs', '', [
    'cache/near.test.ts',
  ]),
  feed('what was said last is said again after a gap', 'if (number > 0) repeatFrom(0)', '', ['cache/near.test.ts']),
  feed('a new subscription begins empty', '() => flush(false),', '() => {},', ['cache/near.test.ts']),
  pull('a change that could not be added is not lost', 'pending.add(decodeURIComponent(key))', 'void key', [
    'cache/near.test.ts',
  ]),
  pull('it is added with the next pull', 'if (pending.size > 0) appendSoon()', '', ['cache/near.test.ts']),
  pull('what others have logged is dropped', 'drop(decodeURIComponent(key))', 'void 0', ['cache/near.test.ts']),
  pull(
    'a log that was lost empties the tier',
    'if (changes === EVERYTHING) flush(known !== undefined && known > 0)\n      else',
    '',
    ['cache/near.test.ts'],
  ),
  pull('a change is added to the log', 'if (!isDue) soon(append)', '', ['cache/near.test.ts']),
  // Writes that failed, or whose reply was lost
  near(
    'a delete that failed is remembered',
    'end(keys[i] as string, pending, failed)',
    'end(keys[i] as string, pending, false)',
  ),
  reading(
    'its key counts as absent',
    'const absent = retrying && (await endsInTime(core, retrying))',
    'const absent = false',
    ['cache/unarrived.test.ts > hides the key from a read though it fails once more'],
  ),
  pendingDelete('for maxAge', 'return agoMs >= 0 && agoMs < maxAgeMs', 'return false', [
    'cache/near.test.ts > the key is absent here, and deleted once the store is back',
  ]),
  pendingDelete('it is made good', 'track(retry(key, pending))', 'void 0', [
    'cache/near.test.ts > the key is absent here, and deleted once the store is back',
  ]),
  pendingDelete(
    'though not where a write has taken its place',
    'pending.isOverwritten = true\n        if (failed.get(key) === pending) failed.delete(key)',
    'pending.isOverwritten = true',
    ['cache/near.test.ts > is not made good when the key was written here since'],
  ),
  pendingDelete(
    'be it while the delete was on its way',
    'if (!hasFailed || pending.isOverwritten) return',
    'if (!hasFailed) return',
    ['cache/unarrived.test.ts > is none where a write that was sent after it has arrived'],
  ),
  pendingDelete('once a second', 'if (waitMs > 0 && waitMs <= PAUSE_MS) continue', '', [
    'cache/unarrived.test.ts > is tried once a second at the most for nobody in particular',
  ]),
  near('a plain write waits for it', 'if (late.length > 0) await settledOrTimeout(Promise.all(late))', '', [
    'cache/unarrived.test.ts > is waited for by a write of a plain key',
  ]),
  value('it ends what it has seen alone', 'if (!hasValue || id !== meant) return same', 'if (!hasValue) return same', [
    'cache/unarrived.test.ts > leaves what is written before it arrives once more',
  ]),
  near(
    'a lease ends as well',
    "entry.mark === NO_VALUE ? ['release', '', entry.lease] : ['bury', entry.id, 0]",
    "['bury', entry.id, 0]",
    ['cache/unarrived.test.ts > gives a lease back, of a load that began before'],
  ),
  near('what came before it ended is ended as well', 'return ended !== 0', 'return true', [
    'cache/unarrived.test.ts > looks once more where that load came first',
  ]),
  pendingDelete(
    'nor while a write is on its way',
    'failed.get(key) === pending && !pending.writing',
    'failed.get(key) === pending',
    ['cache/unarrived.test.ts > leaves what is written and not answered yet'],
  ),
  near('nor what was written while it looked', 'if (!isDue()) return false', '', [
    'cache/unarrived.test.ts > leaves what is written while it looks for what to delete',
  ]),
  pendingDelete(
    'a read that has waited looks once more',
    'const left = failed.get(key)',
    'const left = failed.get(key) === pending ? pending : undefined',
    ['cache/unarrived.test.ts > hides the key from a read that has waited for an earlier one'],
  ),
  near(
    'what does not write leaves it to be made good',
    "kind === 'deletes' || (kind === 'writes'",
    "true || (kind === 'writes'",
    ['cache/unarrived.test.ts > is not given up for an expire, which leaves a copy'],
  ),
  pendingDelete(
    'and what was sent before it failed',
    'for (const pending of all) {\n        pending.isOverwritten = true',
    'failed.delete(key)\n      for (const pending of all) {\n        pending.isOverwritten = true',
    ['cache/unarrived.test.ts > is not given up for a write that was sent before it failed'],
  ),
  near('what was written long after is left', '|| entry.writtenMs >= sinceMs + CLOCKS_DIFFER_MS) return', ') return'),
  near(
    'what the clocks say was written before is not',
    'entry.writtenMs >= sinceMs + CLOCKS_DIFFER_MS',
    'entry.writtenMs >= 0',
  ),
  of('src/cache/write.ts', ['cache/near.test.ts'])(
    'a value that is kept near has the tags of the call',
    '[...(Array.isArray(tags) ? tags : ((tags as Captured | undefined)?.tags ?? []))]',
    'Array.isArray(tags) ? tags : ((tags as Captured | undefined)?.tags ?? [])',
  ),
  write(
    'a write that may not fail is kept near',
    'await keepUnconfirmed(view, key, { coded: await coded, life, tags: names, ticket })',
    '',
  ),
  write(
    'unless what it was captured under has ended',
    'if (captured !== undefined && captured !== core.versions.epoch) continue',
    '',
    ['cache/unarrived.test.ts > is not kept near where its tag has been invalidated since it was captured'],
  ),
  open('and was written when the clock of the store says', 'writtenMs = core.clock.now()', 'writtenMs = at', [
    'cache/near.test.ts > says by the clock of the store when an unconfirmed value was written, so that no older entry replaces it',
  ]),
  entries('a plain entry that is looked at leaves it', 'reading: isAhead ? undefined : reading,', 'reading,', [
    'cache/unarrived.test.ts > stays near when a plain entry is looked at',
  ]),
  // Plain keys
  write(
    'a plain write waits for the fill of a load',
    'fillings.length > 0; fillings = detach())\n      await within(settledOrTimeout(Promise.all(fillings)), limit)',
    'false; )\n      await within(settledOrTimeout(Promise.all(fillings)), limit)',
  ),
  write(
    'also where a write before it has given up waiting for that',
    '(guardsFills ? undefined : pendingFill(core, to)) ?? []',
    '[]',
    ['cache/unarrived.test.ts > is waited for by a write that comes after one which has given up waiting'],
  ),
  write(
    'a plain write detaches the loads that begin meanwhile',
    'fill of a load that has begun meanwhile.\n      detach()',
    'fill of a load that has begun meanwhile.',
  ),
  plain(
    'a plain fill waits for writes',
    'for (let before = beforeRead(core, storedKey); before; before = beforeRead(core, storedKey)) await before',
    '',
  ),
  flight(
    'a plain load that is replaced stores nothing',
    'if (old && (!core.format.leases.guardsFills || isOutdated(old, request)))',
    'if (old && isOutdated(old, request))',
    ['cache/unarrived.test.ts > nor does one that every caller has left, and another has followed'],
  ),
  flight(
    'loads of a plain key are shared',
    'if (!token) return !guardsFills || ((!reading',
    'if (!token) return ((!reading',
  ),
  write('a call that ends before its turn is reported once', 'turn.\n  ready?.catch(nothing)\n', 'turn.\n', [
    'cache/unarrived.test.ts > fails no call that has ended before its turn, on a plain key',
  ]),
  answer('a key of another Redis type is absent', "if (error?.reply !== 'WRONGTYPE') throw error", 'throw error'),
  answer('and it is no counter', "args[0] === 'increment' ? 'WRONG_TYPE' : null", "'WRONG_TYPE'"),
]
