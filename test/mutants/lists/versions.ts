import { type Mutant, of } from '../mutants.ts'

const UNIT = ['cache/versions.test.ts']

const stamp = of('src/cache/stamped-write.ts', UNIT)
const stored = of('src/cache/steps/stored-entry.ts', UNIT)
const value = of('src/cache/steps/values.ts', UNIT)
const leasing = of('src/cache/steps/lease.ts', UNIT)
const version = of('src/cache/versions.ts', UNIT)
const tags = of('src/cache/parts/tags.ts', UNIT)
const versionStep = of('src/cache/steps/versions.ts', UNIT)
const fill = of('src/cache/load/fill.ts', UNIT)
const reading = of('src/cache/reading.ts', UNIT)
const wrap = of('src/cache/functions/wrap.ts', UNIT)
const define = of('src/cache/functions/define.ts', UNIT)
const entries = of('src/cache/functions/entries.ts', UNIT)
const reads = of('src/cache/store-reads.ts', UNIT)
const calls = of('src/cache/store-calls.ts', UNIT)
const space = of('src/cache/key-space.ts', ['cache/keys.test.ts'])
const keys = of('src/protocol/keys.ts', ['cache/keys.test.ts'])
const memory = of('adapters/memory/index.ts', ['memory-store.test.ts'])

