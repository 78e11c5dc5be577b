import { type Mutant, of } from '../mutants.ts'

const UNIT = ['senseless-options.test.ts']
const argument = of('src/protocol/arguments.ts', UNIT)
const locks = of('src/lock/create-locks.ts', UNIT)
const sessions = of('src/session/create-sessions.ts', UNIT)
const entries = of('src/session/hashed-entries.ts', UNIT)
const tokens = of('src/token/create-tokens.ts', UNIT)
const begin = of('src/idempotency/create-idempotency.ts', UNIT)
const channel = of('src/channel/channel.ts', UNIT)
const place = of('src/structures/place.ts', UNIT)
const batch = of('src/structures/batch.ts', UNIT)
const geo = of('src/structures/geo.ts', UNIT)
const sorted = of('src/structures/sorted-set.ts', UNIT)
const stream = of('src/structures/stream.ts', UNIT)
const group = of('src/structures/stream-group.ts', UNIT)
const http = of('src/http/create-http-cache.ts', UNIT)
const purge = of('src/http/purge-handler.ts', UNIT)
const load = of('src/cache/load/settings.ts', UNIT)
const mini = of('src/cache/mini.ts', UNIT)
const limiter = of('src/rate-limit/create-rate-limiter.ts', UNIT)
const limits = of('adapters/hono/rate-limit.ts', UNIT)
const embedded = of('src/embedded/index.ts', UNIT)
const config = of('src/embedded/config.ts', UNIT)
const idempotency = of('adapters/hono/idempotency.ts', UNIT)
const session = of('adapters/hono/session.ts', UNIT)
const broken = of('src/testing/broken-store.ts', ['testing/testing.test.ts'])
const SIGNALS = ['senseless-signal.test.ts']
const tick = of('src/store/tick.ts', SIGNALS)
const limited = of('src/store/limited-call.ts', SIGNALS)
const overEngine = of('src/embedded/store.ts', SIGNALS)
const memory = of('adapters/memory/index.ts', SIGNALS)
const memcached = of('adapters/memcached/index.ts', SIGNALS)
const nats = of('adapters/nats/index.ts', SIGNALS)

