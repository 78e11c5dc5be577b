import { type Mutant, of } from '../mutants.ts'

const routing = of('adapters/ioredis/routing.ts', ['ioredis-routing.test.ts'])

const readiness = of('adapters/ioredis/readiness.ts', ['ioredis-database.test.ts'])

const ENDS = ['ioredis-ends.test.ts']
const subscriber = of('adapters/ioredis/subscriber.ts', ENDS)
const transport = of('adapters/ioredis/transport.ts', ENDS)

export const mutants: readonly Mutant[] = [
  subscriber(
    'a refused subscription is no outage, over ioredis',
    "throw isReply(error) ? new StoreRejectedError('SUBSCRIBE', new ReplyError(error.message)) : lost()",
    'throw lost()',
  ),
  transport('what ends reports to nobody', '      else readiness.forget()', '      readiness.forget()'),
  readiness('a client in a database that it did not ask for is refused', '    if (astray) throw astray\n', ''),
  readiness('by the quick way too', "client.status === 'ready' && !astray", "client.status === 'ready'"),
  readiness('also a first call, which waits for the connection', 'if (astray) reject(astray)\n          else if', 'if'),
  readiness('until it is let into its own', '    astray = undefined\n', ''),
  routing('only MOVED and ASK name a node', "if (word === 'MOVED' || word === 'ASK') {", 'if (address) {'),
  routing(
    'a node that MOVED names is opened',
    'const node = find(at) ?? meet(at)',
    "const node = find(at) ?? (word === 'ASK' ? meet(at) : undefined)",
  ),
  routing(
    'what MOVED names is learned at once',
    "if (word === 'MOVED' && node && client.slots) client.slots[Number(slot)] = [at]",
    '',
  ),
]
