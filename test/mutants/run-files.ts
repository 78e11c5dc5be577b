import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { Progress } from './progress.ts'

type Ended = NonNullable<Progress['ended']>
export type Results = ReadonlyMap<string, Ended>

export interface HowToRun {
  /** The Vitest project, as `makeCopies` makes it. */
  readonly folder: string
  /** The file of Vitest's command. */
  readonly vitest: string
  /** Milliseconds after which a test fails. */
  readonly testTimeoutMs: number
  /** Milliseconds after which a file counts as one that never ends: a loop that never waits stops the timeouts of its tests too. */
  readonly fileTimeoutMs: number
  readonly filesAtOnce: number
}

const NEVER_ENDS: Ended = { failure: { title: 'it never ends', message: '' } }

/** Runs Vitest over `files` until all have ended, or one of them never does: the result has those that ended, and that one. */
function runOnce(files: readonly string[], how: HowToRun): Promise<Map<string, Ended>> {
  const limits = ['--maxWorkers', `${how.filesAtOnce}`, '--testTimeout', `${how.testTimeoutMs}`]
  // Where CI is set, Vitest takes `it.only` for a mistake unless it is allowed.
  const args = [
    how.vitest,
    'run',
    '--root',
    how.folder,
    '--reporter',
    join(how.folder, 'progress.ts'),
    '--allowOnly',
    '--no-isolate',
    ...limits,
    ...files,
  ]
  const stdio = ['ignore', 'ignore', 'inherit', 'ipc'] satisfies ['ignore', 'ignore', 'inherit', 'ipc']
  // Its workers are in its process group, so that they can all be killed.
  // A mutant may give thousands of warnings.
  const env = { ...process.env, NODE_NO_WARNINGS: '1' }
  const child = spawn(process.execPath, args, { cwd: how.folder, env, stdio, detached: true })
  const kill = (): void => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL')
  }
  const begun = new Map<string, number>()
  const results = new Map<string, Ended>()
  child.on('message', ({ file, ended }: Progress) => {
    if (ended) results.set(file, ended)
    else begun.set(file, performance.now())
  })
  const watch = setInterval(() => {
    const late = [...begun].filter(([file, at]) => !results.has(file) && performance.now() - at > how.fileTimeoutMs)
    for (const [file] of late) results.set(file, NEVER_ENDS)
    if (late.length > 0) kill()
  }, 1000)
  process.once('exit', kill)
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', () => {
      clearInterval(watch)
      process.off('exit', kill)
      resolve(results)
    })
  })
}

/** Runs test files of the project, and gives the result of each by its path. */
export async function runFiles(files: readonly string[], how: HowToRun): Promise<Results> {
  const results = new Map<string, Ended>()
  for (let left = files; left.length > 0; ) {
    const ended = await runOnce(left, how)
    // What Vitest did not come to, because it was killed, runs again.
    if (ended.size === 0) throw new Error(`Vitest ended before it had run ${left[0]} and ${left.length - 1} more`)
    for (const [file, result] of ended) results.set(file, result)
    left = left.filter((file) => !results.has(file))
  }
  return results
}
