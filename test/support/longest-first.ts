import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** The files that take longest, mostly to wait. The sooner they begin, the less other workers wait for them at the end. */
const LONGEST = [
  'test/http/suite.test.ts',
  'test/conformance/doctor.test.ts',
  'test/examples/node-server.test.ts',
  'test/wire/gateway-answers.test.ts',
  'test/runtimes/requests/requests.test.ts',
  'test/conformance/lock.test.ts',
  'test/faults/memcached-nats.test.ts',
  'test/examples/docs.test.ts',
  'test/unit/cli.test.ts',
  'test/conformance/migrate-cli.test.ts',
  'test/faults/state.test.ts',
  'test/examples/page.test.ts',
  'test/conformance/memcached.test.ts',
  'test/faults/lock.test.ts',
]

/** Sorts the longest files first, and leaves the others in Vitest's order. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const found = LONGEST.findIndex((path) => moduleId.endsWith(`/${path}`))
      return found < 0 ? LONGEST.length : found
    }
    return (await super.sort(files)).toSorted((a, b) => place(a) - place(b))
  }
}
