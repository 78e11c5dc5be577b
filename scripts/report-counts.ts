import { readFileSync } from 'node:fs'

// Prints "<passed> <failed>" of a vitest JSON report. A run that ended early or ran nothing counts as a failure.
const report = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as {
  numPassedTests: number
  numFailedTests: number
  numFailedTestSuites: number
  success: boolean
}
const failed = report.numFailedTests || (report.success && report.numPassedTests > 0 ? 0 : 1)
console.log(report.numPassedTests, failed)
