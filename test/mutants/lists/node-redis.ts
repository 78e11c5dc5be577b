import { type Mutant, of } from '../mutants.ts'

const transport = of('adapters/node-redis/transport.ts', ['node-redis.test.ts'])
const own = of('adapters/ioredis/index.ts', ['ioredis-watch.test.ts'])

export const mutants: readonly Mutant[] = [
  transport('EXEC runs with its WATCH or not at all', 'reconnectStrategy: false', 'reconnectStrategy: 0'),
  transport(
    'a connection is waited for to the limit of its call',
    'await inTime(call, false, () => made.connect())',
    'await made.connect()',
  ),
  transport(
    'a connection that was given up is ended',
    '      end(made)\n      throw isHitherError',
    '      throw isHitherError',
  ),
  transport(
    'no connection is opened beside a client that is away',
    'if (!client.isReady) throw lost(servers, undefined, false)',
    '',
  ),
  transport('one whose owner closed it is not worth another try', 'retryable: isOpen', 'retryable: true'),
  own('EXEC runs with its WATCH or not at all, over ioredis', 'if (hasEnded) throw', 'if (false) throw'),
]
