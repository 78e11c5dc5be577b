/**
 * Takes out each guard of the package, one at a time, and checks that the simulation or the named unit tests fail without
 * it. Prints one line for each guard, and fails if nothing fails without one. `node test/mutants/run.ts tags` tries the guards
 * with `tags` in their names or in the names of their files. `--pins` runs nothing: it only checks that the text of every mutant
 * is in its file exactly once, and that the changed file is still a program.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { changed } from '../simulation/build.ts'
import { play } from '../simulation/play.ts'
import known from '../simulation/seeds.json' with { type: 'json' }
import { makeCopies } from './copies.ts'
import { allMutants, type Mutant } from './mutants.ts'

/** Each mutant of the simulation fails under one of these seeds, or survives. */
const SEEDS = [...known, ...Array.from({ length: 300 }, (_, i) => i + 1)]
const AT_ONCE = 2
/** Twice as many, since tests wait for timers much of the time. */
const FILES_AT_ONCE = 2 * AT_ONCE

const root = fileURLToPath(new URL('../..', import.meta.url))
if (process.argv[2] === '--pins') {
  const all = await allMutants()
  const isProgram = (text: string): boolean => {
    try {
      return stripTypeScriptTypes(text) !== ''
    } catch {
      return false
    }
  }
  const lost = all.filter(({ file, find, replace }) => {
    const path = join(root, file)
    const [before, after, ...more] = existsSync(path) ? readFileSync(path, 'utf8').split(find) : []
    return after === undefined || more.length > 0 || !isProgram(before + replace + after)
  })
  for (const { file, guard, find } of lost)
    console.log(`NOT ONCE, or no program without it: ${file}: ${guard} — ${find}`)
  console.log(`pins: ${all.length - lost.length} of ${all.length} are in their files`)
  process.exit(lost.length > 0 ? 1 : 0)
}
const part = process.argv[2] ?? ''
const wanted = (await allMutants()).filter(({ guard, file }) => guard.includes(part) || file.includes(part))
const survivors: Mutant[] = []
const tell = (mutant: Mutant, by: string | undefined): void => {
  if (by === undefined) survivors.push(mutant)
  console.log(`${by === undefined ? 'SURVIVED' : 'killed  '} ${mutant.file}: ${mutant.guard}${by ? ` — ${by}` : ''}`)
}

interface Result {
  readonly name: string
  readonly status: string
  readonly assertionResults: readonly {
    readonly status: string
    readonly title: string
    /** Milliseconds; absent if it did not run. */
    readonly duration?: number | null
    readonly failureMessages?: readonly string[]
  }[]
}

// A mutant whose text is no longer in its file is reported before anything runs.
for (const mutant of wanted) changed(readFileSync(join(root, mutant.file), 'utf8'), mutant)

async function simulateAll(list: readonly Mutant[]): Promise<void> {
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < list.length) {
      const mutant = list[next++] as Mutant
      const { failures } = await play(SEEDS, { threads: 1, change: mutant })
      tell(mutant, failures[0] && `seed ${failures[0].seed}: ${failures[0].fault}`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
}

/** Runs test files of the Vitest project in `folder`, all of them by default. */
function run(folder: string, timeoutMs: number, ...which: readonly string[]): readonly Result[] {
  const output = join(folder, 'report.json')
  // Where CI is set, vitest takes `it.only` for a mistake unless it is allowed.
  const how = ['run', '--root', folder, '--allowOnly', '--no-isolate', '--maxWorkers', `${FILES_AT_ONCE}`]
  const report = ['--testTimeout', `${timeoutMs}`, '--reporter', 'json', '--outputFile', output]
  const args = [join(root, 'node_modules/vitest/vitest.mjs'), ...how, ...report, ...which]
  spawnSync(process.execPath, args, { cwd: folder, stdio: ['ignore', 'ignore', 'inherit'] })
  return (JSON.parse(readFileSync(output, 'utf8')) as { testResults: readonly Result[] }).testResults
}

/** Runs the tests over an unchanged copy of the sources, and then over one copy for each mutant, all in one run. */
function testAll(list: readonly Mutant[]): void {
  if (list.length === 0) return
  const folder = mkdtempSync(join(tmpdir(), 'hither-mutants-'))
  try {
    makeCopies(folder, list)
    const failures = (results: readonly Result[], name: string): string[] =>
      results
        .filter((file) => relative(folder, file.name).startsWith(`${name}/`))
        .flatMap((file) => {
          const failed = file.assertionResults
            .filter(({ status }) => status === 'failed')
            .map(({ title, failureMessages = [] }) => `${title}${name === 'none' ? `: ${failureMessages[0]}` : ''}`)
          return failed.length === 0 && file.status === 'failed' ? ['an error outside every test'] : failed
        })
    // The unchanged copy runs by itself: a mutant that never ends would hold it up.
    let sound = run(folder, 30_000, 'none/')
    const slowestMs = Math.max(...sound.flatMap((file) => file.assertionResults.map(({ duration }) => duration ?? 0)))
    const failed = sound.filter(({ status }) => status === 'failed').map(({ name }) => relative(folder, name))
    // Files share a process here, so one may have left a timer to the next. A real failure also shows when its file runs alone.
    if (failed.length > 0) sound = run(folder, 60_000, ...failed)
    const unchanged = failures(sound, 'none')
    if (unchanged.length > 0) throw new Error(`unchanged, this fails: ${unchanged.join(', ')}`)
    // A test that is merely slow, as all are where the machine is busy, must not count as one that fails. Nor may one that hangs take long.
    const timeoutMs = Math.min(Math.max(4000, 3 * slowestMs), 8000)
    const results = run(folder, timeoutMs, '--exclude', 'none/**')
    for (const [i, mutant] of list.entries()) tell(mutant, failures(results, `m${i}`)[0])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

testAll(wanted.filter(({ killedBy }) => killedBy !== 'simulation'))
await simulateAll(wanted.filter(({ killedBy }) => killedBy === 'simulation'))
console.log(`mutants: ${wanted.length - survivors.length} of ${wanted.length} killed`)
process.exitCode = survivors.length > 0 ? 1 : 0
