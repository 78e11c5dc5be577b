import { type Mutant, of } from '../mutants.ts'

const BY = ['script-guard.test.ts']
const guard = of('src/store/script-guard.ts', BY)
const check = of('src/gateway/script-check.ts', BY)

export const mutants: readonly Mutant[] = [
  guard(
    'three rounds are needed to believe that scripts are atomic',
    'return apart === ENOUGH || undefined',
    'return apart > 1 || undefined',
  ),
  guard(
    'two scripts that overlap are the proof that scripts are not atomic',
    'if (isDone) return false',
    'if (isDone) break',
  ),
  guard(
    'a script that came late shows nothing',
    'if (isServed && waitedUs < HANDOVER_US) apart++',
    'if (isServed) apart++',
  ),
  guard(
    'a script that may have waited for a thread shows nothing',
    'if (isServed && waitedUs < HANDOVER_US) apart++',
    'if (waitedUs < HANDOVER_US) apart++',
  ),
  guard('spans are compared in the order they began', 'spans.toSorted((a, b) => a.from - b.from)', 'spans'),
  guard(
    'scripts are not believed to be atomic without a connection for the proof',
    'return isGarnet ? !!acquire && runApart(acquire, call) : true',
    'return isGarnet && acquire ? runApart(acquire, call) : true',
  ),
  guard('a busy server is asked again how it runs scripts', 'end(isAtomic !== undefined)', 'end(true)'),
  check(
    'what was shown of scripts is kept, what was not is asked again',
    'if (!isAtomic) known = undefined',
    'known = undefined',
  ),
]
