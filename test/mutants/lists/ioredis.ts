import { type Mutant, of } from '../mutants.ts'

const routing = of('adapters/ioredis/routing.ts', ['ioredis-routing.test.ts'])

export const mutants: readonly Mutant[] = [
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
