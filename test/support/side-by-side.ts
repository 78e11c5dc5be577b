import { describe } from 'vitest'

/**
 * A suite that runs beside its neighbours made by this function, at most `maxConcurrency` of them at once, while its own
 * tests run one after another. For suites that wait most of their time and share nothing.
 */
export function besideOthers(name: string, tests: () => void): void {
  describe.concurrent('', () => {
    describe(name, { concurrent: false }, tests)
  })
}
