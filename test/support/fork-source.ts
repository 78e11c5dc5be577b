import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const hooks = new URL('../../scripts/from-source.ts', import.meta.url).href

/** A process of its own that runs a file of this repository, unbuilt. */
export function forkSource(file: URL, ...args: readonly string[]): ChildProcess {
  return fork(fileURLToPath(file), args, { execArgv: ['--no-warnings', '--import', hooks] })
}
