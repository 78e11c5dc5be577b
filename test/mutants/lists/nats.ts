import { type Mutant, of } from '../mutants.ts'

const UNIT = ['nats/guards.test.ts']

const requests = of('adapters/nats/requests.ts', UNIT)
const connection = of('adapters/nats/connection.ts', UNIT)
const bucket = of('adapters/nats/bucket.ts', UNIT)
const foreign = of('adapters/nats/bucket.ts', ['nats/bucket.test.ts'])
const turns = of('adapters/nats/turns.ts', UNIT)
const keys = of('adapters/nats/keys.ts', UNIT)
const options = of('adapters/nats/options.ts', UNIT)
const swap = of('src/store/swap.ts', ['swap.test.ts'])

const subscriptions = of('adapters/nats/subscriptions.ts', UNIT)

export const mutants: readonly Mutant[] = [
  requests('a message is published once the server has it', '      await flushed(connection, limits, true)\n', ''),
  requests('and is not kept for one that is away', '      check(limits)\n      try {', '      try {'),
  requests(
    'a confirmation ends at its deadline',
    'const callOff = onLimit(limit, () => timedOut(writes), reject)',
    'const callOff = () => timedOut(writes) && limit',
  ),
  of('adapters/nats/connection.ts', ['nats/refused.test.ts'])(
    'a certificate that is refused is no server that is down',
    "connectHint(reason)?.replaceAll('tls.', 'connect.tls.') ?? 'check",
    "'check",
  ),
  requests('a value that is too large is no outage', '/max_payload/.test(String(error))', 'false'),
  requests('nor is a message', '        throw unsent(error)\n', '        throw error\n'),
  bucket('why no bucket was created is said', 'if (found.error) found = created', 'if (!found.error) found = created'),
  requests('a refused right names no key', 'KV\\.[\\w-]+)/', 'KV\\.[^"]+)/'),
  foreign('a bucket with a history keeps one value', 'if (hasHistory) meta', 'if (false) meta'),
  foreign('and only such a bucket pays for that', 'if (hasHistory) meta', 'if (true) meta'),
  foreign(
    'a history that cannot be cut is refused',
    'if (hasHistory && !found.config.allow_rollup_hdrs)',
    'if (false)',
  ),
  foreign('a mirror is no bucket', 'if (mirror) throw', 'if (!mirror && !found.config) throw'),
  foreign('what a bucket lacks is asked again', '    requests.gone()\n    const how', '    const how'),
  foreign(
    'lifetimes that a bucket no longer has are unsupported',
    'if (error?.err_code === TTL_DISABLED)',
    'if (false)',
  ),
  foreign('a full bucket lets go of keys', 'if (isGone && error)', 'if (false)'),
  foreign('and refuses values', 'if (isGone && error)', 'if (error)'),
  foreign('it lets go of what was read alone', '{ seq: revision + 1 }', '{}'),
  foreign(
    'a value that was replaced is not deleted',
    'return revision === undefined || purge.purged !== 0',
    'return true',
  ),
  foreign('a lifetime that has ended counts as deleted', 'revision === undefined || purge.purged', 'purge.purged'),
  foreign('a refused purge does not count as one', 'if (!purge.error) return', 'return'),
  bucket('a bucket without a leader is down', 'if (err_code === NO_LEADER)', 'if (false)'),
  bucket('a write that waits for replicas is faster', '10_071, 10_164', '10_071'),
  bucket('a value above its bound is too large', 'if (err_code === MESSAGE_TOO_LARGE)', 'if (false)'),
  bucket('a bucket that is gone is one for scans', 'if (page.error?.err_code === NO_STREAM)', 'if (false)'),
  subscriptions(
    'a subscription that was refused is not ready',
    'if (refused) throw unauthorized(refused)',
    'void (refused && unauthorized)',
  ),
  subscriptions('one whose connection is closed goes on over the next', '    gap()\n    moveLater()\n', '    gap()\n'),
  subscriptions('and tries until there is one', '        return moveLater()\n', '        return\n'),
  subscriptions('one that is there already is not doubled', 'if (at === to) return', ''),
  subscriptions('a connection that is closed is no next one', 'if (connection.isClosed()) return\n', ''),
  subscriptions('one that failed is ended', '        each.end()\n        throw error', '        throw error'),
  requests(
    'a clock that is set back makes no request longer',
    'const atMs = elapsedMs()\n        const endMs',
    'const atMs = now()\n        const endMs',
  ),
  requests('a request that nobody answers has the bucket opened anew', '    onGone()\n', ''),
  requests('a write that was sent may have run', 'question.writes ? new HitherError', 'false ? new HitherError'),
  requests(
    'nothing is kept for a server that is away',
    'if (isDown || connection.isClosed())',
    'if (connection.isClosed())',
  ),
  requests(
    'a connection that is back is used',
    "else if (status.type === 'reconnect') isDown = false",
    'else if (false) isDown = false',
  ),
  requests('a request ends at its deadline', 'if (each.endMs <= atMs)', 'if (false)'),
  requests('nothing is sent past its deadline', 'if (!(deadline > now())) throw timedOut(false)', ''),
  requests('a request ends by its signal', 'const forget = signal && onAbort', 'const forget = undefined && onAbort'),
  connection(
    'a connection is opened again by the kind of socket that it had',
    "dial({ servers: 'none', port: 1 })",
    'Promise.resolve()',
  ),
  turns('a write waits for all before it', 'writes ? [line.write, ...line.reads] : [line.write]', '[line.write]'),
  turns(
    'a read waits for the write before it',
    'writes ? [line.write, ...line.reads] : [line.write]',
    'writes ? [line.write, ...line.reads] : []',
  ),
  keys('a subject has no empty part', "text !== '' && !text.endsWith('.')", 'true'),
  keys('a subject does not end in a dot', "return text.endsWith('.') ?", 'return false ?'),
  options('a bucket is a name', '!/^[\\w-]{1,128}$/.test(bucket)', 'false'),
  options('urls are of one kind', '!(isWeb ? WEB : TCP).test(url)', 'false'),
  options('a server has a host and a port, and nothing that is left out', 'pathname.length > 1', 'false'),
  options('a server is a url', 'if (!URL.canParse(whole)) throw malformed', ''),
  options('a password in a url is not left out', 'if (username || password) throw', 'if (false) throw'),
  options(
    'servers are a list',
    "if (!Array.isArray(servers)) throw invalid('servers is",
    "if (false) throw invalid('servers is",
  ),
  options('a WebSocket takes no tls', 'if (isWeb && (connect', 'if (!isWeb && (connect'),
  options('connect is an object', "typeof connect !== 'object' || connect === null ||", ''),
  options('a lent connection takes no options', '(connection && options.connect)', 'false'),
  options('numbers are in their bounds', 'value > 0 && value <= most', 'value > 0'),
  options('options are known', "checkNames('natsStore', options, Object.keys(KNOWN))", ''),
  swap('an operation in doubt says so when no later attempt gets through', 'read().catch(orInDoubt)', 'read()'),
  swap('and at its deadline', 'return orInDoubt(new', 'throw (new'),
  swap("what is 'once' is not decided anew", "operation.effect === 'once' ||", ''),
  swap('what was never sent is not in doubt', 'isInDoubt ||= error.maybeExecuted', 'isInDoubt = true'),
]
