import { readFileSync } from 'node:fs'

// Prints "<passed> <failed>" of a vitest JSON report. A run that ended early or ran nothing counts as a failure, and so
// does a test that is still to be written.
const report = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as {
  numPassedTests: number
  numFailedTests: number
  numTodoTests: number
  success: boolean
}
const failed = report.numFailedTests + report.numTodoTests || (report.success && report.numPassedTests > 0 ? 0 : 1)
console.log(report.numPassedTests, failed)
