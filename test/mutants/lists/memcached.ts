import { type Mutant, of } from '../mutants.ts'

const UNIT = ['memcached/guards.test.ts']

const pipeline = of('adapters/memcached/pipeline.ts', UNIT)
const replies = of('adapters/memcached/replies.ts', UNIT)
const connection = of('adapters/memcached/connection.ts', UNIT)
const client = of('adapters/memcached/client.ts', UNIT)
const store = of('adapters/memcached/index.ts', UNIT)
const steps = of('adapters/memcached/steps.ts', UNIT)
const frame = of('adapters/memcached/frame.ts', UNIT)
const wire = of('adapters/memcached/wire.ts', UNIT)

export const mutants: readonly Mutant[] = [
  // A reply is its request's
  pipeline('a reply names its request', '!isError && !endsWith(reply, request.tail)', 'false'),
  wire(
    'and its key',
    'export function tailOf({ text, flag }: WireKey, opaque: number): string {',
    "export function tailOf({ text, flag }: WireKey, opaque: number): string {\n  return ' O' + opaque",
  ),
  pipeline(
    'a reply that nobody awaits ends the connection',
    'if (!request) return outOfStep()',
    'if (!request) return',
  ),
  pipeline('an error of the protocol ends the connection', "if (code === 'ERROR') return outOfStep()", ''),
  pipeline(
    'so does a line that the server did not understand',
    "return line && !line.includes('non-numeric') ? outOfStep() : undefined",
    'return undefined',
  ),
  replies('a value is no larger than any may be', 'size <= maxBytes)', 'true)'),
  replies('a line ends', 'if (buffer.length - at > MAX_LINE)', 'if (false)'),
  replies('a value that came in part is awaited', 'if (next > buffer.length) {', 'if (false) {'),
  // Calls
  client('resends are bounded', 'pending.attempts === MAX_ATTEMPTS ||', ''),
  client("what is 'once' is sent once", "effect === 'once' ||", ''),
  pipeline('a write that was sent may have run', 'request.mayHaveRun ||= request.writes', ''),
  store(
    'a text that is too large is not sent',
    '      checkValue(value, traits)\n      checkTtl(ttlMs)\n      return write(key, value, ttlMs',
    '      checkTtl(ttlMs)\n      return write(key, value, ttlMs',
  ),
  store('nor are bytes', 'checkValue(value, traits, true)', ''),
  steps('nor the result of an operation', 'if (!isGone) checkValue(next, traits)', ''),
  connection('a queue is bounded', 'if (pipeline.size >= maxQueue)', 'if (false)'),
  connection('a silent connection is given up', 'if (silentAt > at)', 'if (true)'),
  connection(
    'nothing is sent before the login is answered',
    'if (!address.username) return begin()',
    'begin()\n        if (!address.username) return',
  ),
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
]