export const mutants: readonly Mutant[] = [
  memory('a deadline that is null is none, in memory', '(call.deadline ?? NEVER)', '(call.deadline as number)'),
  overEngine('a deadline that is null is none, in the engine', '(call.deadline ?? NEVER)', '(call.deadline as number)'),
  memcached('a call that is null has no limits', '} = call ?? {}', '} = call as Call'),
  broken('a store that hangs ends its calls', 'limits?.deadline ?? now() + timeoutMs', 'limits?.deadline ?? NEVER'),
  broken('how long it hangs is a time', "  checkWhole(timeoutMs, 'timeoutMs', 1)\n", ''),
  tick('a signal of a call over commands is one', '        checkSignal(signal)\n', ''),
  limited('a signal of a call over text is one', '      checkSignal(call?.signal)\n', ''),
  overEngine('a signal of a call over the engine is one', '    checkSignal(call?.signal)\n', ''),
  memory('a signal of a call in memory is one', '    checkSignal(call?.signal)\n', ''),
  memcached('a signal of a call over memcached is one', '    checkSignal(signal)\n', ''),
  nats('a signal of a call over NATS is one', '    checkSignal(signal)\n', ''),
  http('the name in Cache-Status is text', "typeof cacheStatus === 'string' && ", ''),
  http('a flag of an HTTP cache is no text', "checkFlag(staleDespiteSMaxage, 'staleDespiteSMaxage')", ''),
  http('lifetimes of errors are in an object', "checkNames('negative', negative, Object.keys(negative ?? {}))", ''),
  http('a layer names its field by text', "typeof (layer.tagField ?? '') === 'string' && ", ''),
  http('the field of a layer has a name', " && layer.tagField !== ''", ''),
  purge('what is purged can be', "if (typeof cache?.purge !== 'function')", 'if (!cache && !options)'),
  load(
    'a flag of a load is no text',
    "if (![bypass, forceFresh, finish].every((flag) => typeof flag === 'boolean'))",
    'if (!own)',
  ),
  mini('tags of a small cache are a part', "if (typeof tags?.check !== 'function')", 'if (!options)'),
  limiter('the namespace of a limiter is text', "if (typeof namespace !== 'string')", 'if (!store)'),
  limiter('a listener of a limiter is a function', "checkFunction(onEvent, 'onEvent')", ''),
  limiter('the signal of a decision is one', '    checkSignal(signal)\n', ''),
  limits(
    'an option of rateLimit() that is a function is one',
    "rest[name] !== undefined && typeof rest[name] !== 'function'",
    'false',
  ),
  limits('so is that of one of several limits', 'of [options, ...given] as', 'of [options] as'),
  limits('a correction that fails changes no response', '.catch(nothing)\n    if (!further', '\n    if (!further', [
    'hono/rate-limit.test.ts',
  ]),
  limits('a cost is a number', 'if (!isCost) throw', 'if (!cost && !isCost) throw'),
  limits('a name of a limit is text', "typeof name !== 'string' || ", ''),
  argument('a function is one', "if (typeof (given ?? invalid) !== 'function')", 'if (!name)'),
  argument('a codec has its methods', 'if (!isForm ||', 'if (!codec ||'),
  argument('a codec has a mark', ' || !/^[A-Z]$/.test(`${' + 'codec.mark}`)', ''),
  argument('a schema is a Standard Schema', "if (typeof schema['~standard']?.validate !== 'function')", 'if (!schema)'),
  argument('a signal is an AbortSignal', "if (typeof signal.throwIfAborted !== 'function')", 'if (!signal)'),
  argument('a flag is true or false', "if (typeof given !== 'boolean')", 'if (!name)'),
  locks('what a lock runs is a function', "if (typeof work !== 'function')", 'if (!place)'),
  sorted('the order of a rank is a flag', "      checkFlag(reverse, 'reverse')\n      return", '      return'),
  sorted('the order of a range is a flag', "  checkFlag(reverse, 'reverse')\n  checkFlag", '  checkFlag'),
  sorted('to have scores is a flag', "  checkFlag(withScores, 'withScores')\n", ''),
  stream('the order of a stream is a flag', "      checkFlag(reverse, 'reverse')\n", ''),
  of('adapters/memory/index.ts', UNIT)('a clock is a function', "  checkFunction(wall, 'now')\n", ''),
  locks('to renew is a flag', "    checkFlag(renew, 'renew')\n", ''),
  sessions('no Secure is a flag', "  checkFlag(insecure, 'insecure')\n", ''),
  sessions('a codec of sessions is one', '  checkCodec(options.codec)\n', ''),
  sessions('a schema of sessions is one', '  checkSchema(options.schema)\n', ''),
  sessions('a cookie has a text for its name', "typeof name !== 'string' || ", ''),
  sessions('a handle is text', "typeof handle !== 'string' || ", ''),
  entries('a codec of entries is one', '  checkCodec(codec)\n', ''),
  entries(
    'a lifetime of entries is one',
    '  const lifeMs = toLife(life)\n',
    '  const lifeMs = undefined as number | undefined\n',
  ),
  tokens('a codec of tokens is one', '  checkCodec(codec)\n', ''),
  begin('a signal of begin is one', '      checkSignal(signal)\n', ''),
  channel('a codec of a channel is one', '  checkCodec(codec)\n', ''),
  channel('a schema of a channel is one', '  checkSchema(schema)\n', ''),
  channel('who is told of invalid messages is a function', "      checkFunction(onInvalid, 'onInvalid')\n", ''),
  channel('a signal of subscribe is one', '      checkSignal(signal)\n', ''),
  place('a codec of a structure is one', '  checkCodec(space.codec)\n', ''),
  batch('a batch is built by a function', "  if (typeof build !== 'function') throw notCalls()\n", ''),
  geo('around is a place', "isObject(around) && 'member' in around", "'member' in around"),
  geo('within is a size', '{ ...(within as Lengths) }', 'within as Lengths'),
  geo('degrees are a number', "typeof value === 'number' && Math", 'Math'),
  sorted(
    'an end of a range is a number, or one that is left out',
    'if (!isObject(bound))',
    "if (typeof bound === 'number')",
  ),
  stream('what is trimmed is an object', "      checkNames('trim', to ?? null, ['maxLength', 'fromId'])\n", ''),
  stream('a stream is trimmed in one way', "if ('maxLength' in to && 'fromId' in to)", 'if (!to)'),
  stream('an id is text', "typeof id === 'string' && ", ''),
  group('who is told of an outage is a function', "  checkFunction(onError, 'onError')\n", ''),
  group('a signal of consume is one', '  checkSignal(signal)\n', ''),
  http('near is a tier', "near !== undefined && typeof near?.attach !== 'function'", '!store'),
  http('hosts are a list of names', 'if (!isTexts(hosts))', 'if (!store)'),
  http('layers are a list', 'if (!Array.isArray(layers) || ', 'if ('),
  idempotency('required is a flag', "if (typeof required !== 'boolean')", 'if (!scope)'),
  idempotency(
    'who is told of what was not stored is a function',
    "onError !== undefined && typeof onError !== 'function'",
    '!scope',
  ),
  embedded('a clock of the engine is a function', 'checkFunction(options[name], name)', 'void name'),
  embedded('a bound of the engine is a number', 'if (value !== undefined) checkWhole', 'if (value === 0.5) checkWhole'),
  config(
    'a policy is one of the policies',
    "checkOneOf(options.evictionPolicy ?? 'noeviction', 'evictionPolicy', policies)",
    "policies.concat(options.evictionPolicy ?? 'noeviction').at(-1) as string",
  ),
  session('a deadline is a function', "deadline !== undefined && typeof deadline !== 'function'", '!sessions'),
]
