import { readFileSync } from 'node:fs'

interface Assertion {
  readonly fullName: string
  readonly status: string
  readonly failureMessages: readonly string[]
}

// Prints "<passed> <failed>" of a vitest JSON report, and a line for each test or file that failed. A run that ended early or
// ran no test counts as a failure, and so does a todo test.
const report = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as {
  numPassedTests: number
  numFailedTests: number
  numTodoTests: number
  success: boolean
  testResults: { name: string; status: string; assertionResults: Assertion[] }[]
}
const failed = report.numFailedTests + report.numTodoTests || (report.success && report.numPassedTests > 0 ? 0 : 1)
console.log(report.numPassedTests, failed)
for (const { name, status, assertionResults } of report.testResults) {
  const file = name.slice(name.lastIndexOf('/test/') + 1)
  const bad = assertionResults.filter((test) => test.status === 'failed')
  for (const { fullName, failureMessages } of bad)
    console.log(`${file}: ${fullName}: ${failureMessages[0]?.split('\n', 1)[0]?.slice(0, 500)}`)
  if (status === 'failed' && bad.length === 0) console.log(`${file}: the file itself`)
}
