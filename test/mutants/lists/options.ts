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
const embedded = of('src/embedded/index.ts', UNIT)
const config = of('src/embedded/config.ts', UNIT)
const idempotency = of('adapters/hono/idempotency.ts', UNIT)
const session = of('adapters/hono/session.ts', UNIT)

export const mutants: readonly Mutant[] = [
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
  geo('within is a size', "isObject(within) && 'radius' in within", "'radius' in within"),
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
