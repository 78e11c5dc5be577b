// Runs the suite of test/http/cache-tests against a cache, and prints the outcome of each test as JSON.
import { getResults, runTests } from '../cache-tests/test-engine/client/runner.mjs'
import { determineTestResult, resultTypes } from '../cache-tests/test-engine/lib/results.mjs'
import suites from '../cache-tests/tests/index.mjs'

const [base, chunk = '100', only] = process.argv.slice(2)
const chosen = suites.map((suite) => ({ ...suite, tests: suite.tests.filter(({ id }) => !only || id.match(only)) }))
await runTests(chosen, false, base, Number(chunk))
const results = getResults()
const names = Object.keys(resultTypes)
const outcomes = chosen.flatMap((suite) =>
  suite.tests
    .filter(({ id }) => id in results)
    .map(({ id, kind = 'required' }) => {
      const type = determineTestResult(suites, id, results, !only)
      const outcome = names.find((name) => resultTypes[name] === type)
      return { suite: suite.name, id, kind, outcome, reason: results[id] === true ? '' : results[id][1] }
    }),
)
console.log(JSON.stringify(outcomes))
