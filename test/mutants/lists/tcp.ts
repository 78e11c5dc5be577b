import { type Mutant, of } from '../mutants.ts'

const UNIT = ['tcp/guards.test.ts']

const courier = of('adapters/tcp/courier.ts', UNIT)
const subscriber = of('adapters/tcp/subscriber.ts', UNIT)
const topology = of('adapters/tcp/topology.ts', UNIT)
const connection = of('adapters/tcp/connection.ts', UNIT)
const patience = of('adapters/tcp/patience.ts', UNIT)
const replies = of('adapters/tcp/replies.ts', UNIT)
const nodes = of('adapters/tcp/nodes.ts', UNIT)
const link = of('adapters/tcp/link.ts', UNIT)
const queue = of('adapters/tcp/queue.ts', ['tcp/queue.test.ts'])
const greeting = of('adapters/tcp/greeting.ts', UNIT)
const sentinel = of('adapters/tcp/sentinel.ts', UNIT)
const options = of('adapters/tcp/options.ts', UNIT)
const store = of('adapters/tcp/index.ts', UNIT)

export const mutants: readonly Mutant[] = [
  connection(
    'a socket that cannot be made ends its connection later',
    'queueMicrotask(() => on.end(unopened(error)))',
    'on.end(unopened(error))',
  ),
  of('src/store/unopened-socket.ts', UNIT)(
    'a wrong key is no lack of the runtime',
    'if (code === undefined && cause instanceof TypeError) return',
    'if (true) return',
  ),
  of('src/store/unopened-socket.ts', UNIT)('nor is a wrong PFX file', ' && cause instanceof TypeError', ''),
  of('src/store/connect-hint.ts', ['tcp/guards.test.ts'])(
    'files that ran out are no server that is down',
    'if (/^E[MN]FILE/.test(code))',
    'if (!code)',
  ),
  of('adapters/tcp/errors.ts', UNIT)(
    'a refused password is one, though the connection ends',
    '/^(NOAUTH|WRONGPASS)$/.test(word) || ',
    '',
  ),
  store('reads over several connections are answered apart', 'readsApart: connections > 1', 'readsApart: false'),
  subscriber('a subscription leaves a node that has left', ' || hasLeft()', ''),
  nodes('and so does what is published', 'if (speaker && !known.has(speaker.name)) speaker = undefined', ''),
  subscriber('a channel that is refused is asked for again', '      refused.add(channel)\n', ''),
  subscriber(
    'its messages may be missing',
    'if (refused.delete(String(channel))) missed = true',
    'refused.delete(String(channel))',
  ),
  subscriber(
    'a PING that is refused refuses no subscription',
    '    asked.push(channel)\n',
    '    if (channel) asked.push(channel)\n',
  ),
  of('adapters/tcp/tracked-link.ts', UNIT)('a server that is busy refuses no feed', "reply.word === 'BUSY'", 'false'),
  courier(
    'redirects are followed a few times',
    'reply instanceof ReplyError && left > 0 &&',
    'reply instanceof ReplyError &&',
  ),
  courier('MOVED is learned', '      nodes.move(Number(slot), name)\n', ''),
  nodes('a node that is cut off is asked last', 'node === doubted ? -1', 'false ? -1'),
  courier('a replica that fails is left for another node', "code === 'STORE_UNAVAILABLE' && trip.left > 0", 'false'),
  courier('one that cannot answer is, too', 'if (isUnfit(reply, node, trip)) leave', 'if (false) leave'),
  courier('for a while', '    nodes.avoid(replica)\n', ''),
  courier('also where it was too late', "if (code === 'TIMEOUT' && maybeExecuted) nodes.avoid(node)", 'void 0'),
  courier('but not for a read that was never sent', "'TIMEOUT' && maybeExecuted)", "'TIMEOUT')"),
  nodes('a replica that comes is found', 'if (atMs - refreshedAt > BELIEVE_MS) void', 'if (false) void'),
  courier('ASK is not learned', "if (word === 'ASK') return", 'if (false) return'),
  courier('ASK goes with ASKING', 'if (!trip.asking) calls.one', 'if (true) calls.one'),
  topology('a server outside a Cluster is no outage', '/cluster support disabled/.test(reply.message)', 'false'),
  topology(
    'a node is reached as the NAT map says',
    'Object.hasOwn(natMap, name) ? natMap[name] : undefined',
    'undefined as never',
  ),
  connection('a command that was sent may have run', 'ofCall(error, entry.sent)', 'error'),
  connection('an attempt to connect ends', "  endOpeningIn(on, connectTimeoutMs, 'no answer')\n", ''),
  connection('strings of a reply are bounded', 'maxValueBytes: settings.maxReplyBytes', 'maxValueBytes: 1e9'),
  patience('a silent connection ends', 'if (on.doubtedAt === on.heardAt) {', 'if (false) {'),
  patience('a clock that is set back makes no call longer', 'firedAt(on.due)', 'now()'),
  patience('a clock that is set back keeps no silent connection', 'Math.min(on.heardAt, at)', 'on.heardAt'),
  link(
    'a clock that is set back keeps no server away',
    'elapsedMs() + reconnectDelay(failures)',
    'Date.now() + reconnectDelay(failures)',
  ),
  nodes('a clock that is set back keeps no old table', 'refreshedAt = elapsedMs()', 'refreshedAt = now()'),
  patience('a call ends at its deadline', 'if (entry.deadline <= at) settle', 'if (false) settle'),
  replies(
    'a primary that became a replica is left',
    "reply.word === 'READONLY') on.state",
    "reply.word === '') on.state",
  ),
  replies('replies to one call have a common bound', 'entry.held > settings.maxCallBytes ?', 'false ?'),
  replies(
    'a reply that nobody waits for ends the connection',
    "if (!role.onStray) throw fault('BAD_REPLY'",
    "if (!role.onStray) return; throw fault('BAD_REPLY'",
  ),
  queue('places of items that are gone are cut off alone', 'items = items.slice(head)\n', ''),
  queue('what is there comes in order', 'items[head++] = undefined', 'items[head] = undefined'),
  link('a connection that nobody used for long is replaced', 'at - current.heardAt() > idleMs', 'false'),
  greeting('only a primary is used', "reply[0] !== 'master'", 'false'),
  sentinel('a Sentinel that does not know is passed over', 'if (found) return', 'return'),
  sentinel('a Sentinel that named a wrong server is asked last', 'onMisled: () => putLast(sentinel)', ''),
  sentinel('a refusal of the credentials is one', 'if (isRefusal(fault)) {', 'if (false) {'),
  sentinel('and is remembered', 'isRefusal(fault) ? fault : error', 'error'),
  sentinel('a right that is missing is a refusal', "reply.word === 'NOPERM'", 'false'),
  connection('who named a server is told that it was wrong', 'if (!opened) on.onMisled?.()', ''),
  options('a NAT map names hosts and ports', "if (typeof host !== 'string' || !host ||", 'if (false ||'),
  options('replicas are those of a Cluster', "if (sentinel && reads === 'replica') throw", 'if (false) throw'),
  options('TLS is an object', "if (typeof tls !== 'object' || tls === null) throw", 'if (false) throw'),
  options('Sentinels are a list', "if (typeof urls !== 'string' && !Array.isArray(urls)) throw", 'if (false) throw'),
  connection('a refused greeting is named', 'if (said instanceof ReplyError) return refused(said, cause)', ''),
]
