import { type Mutant, of } from '../mutants.ts'

/** Quick, and real parts throughout. */
const UNIT = ['cache/guards.test.ts', 'cache/engine.test.ts']

const breaker = of('src/runtime/breaker.ts', ['cache/near.test.ts'])
const step = of('src/cache/entry-operations.ts')
const load = of('src/cache/load.ts')
const look = of('src/cache/look.ts')
const version = of('src/cache/versions.ts')
const through = of('src/cache/get-or-set.ts')
const many = of('src/cache/get-or-set-many.ts')
const cache = of('src/cache/create-cache.ts')
const core = of('src/cache/core.ts')
const entry = of('src/protocol/entry.ts')
const near = of('src/near/attached.ts')
const feed = of('src/near/message-feed.ts')
const pull = of('src/near/pull-feed.ts')
const tomb = of('src/near/tombstones.ts')
const momentary = of('src/runtime/momentary.ts')
const recent = of('src/cache/recent.ts')

export const mutants: readonly Mutant[] = [
  // The steps on one entry
  step('a fill needs its lease', "(verb === 'fill' && held !== e)", "(verb === 'fill' && false)"),
  step('a write ends the lease', 'times + lease + rest', 'times + (text ? text.slice(73, 104) : lease) + rest'),
  step('a lease that stands is not taken', 'held !== d && leaseLeft > 0', 'held !== d && leaseLeft > 1e9'),
  step('a lease is not taken for what is live', 'if (live && Number(c) === 0) return', 'if (false) return'),
  step('a lease keeps its key while it lasts', 'leftMs !== undefined && leftMs < Number(b) ? b', 'false ? b'),
  step('a lease leaves the stale copy', 'const copy = live || graced', 'const copy = live'),
  step('only its holder gives a lease back', 'if (!expire && held !== a) return same', 'if (false) return same'),
  step(
    'expire ends the lease',
    'ends + ended + text.slice(104), left, 1',
    'ends + (expire ? text.slice(73, 104) : ended) + text.slice(104), left, 1',
  ),
  step('expire ends freshness', '(expire ? digits(0, 15) : fresh)', 'fresh'),
  step('expire without grace deletes', '(expire && !graced) || left <= 0', 'left <= 0', UNIT),
  step('add leaves what is live', "(verb === 'add' && live)", "(verb === 'add' && false)"),
  step(
    'what is dead is not live',
    "(id === dead) === (verb === 'take' || verb === 'touch')",
    '(!/^(take|touch)$/.test(String(verb)) || id === dead)',
  ),
  step(
    'take takes what it has found',
    "(id === dead) === (verb === 'take' || verb === 'touch')",
    '(/^(take|touch)$/.test(String(verb)) || id !== dead)',
    UNIT,
  ),
  step('take deletes', 'live ? put(undefined, 0, text)', 'live ? same(current, text)'),
  step('a count is of one generation', 'if (live && text.slice(104, 120) !== d) return', 'if (false) return', UNIT),
  // Loads
  load(
    'a load that is over is not joined',
    'if (over || load.untilMs <= now()) return false',
    'if (load.untilMs <= now()) return false',
  ),
  load(
    'a load is joined only with its lease in sight',
    'seen?.entry?.lease !== token || seen.generation !== context.generation) return false\n    for (const [tag, version] of context.tags) if (seen.tags.get(tag) !== version) return false\n    return true',
    'seen?.generation !== context.generation) return false\n    return true',
  ),
  load(
    'nor of an older generation',
    'seen?.entry?.lease !== token || seen.generation !== context.generation) return false\n    for',
    'seen?.entry?.lease !== token) return false\n    for',
  ),
  load(
    'nor with other versions of its tags',
    'for (const [tag, version] of context.tags) if (seen.tags.get(tag) !== version) return false\n    return true',
    'return true',
  ),
  load(
    'a load without a lease is for those who came before it',
    '(!seen || !!load.beside) && arrived < started',
    '!seen',
    UNIT,
  ),
  load(
    'nor for whom the store has answered',
    '(!seen || !!load.beside) && arrived < started',
    'arrived < started',
    UNIT,
  ),
  load(
    'loads without a lease run one at a time',
    'await within(after(before.result.catch(nothing))',
    'await within(Promise.resolve()',
    UNIT,
  ),
  load('but not once the store has answered', '&&\n      before.heard === core.heard', '', UNIT),
  load('a lease is renewed', 'const unhold = renew(job, load)', 'const unhold = nothing', [
    'cache/guards.test.ts > is kept by a load that takes longer than it, and stores what it loads',
  ]),
  load('a load that has ended renews no lease', 'cancel()\n      unhold()', 'cancel()'),
  step('only its holder renews a lease', 'if (Number(c) === 2 && held !== a) return same', 'if (false) return same'),
  load(
    'versions are captured anew after a wait',
    'if (followed !== undefined && held) load.context =',
    'if (false) load.context =',
    UNIT,
  ),
  load(
    'a load that everybody has left does not count as failed',
    'if (job.backoffMs && !load.over)',
    'if (job.backoffMs)',
    UNIT,
  ),
  load(
    'a lease is asked for once',
    "core.step('once', job.to, args, call)",
    "core.step('repeat', job.to, args, call)",
    UNIT,
  ),
  load(
    'versions are captured before the load',
    'const { generation, tags: captured } = load.context ?? { generation: NONE, tags: [] }',
    'const { generation, tags: captured } = await versions.capture(space, job.tags, core.call())',
  ),
  load('the lease that was asked for in vain is given back', 'void release(job, token, true)', '', UNIT),
  load(
    'a load given up gives its lease back',
    'if (signal.aborted) {\n      await giveUp()',
    'if (signal.aborted) {',
    UNIT,
  ),
  load('a failure gives the lease back', "await (load.over ? giveUp() : giveUp('fail', job.shareMs))", ''),
  load(
    'what is not stored gives the lease back',
    "else if (!isStored) await giveUp(coded || wish.skip ? 'fail' : 'gone')",
    '',
  ),
  load(
    'a refused write gives the lease back',
    "if (token) await release(job, token, false, 'fail')\n        },",
    '},',
    UNIT,
  ),
  load('a lease is given back again where the store is away', 'more()\n        throw error', 'throw error', UNIT),
  load('skip is not stored', 'coded && !wish.skip && !wish.uncached', 'coded && !wish.uncached'),
  load('a loader ends at hardTimeout', 'cancel = setTimer(expire, hardMs)', ''),
  load('a loader that has ended leaves no timer', '} finally {\n      cancel()', '} finally {', 'simulation'),
  load(
    'tags a loader names were known before it',
    'tags.get(tag) ?? versions.recall(space.tag(tag), startedMs)',
    'tags.get(tag) ?? versions.recall(space.tag(tag))',
    ['cache/guards.test.ts > keeps nothing under a tag that was first seen while it was loaded'],
  ),
  load('tags a loader names are needed', "if (version === undefined) form = { mark: NO_VALUE, payload: '' }", '', UNIT),
  load('a load that is over leaves the map', 'leave(job.to, load)\n      job.onTurn?.(true)', 'job.onTurn?.(true)'),
  load(
    'a write parts a load from its key',
    'if (!load) return undefined\n      load.detached = true\n      leave(to, load)',
    'if (!load) return undefined',
    UNIT,
  ),
  load(
    'what was invalidated is no load to wait for',
    'if (running && (plain || isOutdated(running, caller))) running.detached = true',
    '',
    UNIT,
  ),
  load(
    'the lease of a parted load is given back to the next',
    'if (before?.detached && before.token && !before.over) await release(job, before.token)',
    '',
    UNIT,
  ),
  load(
    'a load that nobody waits for ends',
    'if (--load.waiters > 0 || load.over || load.kept) return',
    'if (--load.waiters > -1e9) return',
    UNIT,
  ),
  load(
    'but not while somebody does',
    'if (--load.waiters > 0 || load.over || load.kept) return',
    'if (load.over || load.kept) return',
  ),
  load('a load that stands is waited for', 'if (stands) loads.set(job.to, before)', '', [
    'cache/interleavings.test.ts > shares the load once its own read has shown the lease',
  ]),
  load(
    'an outage loads without a lease',
    'if (!core.isFault(error, job.emit)) throw error\n        return undefined',
    'throw error',
  ),
  // Reads
  breaker('the store is asked no more once it has failed often', 'if (open) return probeOrRefuse(call)', ''),
  breaker('one probe at a time', 'Math.abs(now() - probingMs) < patienceMs) throw refusal()', 'false) throw refusal()'),
  breaker('what is answered in between counts', 'if (failures.length > 0) failures = []', ''),
  cache('what is kept near is a copy', 'const lent = request.mutable === true', 'const lent = false', [
    'cache/near.test.ts',
  ]),
  cache('what is given out is thawed', '? { ...kept, value: given(kept.value) } :', '? kept :', ['cache/near.test.ts']),
  cache('and by the quick way', 'return given((near as Near).peek(', 'return ((near as Near).peek(', [
    'cache/near.test.ts',
  ]),
  look('an entry of another generation is dead', 'if (entry.generation === generation) {', 'if (true) {'),
  look(
    'tags that the entry bears are read',
    'if (name && !all.has(name)) missing.push(read(name))',
    'if (!all.has(name)) all.set(name, borne.get(name))',
  ),
  look(
    'what is not valid is dead',
    "if (stands !== 'valid') dead = entry.id",
    "if (stands === 'dead') dead = entry.id",
  ),
  look('what is dead is not stale', "else if (stands !== 'dead' && entry.freshUntilMs", 'else if (entry.freshUntilMs'),
  entry('what is past its ttl is not fresh', '|| entry.freshUntilMs > clock())', '|| true)'),
  entry('a usual hit is of this generation', 'text.startsWith(generation, 104) &&', ''),
  entry('a usual hit bears no other tag', "text.slice(120, 128) === String(tags.length).padStart(8, '0') &&", ''),
  entry('a usual hit bears these versions', 'text.startsWith(tags, 128)', 'true'),
  look(
    'a look sent at once waits for what is being written',
    ' || before(to)) return undefined',
    ') return undefined',
    UNIT,
  ),
  look('a look sent at once minds a tombstone', 'if (plain || near?.buried(to) || ', 'if (plain || ', [
    'cache/near.test.ts',
  ]),
  version(
    'a version that is missing equals nothing',
    "if (now === undefined || !isSameTag(now, version)) return 'dead'",
    "if (now && !isSameTag(now, version)) return 'dead'",
  ),
  version('a soft half that changed makes stale', 'stale ||= now !== version', ''),
  version(
    'what was forgotten is not noted again',
    'else if (since === epoch) seen.set',
    'else if (true) seen.set',
    'simulation',
  ),
  version(
    'a version is made, not replaced',
    'if (made && !(current?.length',
    'if (made && !(0 * (current ?? made).length',
  ),
  version(
    'what is invalidated is forgotten',
    'epoch++\n      asked.delete(key)\n      seen.delete(key)',
    '',
    'simulation',
  ),
  recent(
    'what was seen is forgotten in time',
    'if (!found || found.untilMs > now()) return found',
    'return found',
    'simulation',
  ),
  // Read-through
  through(
    'a caller has read the tags of the load it joins',
    'knew ? [...plan.tags, ...knew.tags.keys()] : plan.tags',
    'plan.tags',
    UNIT,
  ),
  through('an outage is survived', 'if (!core.isFault(error, emit)) throw error\n    return undefined', 'throw error'),
  through(
    'an abort is told as such',
    'for (const signal of limit.signals) if (signal.aborted) throw signal.reason\n      const copy',
    'const copy',
    UNIT,
  ),
  through('a load is left', '} finally {\n      loads.leave(load)\n    }\n  }\n}', '} finally {\n    }\n  }\n}', UNIT),
  through(
    'a failed refresh serves the stale copy',
    'const copy = await serveStale()\n      if (copy) return copy.value\n      if (options.onDeadline',
    'if (options.onDeadline',
    UNIT,
  ),
  many('each key gets its own value', '? answers.get(key)', '? answers.values().next().value'),
  many(
    'what waits is decided',
    '() => decided(key),\n    ).finally(() => decided(key))',
    '() => {},\n    ).finally(() => decided(key))',
    ['cache/engine.test.ts > waits for what another loads, and loads the rest meanwhile'],
  ),
  many(
    'a failure reaches every key',
    'for (const { reject } of batch.values()) reject(error)',
    'for (const { reject } of [...batch.values()].slice(0, 1)) reject(error)',
  ),
  // Writes
  cache('a write parts the loads of its keys', 'targets.flatMap((to) => loads.detach(to) ?? [])', '[]', UNIT),
  cache('what is looked for is told', 'work(to, found.dead, found)', "work(to, '', found)"),
  cache('an invalidation forgets the versions it ends', 'undefined)\n    keys.forEach(core.forget)', 'undefined)'),
  cache(
    'a write that failed is told',
    'for (const [i, outcome] of outcomes.entries()) {',
    'for (const [i, outcome] of [].entries() as never) {',
  ),
  cache('a count that was overtaken is made again', 'while (reply === null)', 'while (false)', UNIT),
  cache('a take that was overtaken is made again', 'while (reply === null && id !== tried)', 'while (false)', UNIT),
  momentary('reads of one tick only are shared', 'void RESOLVED.then(clear)', ''),
  core(
    'reads before a write are not shared after it',
    "if (effect === 'read') return ask()\n      reads.delete(key)",
    "if (effect === 'read') return ask()",
    UNIT,
  ),
  core(
    'calls wait for slower ones before them',
    'const turn = before ? within(before, limit).then(work) : work()',
    'const turn = work()',
    UNIT,
  ),
  core('but no longer than their own limit', 'within(before, limit).then(work)', 'before.then(work)', [
    'cache/guards.test.ts > leaves at its deadline, or when it is aborted, and nobody overtakes the slower one',
  ]),
  core(
    'and who leaves lets nobody past',
    'Promise.all([before, turn.then(nothing, nothing)])',
    'turn.then(nothing, nothing)',
    ['cache/guards.test.ts > leaves at its deadline, or when it is aborted, and nobody overtakes the slower one'],
  ),
  // What a loader is given of the stale copy
  load('the previous value is what the lease was taken on', 'seen.entry.id !== load.copyId || ', '', [
    'cache/previous.test.ts',
  ]),
  load('and of the generation that stands', 'load.copyId || seen.generation !== context.generation', 'load.copyId', [
    'cache/previous.test.ts > is not the previous value: clear',
  ]),
  load(
    'and of the tags that stand',
    'if (current !== undefined && !isSameTag(current, version)) return undefined',
    '',
    ['cache/previous.test.ts > is not the previous value: a tag of the call'],
  ),
  load(
    'what is kept bears its tags as old as it is',
    'current !== undefined && isSameTag(current, version) ? current : version',
    'current ?? version',
    ['cache/previous.test.ts > does not come back: a tag that only it bears'],
  ),
  load('what is kept passes the schema', 'if (schema && !(await conform(schema, value))) return undefined', '', [
    'cache/previous.test.ts > cannot say again what the schema refuses',
  ]),
  load('one that asks shows what it may make way for', 'load?.context ?? load?.before?.context', 'load?.context', [
    'cache/bounds.test.ts',
  ]),
  through(
    'what another schema has let pass is checked',
    'if (!schema || load.job.schema === schema || (await core.bound(conform(schema, value), limit))) return value',
    'return value',
    ['cache/near.test.ts > checks what another call has loaded, too, and loads by itself where it refuses that'],
  ),
  core('a codec ends within the limit', 'if (!(work instanceof Promise)) return work', 'return work', [
    'cache/bounds.test.ts > ends a read at its deadline, or at hardTimeout',
  ]),
  // Near
  cache(
    'what a tag has made stale is not fresh near',
    "status === 'stale' ? 0 : entry.freshUntilMs",
    'entry.freshUntilMs',
  ),
  near('a write drops what is near before it is sent', 'keys.forEach(drop)\n      // A late', '// A late', [
    'cache/near.test.ts',
  ]),
  near('and once more when it is answered', 'grave, failed)\n        keys.forEach(drop)', 'grave, failed)'),
  near('a tag ends what bears it', 'tier.invalidate(stored)', 'void 0'),
  near('clear empties the tier', 'else tier.clear()', ''),
  near('others are told of a write', 'if (told) feed?.tell(keys)', '', ['cache/near.test.ts']),
  feed('what others have changed is dropped', 'for (const key of JSON.parse(keys) as string[]) drop(key)', 'void 0', [
    'cache/near.test.ts',
  ]),
  feed(
    'a message that is missing empties the tier',
    'if (missed) flush(!digits || known !== undefined)\n        else if',
    'if',
    ['cache/near.test.ts'],
  ),
  feed('what was said last is said again after a gap', 'if (number > 0) repeatFrom(0)', '', ['cache/near.test.ts']),
  feed('a new subscription begins empty', '() => flush(false),', '() => {},', ['cache/near.test.ts']),
  pull('what others have logged is dropped', 'drop(decodeURIComponent(key))', 'void 0', ['cache/near.test.ts']),
  pull(
    'a log that was lost empties the tier',
    'if (changes === EVERYTHING) flush(known !== undefined && known > 0)\n      else',
    '',
    ['cache/near.test.ts'],
  ),
  pull('a change is added to the log', 'if (pending.size === 0) queueMicrotask(append)', ''),
  // Writes that did not arrive
  near(
    'a delete that failed is remembered',
    'close(keys[i] as string, grave, failed)',
    'close(keys[i] as string, grave, false)',
  ),
  look('its key counts as absent', 'const absent = buried && (await buried)', 'const absent = false', [
    'cache/unarrived.test.ts > hides the key from a read though it fails once more',
  ]),
  tomb('for maxAge', 'return agoMs >= 0 && agoMs < maxAgeMs', 'return false', [
    'cache/near.test.ts > the key is absent here, and deleted once the store is back',
  ]),
  tomb('it is made good', 'track(retry(key, grave))', 'void 0', [
    'cache/near.test.ts > the key is absent here, and deleted once the store is back',
  ]),
  tomb(
    'though not where a write has taken its place',
    'grave.lifted = true\n        if (graves.get(key) === grave) graves.delete(key)',
    'grave.lifted = true',
    ['cache/near.test.ts > is not made good when the key was written here since'],
  ),
  tomb('be it while the delete was on its way', 'if (!failed || grave.lifted) return', 'if (!failed) return', [
    'cache/unarrived.test.ts > is none where a write that was sent after it has arrived',
  ]),
  tomb('once a second', 'if (waitMs > 0 && waitMs <= PAUSE_MS) continue', '', [
    'cache/unarrived.test.ts > is tried once a second at the most for nobody in particular',
  ]),
  near('a plain write waits for it', 'if (late.length > 0) await after(Promise.all(late))', '', [
    'cache/unarrived.test.ts > is waited for by a write of a plain key',
  ]),
  step(
    'it ends what it has seen alone',
    'if (!value || id !== dead) return same(current, 0)\n      return Number(a)',
    'if (!value) return same(current, 0)\n      return Number(a)',
    ['cache/unarrived.test.ts > leaves what is written before it arrives once more'],
  ),
  core(
    'a lease ends as well',
    "entry.mark === NO_VALUE ? ['release', '', entry.lease] : ['bury', entry.id, 0]",
    "['bury', entry.id, 0]",
    ['cache/unarrived.test.ts > gives a lease back, of a load that began before'],
  ),
  tomb('nor while a write is on its way', 'graves.get(key) === grave && !grave.writing', 'graves.get(key) === grave', [
    'cache/unarrived.test.ts > leaves what is written and not answered yet',
  ]),
  core('nor what was written while it looked', 'if (!isDue()) return false', ''),
  tomb(
    'a read that has waited looks once more',
    'const left = graves.get(key)',
    'const left = graves.get(key) === grave ? grave : undefined',
    ['cache/unarrived.test.ts > hides the key from a read that has waited for an earlier one'],
  ),
  near(
    'what does not write leaves it to be made good',
    "kind === 'deletes' || (kind === 'writes'",
    "true || (kind === 'writes'",
    ['cache/unarrived.test.ts > is not given up for an expire, which leaves a copy'],
  ),
  tomb(
    'and what was sent before it failed',
    'for (const grave of all) {\n        grave.lifted = true',
    'graves.delete(key)\n      for (const grave of all) {\n        grave.lifted = true',
    ['cache/unarrived.test.ts > is not given up for a write that was sent before it failed'],
  ),
  core('what was written long after is left', '|| entry.writtenMs >= sinceMs + CLOCKS_DIFFER_MS) return', ') return'),
  core(
    'what the clocks say was written before is not',
    'entry.writtenMs >= sinceMs + CLOCKS_DIFFER_MS',
    'entry.writtenMs >= 0',
  ),
  cache(
    'a write that may not fail is kept near',
    'await keep(key, await (encoded[i] as Coded | Promise<Coded>), life, names ?? [], tickets[i])',
    '',
  ),
  cache(
    'unless what it was captured under has ended',
    'if (captured !== undefined && captured !== versions.epoch) continue',
    '',
  ),
  cache(
    'a plain entry that is looked at leaves it',
    'plain && held(key) ? undefined : { key, found }',
    '{ key, found }',
    ['cache/unarrived.test.ts > stays near when a plain entry is looked at'],
  ),
  // Plain keys
  cache(
    'a plain write waits for the fill of a load',
    'fillings.length > 0; fillings = part())\n        await within(after(Promise.all(fillings)), limit)',
    'false; )\n        await within(after(Promise.all(fillings)), limit)',
  ),
  cache(
    'a plain write parts the loads that begin meanwhile',
    'fill of a load that has begun meanwhile.\n        part()',
    'fill of a load that has begun meanwhile.',
  ),
  load(
    'a plain fill waits for writes',
    'if (plain) for (let before = core.before(to); before; before = core.before(to)) await before',
    '',
  ),
  load(
    'a plain load that is replaced stores nothing',
    'if (running && (plain || isOutdated(running, caller)))',
    'if (running && isOutdated(running, caller))',
    ['cache/unarrived.test.ts > nor does one that every caller has left, and another has followed'],
  ),
  load('loads of a plain key are shared', 'if (!token) return plain || ((!seen', 'if (!token) return ((!seen'),
  cache('a call that ends before its turn is told once', 'ready?.catch(nothing)\n    if (!plain', 'if (!plain', [
    'cache/unarrived.test.ts > fails no call that has ended before its turn, on a plain key',
  ]),
]
