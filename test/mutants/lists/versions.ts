import { type Mutant, of } from '../mutants.ts'

const UNIT = ['cache/versions.test.ts']

const stamp = of('src/cache/stamped-write.ts', UNIT)
const step = of('src/cache/entry-operations.ts', UNIT)
const version = of('src/cache/versions.ts', UNIT)
const load = of('src/cache/load.ts', UNIT)
const look = of('src/cache/look.ts', UNIT)
const cache = of('src/cache/create-cache.ts', UNIT)
const core = of('src/cache/core.ts', UNIT)
const space = of('src/cache/key-space.ts', ['cache/keys.test.ts'])
const keys = of('src/protocol/keys.ts', ['cache/keys.test.ts'])
const memory = of('adapters/memory/index.ts', ['memory-store.test.ts'])

export const mutants: readonly Mutant[] = [
  // An acknowledged write is there
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
    'names: checkTags(tags.tags, lifeMs), remembered: false',
    'names: checkTags(tags.tags, lifeMs), remembered: true',
  ),
  stamp(
    'and its tags are renewed',
    'remembered ? writing : extend(',
    'remembered ? writing : ((writing: Promise<Reply>, ..._: unknown[]) => writing)(',
  ),
  stamp(
    'one caller that leaves takes no other along',
    'versions.capture(space, names, core.call(NO_LIMIT), { lifeMs })',
    'versions.capture(space, names, core.call(limit), { lifeMs })',
    ['cache/guards.test.ts'],
  ),
  step('it is written over itself alone', "if (verb === 'rewrite' && id !== dead) return same(current, 0)", ''),
  step('a lease keeps the place of what it has replaced', 'string => `h-$' + '{id}', 'string => `h-$' + '{NONE}'),
  step(
    'and leaves it behind',
    "if (!value && !expire && id !== NONE && ended === FREE) return put(patch(73, FREE), 'keep', 1)",
    '',
  ),
  // Tags live as long as what has them
  version('a version is renewed by what is written under it', "leftMs < lifeMs ? lifeMs : 'keep'", "'keep'"),
  version('and never shortened', "leftMs < lifeMs ? lifeMs : 'keep'", "leftMs < NEVER ? lifeMs : 'keep'"),
  version('what is renewed is not made', 'if (made && !(current', 'if (!(current'),
  version('who needs a longer life asks again', 'if (!asking || asking.lifeMs < lifeMs)', 'if (!asking)', [
    'cache/versions.test.ts > of calls of one moment the longest life counts',
  ]),
  load(
    'a fill renews its tags',
    'if (!plain) versions.renew(space, [...tags.keys()], core.call(), lifeMs).catch(nothing)',
    '',
  ),
  cache(
    'touch renews its tags',
    "stamps.extend(step('once', to, ['touch', id, freshMs, lifeMs], limit), names, lifeMs, limit)",
    "step('once', to, ['touch', id, freshMs, lifeMs], limit)",
  ),
  step(
    'touch extends what it has found',
    "=== (verb === 'take' || verb === 'touch') && (",
    "=== (verb === 'take') && (",
  ),
  // What a clear has ended is freed
  look(
    'an entry of a dead generation gets an end',
    'else if (entry.expiresMs === NEVER) fade(',
    'else if (false) fade(',
  ),
  core('unless its generation was read before it', 'if (current !== generation) await run', 'await run'),
  core('a cache without a ttl says so once', 'if (lifeMs === 0 && !warned)', 'if (lifeMs === 0)'),
  // What is malformed is a miss
  version('of 64 tags at the most', ' && parts.length <= MAX_TAGS', ''),
  version('of well-formed names', 'areTags([...tags.keys()]) && parts', 'parts'),
  version('a malformed version is missing', '|| !isVersion(version)) seen.delete(key)', ') seen.delete(key)'),
  version('and made anew', '!(current?.length === made.length && isVersion(current))', '!current'),
  look(
    'a malformed generation is none',
    'stored?.length === NONE.length && isVersion(stored) ? stored : undefined',
    'stored',
  ),
  version('hints leave room', '.filter(Boolean).slice(0, MAX_TAGS)', '.filter(Boolean)'),
  version('hints are no tags without a name', '.filter(Boolean).slice(0, MAX_TAGS)', '.slice(0, MAX_TAGS)'),
  load('hints make room', 'dropHints(tags, [', 'void ([tags, '),
  // Keys
  keys('a namespace is one name', '/^[\\w-]+$/.test(name)', '/^[\\w.-]+$/.test(name)'),
  cache('define has keys of its own', 'request, DEFINED)', "request, '')", ['cache/keys.test.ts']),
  cache('wrap has keys of its own', 'request, WRAPPED)', "request, '')", ['cache/keys.test.ts']),
  cache('wrap keeps this', 'fn.apply(this, args as never)', 'fn(...(args as never[] as []) as never)', [
    'cache/keys.test.ts',
  ]),
  space('a long key is where no other is', 'storedKey(name + HASHED, longKeys(key))', 'storedKey(name, longKeys(key))'),
  space('near, too', 'isLong(key) ? hashedName(longKeys(key)) : nearName(key)', 'nearName(key)'),
  space('a malformed key is refused, not replaced', 'key.isWellFormed() && ', ''),
  // The memory store
  step('nor to a copy in grace', 'Math.min(Number(ends) - ms, leftMs ?? Number(ends))', 'Number(ends) - ms', [
    'memory-store.test.ts',
  ]),
  memory(
    'a clock that goes back gives no time back',
    'if (at < lastMs) backMs += lastMs - at + elapsed - lastElapsedMs',
    '',
  ),
]
