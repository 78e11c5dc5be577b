import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** Arguments of `node` with which the package's own names mean the sources: nothing needs to be built. */
export const onSources: readonly string[] = [
  '--no-warnings',
  '--import',
  new URL('../../scripts/from-source.ts', import.meta.url).href,
]

/** Runs a file of this repository in a separate process, unbuilt. */
export function forkSource(file: URL, ...args: readonly string[]): ChildProcess {
  return fork(fileURLToPath(file), args, { execArgv: [...onSources] })
}
