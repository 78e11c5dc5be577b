import { describe } from 'vitest'

/**
 * A suite that runs in parallel with the other suites made by this function, at most `maxConcurrency` at once, while its own
 * tests run one after another. For suites that mostly wait and share nothing.
 */
export function besideOthers(name: string, tests: () => void): void {
  describe.concurrent('', () => {
    describe(name, { concurrent: false }, tests)
  })
}
