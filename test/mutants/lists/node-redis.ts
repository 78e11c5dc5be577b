import { type Mutant, of } from '../mutants.ts'

const transport = of('adapters/node-redis/transport.ts', ['node-redis.test.ts'])
const commands = of('adapters/node-redis/commands.ts', ['node-redis.test.ts'])
const connections = of('adapters/node-redis/connections.ts', ['node-redis.test.ts'])
const subscription = of('adapters/node-redis/subscription.ts', ['node-redis.test.ts'])
const peer = of('adapters/node-redis/peer.ts', ['node-redis.test.ts'])
const store = of('adapters/node-redis/index.ts', ['node-redis.test.ts'])
const own = of('adapters/ioredis/index.ts', ['ioredis-watch.test.ts'])

export const mutants: readonly Mutant[] = [
  transport(
    'a command of the transport ends in time',
    'send: (command, call) => inTime(call, true, () => transport.send(command, call)),',
    'send: transport.send,',
  ),
  transport(
    'and so does a batch',
    'inTime(call, true, () => transport.sendMany(commands, { ...call, onReply }))',
    'transport.sendMany(commands, { ...call, onReply })',
  ),
  transport(
    'a command that waits follows its slot',
    'if (!isRedirect(refused, left)) return result',
    'if (true) return result',
  ),
  subscription(
    'a subscription of a Cluster goes on elsewhere',
    '          onGap?.()\n          listenAgain()',
    '          onGap?.()',
  ),
  subscription('and tries until it does', '        }, listenAgain)', '        }, () => {})'),
  subscription(
    'the end of a connection alone ends it',
    'if (peer.isOpen || !connections.has(peer)) return',
    'if (!connections.has(peer)) return',
  ),
  subscription(
    'what was ended is not opened again',
    'if (peer.isOpen || !connections.has(peer)) return',
    'if (peer.isOpen) return',
  ),
  transport('and goes with ASKING', 'address ? [ASKING] : []', '[]'),
  commands('a transaction is not sent in parts', "use === 'own' || !isSplit", '!isSplit'),
  transport(
    'a node that a redirect asks is waited for to the limit of the call',
    'await inTime(call, false, async () => {\n      if (refused.word',
    'await inTime({}, false, async () => {\n      if (refused.word',
  ),
  transport(
    'a slot is asked for by the bytes of the key',
    "typeof key === 'string' ? key : Buffer.from(key)",
    'String(key)',
  ),
  transport('redirects are followed a few times over node-redis', 'return left > 0 && reply', 'return reply'),
  transport(
    'a slot that moves is learned',
    "      await servers.send(['GET', name], { typeMapping: PLAIN }).catch(() => {})\n",
    '',
  ),
  commands('keys of two nodes are sent one by one', '|| !isSplit(reply, command)', '|| true'),
  transport('each command of a closed transport rejects', 'try {\n        enter(call)\n', 'try {\n'),
  transport('a batch that has ended hands over no reply', '!settled && call?.onReply', 'call?.onReply'),
  transport('a batch with a command that is refused is not sent', 'if (refused) throw refused\n', ''),
  store('a node that is down fails its own calls alone', '    sendEach: transport.sendEach,\n', ''),
  transport('of a batch on a Cluster another part may have run', 'isSpread && isHitherError', 'false && isHitherError'),
  transport('a command that was alone has not', ' && commands[1]\n', '\n'),
  transport('nor has one of a closed Cluster', ' && servers.isReady && commands', ' && commands'),
  peer('a client of redis 4 is refused', ', client?.withTypeMapping]', ']'),
  connections(
    'EXEC runs with its WATCH or not at all',
    'key, { reconnectStrategy: false }',
    'key, { reconnectStrategy: 0 }',
  ),
  connections(
    'a connection is waited for to the limit of its call',
    'await inTime(call, false, () => made.connect())',
    'await made.connect()',
  ),
  transport(
    'a transaction ends at its limits',
    'return inTime(call, true, async () => ran(await redirected',
    'return inTime({}, true, async () => ran(await redirected',
  ),
  connections(
    'a connection that was given up is ended',
    '      end(made)\n      throw isHitherError',
    '      throw isHitherError',
  ),
  connections('its socket is ended, too', '    state?.ending?.abort()\n', ''),
  connections('a connection that may reconnect has no signal', 'const ending = settings && new', 'const ending = new'),
  connections('one that connects is not forgotten', '(made.isReady || !state.isConnecting)', 'true'),
  connections('nor is one that connects again', 'state.isConnecting = !ending\n', '\n'),
  connections('it ends once it has connected or failed', 'if (!own.has(made) && made.isOpen) made.destroy()', ''),
  connections('one that waits for the server is ended at once', '        state.isConnecting = false\n', ''),
  subscription('its subscriber hears no more of it', 'connections.has(peer) && onGap', 'onGap'),
  subscription(
    'so is that of a subscription that was refused',
    '        connections.end(peer)\n        throw isReply(error)',
    '        throw isReply(error)',
  ),
  subscription(
    'a refused subscription is no outage',
    'throw isReply(error)\n          ?',
    'throw !isReply\n          ?',
  ),
  connections(
    'no connection is opened beside a client that is away',
    'if (!client.isReady) throw lost(servers, undefined, false)',
    '',
  ),
  commands('one whose owner closed it is not worth another try', 'retryable: isOpen', 'retryable: true'),
  store(
    'few connections are opened beside a client',
    'createExclusivePool(openOwn)\n',
    'createExclusivePool(openOwn, 50)\n',
  ),
  store('a connection that has ended is lent to nobody', 'isBroken = () => opened.ended', 'isBroken = () => false'),
  store('one that could not be opened is lent to nobody', 'isBroken = () => true', 'isBroken = () => false'),
  own('a node of a Cluster has no calls that wait, over ioredis', "reply.word === 'MOVED'", "reply.word === ''"),
  own('EXEC runs with its WATCH or not at all, over ioredis', 'if (hasEnded) throw', 'if (false) throw'),
]