export const mutants: readonly Mutant[] = [
  reading(
    'an entry that is newer than the versions read beside it is judged by newer ones',
    'if (verdict.dead && !again && core.store.traits.readsApart) {',
    'if (false) {',
    ['cache/reads-apart.test.ts'],
  ),
  reading(
    'and by its generation now',
    'generation: readVersion(core, space.generation), tags: newer }',
    'tags: newer }',
    ['cache/reads-apart.test.ts'],
  ),
  // An acknowledged write is visible
  stamp(
    'a write is stamped with current versions',
    "if (!isSame) await afterWrite(send('rewrite'",
    "if (false) await afterWrite(send('rewrite'",
    'simulation',
  ),
  stamp(
    'a write whose versions are not known for certain rejects',
    'written === 1 ? await afterWrite(reading)',
    'written === 1 ? await reading.catch(() => context)',
  ),
  stamp('and says that it may have run', 'retryable, maybeExecuted: true', 'retryable'),
  stamp(
    'what was captured is not written under others',
    'names: core.tags.check((tags as Captured).tags, lifeMs), remembered: false',
    'names: core.tags.check(tags.tags, lifeMs), remembered: true',
  ),
  stamp(
    'and its tags are renewed',
    'remembered ? writing : renewTags(view, writing, names, { lifeMs: life.lifeMs, limit })',
    'writing',
  ),
  stamp(
    'one caller that leaves takes no other along',
    'versions.capture(space, names, commandCall(core, NO_LIMIT), { lifeMs })',
    'versions.capture(space, names, commandCall(core, limit), { lifeMs })',
    ['cache/guards.test.ts'],
  ),
  value(
    'it is written over itself alone',
    'entry.id === id ? write(entry, args) : same(entry.current, 0)',
    'write(entry, args)',
  ),
  stored('a lease keeps the place of what it has replaced', 'return `h-$' + '{id}', 'return `h-$' + '{NONE}'),
  leasing(
    'and leaves it behind',
    "if (!hasValue && id !== NONE && !leavesWord) return put(patch(text, 73, FREE_LEASE), 'keep', 1)",
    '',
  ),
  // Tag versions live as long as the entries that have the tags
  versionStep('a version is renewed by what is written under it', "leftMs < lifeMs ? lifeMs : 'keep'", "'keep'"),
  versionStep('and never shortened', "leftMs < lifeMs ? lifeMs : 'keep'", "leftMs < NEVER ? lifeMs : 'keep'"),
  versionStep('what is renewed is not made', 'if (made && !(current', 'if (!(current'),
  version('who needs a longer life asks again', 'if (!asking || asking.lifeMs < lifeMs)', 'if (!asking)', [
    'cache/versions.test.ts > of calls of one moment the longest life counts',
  ]),
  fill(
    'a fill renews its tags',
    'core.versions.renew(space, [...tags.keys()], commandCall(core), decisions.life.lifeMs).catch(nothing)',
    '',
  ),
  entries(
    'touch renews its tags',
    'await renewTags(view, touchStep(to, id), names, { lifeMs, limit })',
    'await touchStep(to, id)',
  ),
  stored(
    'touch extends what it has found',
    "const meansLive = verb === 'take' || verb === 'touch'",
    "const meansLive = verb === 'take'",
  ),
  // What a clear has ended is freed in the store
  reading(
    'an entry of a dead generation gets an end',
    'entry.generation !== generation && entry.expiresMs === NEVER',
    'false',
  ),
  reads('unless its generation was read before it', 'if (current === generation) return', ''),
  calls('a cache without a ttl says so once', 'if (lifeMs === 0 && !core.hasWarned)', 'if (lifeMs === 0)'),
  // Malformed texts are misses
  tags('of 64 tags at the most', ' && parts.length <= MAX_TAGS', ''),
  tags('of well-formed names', 'areTags([...tags.keys()]) && parts', 'parts'),
  version('a malformed version is missing', '|| !isVersion(version)) seen.delete(key)', ') seen.delete(key)'),
  versionStep('and made anew', '!(current?.length === made.length && isVersion(current))', '!current'),
  reading(
    'a malformed generation is none',
    'stored?.length === NONE.length && isVersion(stored) ? stored : undefined',
    'stored',
  ),
  tags('hints leave room', '.filter(Boolean).slice(0, MAX_TAGS)', '.filter(Boolean)'),
  tags('hints are no tags without a name', '.filter(Boolean).slice(0, MAX_TAGS)', '.slice(0, MAX_TAGS)'),
  tags('hints make room', 'if (tags.size > MAX_TAGS && !named.includes(tag)) tags.delete(tag)', ''),
  // Keys
  keys('a namespace is one name', '/^[\\w-]+$/.test(name)', '/^[\\w.-]+$/.test(name)'),
  define('getMany of a kind keeps its list', 'return keys.map((key)', 'return list.map(keyOf).map((key)', [
    'cache/define.test.ts',
  ]),
  define('define has keys of its own', 'viewOfKind(viewOf(cache), { mark: DEFINED, name })', 'viewOf(cache)', [
    'cache/keys.test.ts',
  ]),
  define('a kind rejects, and throws nothing', "['get'] = async (params", "['get'] = (params", [
    'cache/define.test.ts',
  ]),
  define('loadMany has an item for each', ' || found.length !== missing.length', '', ['cache/define.test.ts']),
  define('getMany takes a list', 'if (!Array.isArray(list))', 'if (false)', ['cache/define.test.ts']),
  define('nor where it invalidates', 'invalidate: async (params', 'invalidate: (params', ['cache/define.test.ts']),
  wrap('wrap has keys of its own', 'viewOfKind(view, { mark: WRAPPED, name })', 'view', ['cache/keys.test.ts']),
  wrap('wrap keeps this', 'fn.apply(this, args as never)', 'fn(...(args as never[] as []) as never)', [
    'cache/keys.test.ts',
  ]),
  space('a long key is where no other is', 'storedKey(name + HASHED, longKeys(key))', 'storedKey(name, longKeys(key))'),
  space('near, too', 'isLong(key) ? hashedName(longKeys(key)) : nearName(key)', 'nearName(key)'),
  space('a malformed key is refused, not replaced', 'key.isWellFormed() && ', ''),
  // The memory store
  stored(
    'nor to a copy in grace',
    'Math.min(Number(expires) - nowMs, leftMs ?? Number(expires))',
    'Number(expires) - nowMs',
    ['memory-store.test.ts'],
  ),
  memory('reads move the sweep', 'if (++reads % READS_PER_SWEEP === 0) sweepNext()', ''),
  memory(
    'a clock that goes back gives no time back',
    'if (at < lastMs) backMs += lastMs - at + elapsed - lastElapsedMs',
    '',
  ),
]
