import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/** Arguments of `node` by which imports of the package's own names resolve to the sources, so that no build is needed. */
export const onSources: readonly string[] = [
  '--no-warnings',
  '--import',
  new URL('../../scripts/from-source.ts', import.meta.url).href,
]

/** Runs a file of this repository in a separate process, on the sources. */
export function forkSource(file: URL, ...args: readonly string[]): ChildProcess {
  return fork(fileURLToPath(file), args, { execArgv: [...onSources] })
}
