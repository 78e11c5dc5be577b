import { type Mutant, of } from '../mutants.ts'

const UNIT = ['silent-server.test.ts']
const overRedis = of('src/store/over-redis.ts', UNIT)
const tcp = of('adapters/tcp/index.ts', UNIT)
const tcpTransport = of('adapters/tcp/transport.ts', UNIT)
const ioredis = of('adapters/ioredis/index.ts', UNIT)
const ioredisTransport = of('adapters/ioredis/transport.ts', UNIT)
const memcached = of('adapters/memcached/scan.ts', UNIT)
const nodeRedis = of('adapters/node-redis/index.ts', UNIT)
const nodeRedisTransport = of('adapters/node-redis/transport.ts', UNIT)
const nodeRedisConnections = of('adapters/node-redis/connections.ts', UNIT)

export const mutants: readonly Mutant[] = [
  overRedis('publish and scan have a deadline', 'withDeadline(call, timeoutMs)', '{ ...call }'),
  overRedis('their signal is one', '    checkSignal(call?.signal)\n', ''),
  tcp('publish ends in time, over hither/tcp', 'timed(transport.send, timeoutMs)', 'transport.send'),
  tcpTransport('a scan ends in time, over hither/tcp', 'timed(node.calls(0).send, timeoutMs)', 'node.calls(0).send'),
  tcpTransport('the signal of a scan is one, over hither/tcp', '    checkSignal(call?.signal)\n', ''),
  ioredis('publish ends in time, over ioredis', 'timed(transport.send, timeoutMs)', 'transport.send'),
  ioredisTransport('a scan ends in time, over ioredis', 'timed(ask, timeoutMs)', 'ask'),
  ioredisTransport('the signal of a scan is one, over ioredis', '    checkSignal(call?.signal)\n', ''),
  nodeRedis('publish ends in time, over node-redis', 'timed(raw.send, timeoutMs)', 'transport.send'),
  tcpTransport(
    'a scan ends in time, where the nodes are not known',
    'router.primaries(withDeadline(call, timeoutMs))',
    'router.primaries(call)',
  ),
  nodeRedisTransport(
    'a scan ends in time, over a Cluster of node-redis',
    'await inTime(withDeadline(call, timeoutMs), false, () => servers.clients())',
    'await servers.clients()',
  ),
  nodeRedisConnections(
    'a connection is asked for in time, over a Cluster of node-redis',
    'await inTime(call, false, () => servers.clientFor(key, address))',
    'await servers.clientFor(key, address)',
  ),
  nodeRedisTransport(
    'a scan ends in time, over node-redis',
    'inTime(limits, false, () => write(',
    'inTime({}, false, () => write(',
  ),
  memcached('a scan ends in time, over Memcached', 'onLimit(limitOf(call), passed, end)', '() => {}'),
  memcached('the signal of a scan is one, over Memcached', '  checkSignal(call?.signal)\n', ''),
]
