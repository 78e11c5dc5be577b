/**
 * Takes out each guard of the package, one at a time, and checks that the simulation or the named unit tests fail without
 * it. Prints one line for each guard, and fails if nothing fails without one. `node test/mutants/run.ts tags` tries the guards
 * with `tags` in their names or in the names of their files. `--pins` runs nothing: it only checks that the text of every mutant
 * is in its file exactly once, and that the changed file is still a program.
 */
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { changed } from '../simulation/build.ts'
import { play } from '../simulation/play.ts'
import known from '../simulation/seeds.json' with { type: 'json' }
import { makeCopies, testFiles } from './copies.ts'
import { allMutants, type Mutant } from './mutants.ts'
import { type HowToRun, runFiles } from './run-files.ts'

/** Each mutant of the simulation fails under one of these seeds, or survives. */
const SEEDS = [...known, ...Array.from({ length: 300 }, (_, i) => i + 1)]
const AT_ONCE = 2
/** Twice as many, since tests wait for timers much of the time. */
const FILES_AT_ONCE = 2 * AT_ONCE
/** The most mutants that share a process, which keeps the modules of all it has run in memory. */
const BATCH = 40
/**
 * A lease that nobody releases ends after six seconds, and a call without a reply after five: a test that then passes, late, must
 * have failed before. A test that takes seconds by itself has a longer timeout in its file.
 */
const TIMEOUTS = { testTimeoutMs: 4000, fileTimeoutMs: 30_000 }

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

// A mutant whose text is no longer in its file is reported before anything runs.
for (const mutant of wanted) changed(readFileSync(join(root, mutant.file), 'utf8'), mutant)

/** Does `work` for each of `items`, for so many at once. */
async function each<T>(items: readonly T[], atOnce: number, work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items]
  const lane = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await work(item)
  }
  await Promise.all(Array.from({ length: atOnce }, lane))
}

const simulateAll = (list: readonly Mutant[]): Promise<void> =>
  each(list, AT_ONCE, async (mutant) => {
    const { failures } = await play(SEEDS, { threads: 1, change: mutant })
    tell(mutant, failures[0] && `seed ${failures[0].seed}: ${failures[0].fault}`)
  })

/** Throws if a test of `list` fails over the unchanged copy of the sources, within the time that the mutants get. */
async function checkUnchanged(list: readonly Mutant[], how: HowToRun): Promise<void> {
  const results = await runFiles(testFiles(how.folder, 'none', list), how)
  const failed = [...results].filter(([, { failure }]) => failure).map(([file]) => file)
  // Files share a process here, so one may have left a timer to the next. A real failure also shows when its file runs alone.
  for (const [file, { failure }] of await runFiles(failed, { ...how, filesAtOnce: 1 }))
    if (failure) throw new Error(`unchanged, ${relative(how.folder, file)} fails: ${failure.title}: ${failure.message}`)
}

/** Runs the tests of each mutant over its copy of the sources. */
async function testAll(list: readonly Mutant[]): Promise<void> {
  if (list.length === 0) return
  // Vitest names files by their real paths.
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'hither-mutants-')))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const how = { folder, vitest: join(root, 'node_modules/vitest/vitest.mjs'), filesAtOnce: FILES_AT_ONCE, ...TIMEOUTS }
  makeCopies(folder, list)
  await checkUnchanged(list, how)
  const copies = list.map((mutant, i) => ({ mutant, files: testFiles(folder, `m${i}`, [mutant]) }))
  const size = Math.min(BATCH, Math.ceil(copies.length / FILES_AT_ONCE))
  const batches = Array.from({ length: Math.ceil(copies.length / size) }, (_, i) =>
    copies.slice(i * size, (i + 1) * size),
  )
  await each(batches, FILES_AT_ONCE, async (batch) => {
    const all = batch.flatMap(({ files }) => files)
    const results = await runFiles(all, { ...how, filesAtOnce: 1 })
    for (const { mutant, files } of batch) {
      const [failure] = files.flatMap((file) => results.get(file)?.failure ?? [])
      tell(mutant, failure?.title)
    }
  })
}

for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1))
await testAll(wanted.filter(({ killedBy }) => killedBy !== 'simulation'))
await simulateAll(wanted.filter(({ killedBy }) => killedBy === 'simulation'))
// Again, where the end of a log shows them.
for (const { file, guard } of survivors) console.log(`SURVIVED ${file}: ${guard}`)
console.log(`mutants: ${wanted.length - survivors.length} of ${wanted.length} killed`)
process.exitCode = survivors.length > 0 ? 1 : 0
