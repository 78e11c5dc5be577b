import { type Mutant, of } from '../mutants.ts'

const meter = of('src/rate-limit/meter.ts', ['rate-limit/state.test.ts'])
const buckets = of('src/rate-limit/bucket-meter.ts', ['rate-limit/state.test.ts'])
const limiter = of('src/rate-limit/create-rate-limiter.ts', ['rate-limit/state.test.ts'])

export const mutants: readonly Mutant[] = [
  of('src/embedded/store.ts', ['rate-limit/state.test.ts'])(
    'an embedded store says that its clock was passed in',
    'clock === now ? undefined : { ownClock: clock }',
    'undefined',
  ),
  limiter(
    'a store with the clock of a test is asked each time',
    'taking && remembers && refusals',
    'taking && refusals',
  ),
  limiter('a wait ends by a clock that is never set', 'const end = elapsedMs()', 'const end = now()'),
  meter(
    'state longer than these limits can have is none',
    'text.length > NUMBER_LENGTH + 1 + limits * (meter.size * NUMBER_LENGTH + 1)',
    'false',
  ),
  meter('state of another form is none', 'if (!/^r\\d+;[\\d ;]*;$/.test(text) || ', 'if ('),
  meter('a number too long is none', '|| /\\d{17}/.test(text)', '|| false'),
  meter('state of more limits, or fewer, is none', 'if (parts.length !== limits + 1) return none', ''),
  meter('a limit of more numbers, or fewer, is none', ' && list.length === meter.size', ''),
  meter('pairs are no more than the limit has', 'list.length > most || ', ''),
  meter('pairs are in order', 'for (let i = 2; i < list.length; i += 2) if', 'if'),
  meter('pairs are whole', 'list.length % 2 === 1 || ', ''),
  buckets('a wait ends with the numbers', '; left < cost && i < numbers.length; ', '; left < cost && i < 1e6; '),
]
