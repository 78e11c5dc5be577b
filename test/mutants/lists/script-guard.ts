import { type Mutant, of } from '../mutants.ts'

const BY = ['script-guard.test.ts']
const guard = of('src/store/script-guard.ts', BY)
const check = of('src/gateway/script-check.ts', BY)

export const mutants: readonly Mutant[] = [
  guard(
    'two rounds are needed to believe that scripts are atomic',
    'return apart === 2 || undefined',
    'return apart > 0 || undefined',
  ),
  guard(
    'two scripts that overlap are the proof that scripts are not atomic',
    'if (isDone) return false',
    'if (isDone) break',
  ),
  guard('a script that came late shows nothing', 'if (waitedUs < HANDOVER_US) apart++', 'apart++'),
  guard('spans are compared in the order they began', 'spans.toSorted(([a = 0], [b = 0]) => a - b)', 'spans'),
  guard(
    'scripts are not believed to be atomic without a connection for the proof',
    'const isAtomic = isGarnet ? acquire && (await runApart(acquire, call)) : true',
    'const isAtomic = isGarnet && acquire ? await runApart(acquire, call) : true',
  ),
  guard(
    'a busy server is asked again how it runs scripts',
    'proof = undefined\n    return',
    'proof ??= undefined\n    return',
  ),
  check(
    'what was shown of scripts is kept, what was not is asked again',
    'if (!isAtomic) known = undefined',
    'known = undefined',
  ),
]
