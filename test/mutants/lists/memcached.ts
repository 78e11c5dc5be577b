import { type Mutant, of } from '../mutants.ts'

const UNIT = ['memcached/guards.test.ts', 'memcached/replies.test.ts']

const pipeline = of('adapters/memcached/pipeline.ts', UNIT)
const replies = of('adapters/memcached/replies.ts', UNIT)
const connection = of('adapters/memcached/connection.ts', UNIT)
const link = of('adapters/memcached/link.ts', UNIT)
const client = of('adapters/memcached/client.ts', UNIT)
const calls = of('adapters/memcached/calls.ts', UNIT)
const address = of('adapters/memcached/address.ts', UNIT)
const encoder = of('adapters/memcached/encoder.ts', ['memcached/encoder.test.ts'])
const store = of('adapters/memcached/index.ts', UNIT)
const steps = of('adapters/memcached/steps.ts', UNIT)
const frame = of('adapters/memcached/frame.ts', UNIT)
const wire = of('adapters/memcached/wire.ts', UNIT)

export const mutants: readonly Mutant[] = [
  of('adapters/memcached/scan.ts', UNIT)('a scan names it, too', '    throw unopened(error)', '    throw error'),
  store('a listed key that has ended is none', '|| name : undefined', '|| name : name'),
  steps('a server without CAS numbers is refused', "if (cas === '0') throw", 'if (false) throw'),
  // Each reply belongs to its request
  replies('a reply names its request', ' || !isDigits(bytes, numberAt, opaque)', ''),
  replies('and its key', ' || !isAt(bytes, keyAt, text)', ''),
  replies('whether that is base64 included', ' || !isAt(bytes, flagAt, flag)', ''),
  replies('with nothing behind it', "return isAt(bytes, at, '\\r\\n')", 'return true'),
  replies('it has no flags of the reply before it', '  reply.flags = -1\n', ''),
  pipeline(
    'a reply that nobody awaits, or that does not name its request, ends the connection',
    '.test(line)) return outOfStep()',
    '.test(line)) return undefined',
  ),
  pipeline('an error of the protocol ends the connection', '/^SERVER_|non', '/^SERVER_|^ERROR|non'),
  pipeline('so does a line that the server did not understand', '/^SERVER_|non', '/^SERVER_|^CLIENT_|non'),
  replies('a value is no larger than any may be', 'if (reply.size > maxBytes)', 'if (false)'),
  replies('a line ends', 'if (buffer.length - start > MAX_LINE)', 'if (false)'),
  replies('a value that came in part is awaited', 'if (next > buffer.length) {', 'if (false) {'),
  of('adapters/node/socket.ts', UNIT)(
    'a name that is no text opens no socket',
    'if (servername && typeof',
    'if (false && typeof',
  ),
  // A server that takes no more clients
  connection('it is an outage', "line.endsWith('Too many open connections')", 'false'),
  connection('which counts as an attempt that failed', " === 'ready' && !isTurnedAway", " === 'ready'"),
  pipeline('it has run nothing', 'if (isUnread && ', 'if (false && '),
  pipeline('but what was sent before', ' && request.attempts === 0) request.may', ') request.may'),
  // Bytes
  encoder('a command has room', 'if (at + size > block.length) {', 'if (false) {'),
  encoder('a value that is copied has room', ' + (isCopied ? body.length : 0)', ''),
  encoder('what was taken is not written over', '    from = at\n', '    from = at = 0\n'),
  // Calls
  calls('a full server is known by one word', "if (line.includes('out of memory'))", 'if (!line)'),
  calls('resends are bounded', ' || ++request.attempts === MAX_ATTEMPTS', ' || ++request.attempts < 0'),
  calls("what is 'once' is sent once", "command.effect !== 'once' && ", ''),
  pipeline('a write that was sent may have run', "request.mayHaveRun ||= command.effect !== 'read'", ''),
  pipeline('nothing is sent past its deadline', 'if (limits.deadline <= at) {', 'if (false) {'),
  store('a deadline that has passed is refused', 'if (limits.deadline > at) return limits', 'return limits'),
  store('calls share one reading of the clock in one run of microtasks only', '      shared = undefined\n', ''),
  store('the last of them has its time', 'limits.deadline = now() + timeoutMs', ''),
  store(
    'a text that is too large is not sent',
    '      checkValue(value, traits)\n      checkTtl(ttlMs)\n      return write(key, bytesOf(value), ttlMs',
    '      checkTtl(ttlMs)\n      return write(key, bytesOf(value), ttlMs',
  ),
  store('nor are bytes', 'checkValue(value, traits, true)', ''),
  steps('nor the result of an operation', 'if (!isGone) checkValue(next, traits)', ''),
  steps('a key in base64 is not counted by the server', 'place.hashedKey || place.flag ?', 'place.hashedKey ?'),
  link('a clock that is set back keeps no server away', 'elapsedMs() + backoff(failures)', 'now() + backoff(failures)'),
  connection('a clock that is set back makes no call longer', 'firedAt(due)', 'now()'),
  connection('a clock that is set back keeps no silent connection', 'Math.min(on.heardAt, at)', 'on.heardAt'),
  link('a connection that was not used for long is replaced', 'now() - current.heardAt > idleMs', 'false'),
  connection('a queue is bounded', 'if (pipeline.size() >= maxQueue)', 'if (false)'),
  connection('a silent connection is given up', 'if (silentAt > at)', 'if (true)'),
  connection(
    'nothing is sent before the login is answered',
    'if (!address.username) return begin()',
    'begin()\n        if (!address.username) return',
  ),
  address('a password is not kept by a server without users', 'login 0 -1 ', 'login 0 0 '),
  // Operations
  wire(
    'a write is under the CAS number that was read',
    'if (/^\\d{1,20}$/.test(value)) return',
    "if (/^\\d{1,20}$/.test(value)) return '' &&",
  ),
  wire('or only where there is nothing', "return ' ME'", "return ''"),
  steps('one that failed is tried again', "read: ({ code }) => code === 'HD',", 'read: () => true,'),
  // Keys
  frame('a value under a digest is of its key', 'decodeText(bytes, start, value) !== hashedKey', 'false'),
  frame('a value under a digest has a frame', 'return hashedKey ? undefined :', 'return'),
  store('a value is absent past the end in its frame', 'item.endMs > now()) ? item', 'true) ? item'),
  wire('a key has no byte that ends it', '/^[!-~]+$/.test(key)', '/^[^é]+$/.test(key)'),
  wire('a key has 250 bytes at the most', 'if (key.length <= MAX_WIRE_KEY &&', 'if ('),
  // Arguments
  wire('a number is a whole one', 'Number.isSafeInteger(value) && value >= 0 && value <= most', 'value <= most'),
  wire(
    'a number is in its bounds',
    'Number.isSafeInteger(value) && value >= 0 && value <= most',
    'Number.isSafeInteger(value)',
  ),
  wire('a CAS number is digits', '/^\\d{1,20}$/.test(value)', 'true'),
  client('a server that is down keeps its keys', 'if (!failover) return ring.pick(key)', ''),
  client('a call that found its server down goes to the next', 'return failover && place', 'return false && place'),
  client('a call that may have run goes to no other server', ' || error.maybeExecuted', ''),
  client('the question whether a server is there stays on it', ' && place.ringKey !== undefined', ''),
]
