/**
 * Starts each system and tries out what a store over it can do. The results are the tables of `docs/stores.md`.
 *
 *   npm run stores                     writes the tables
 *   npm run stores -- --check          fails if the page differs, except for the versions
 *   npm run stores -- --only PART      runs the systems with this in their names, and leaves the other rows as they are
 *
 * A system whose program is not on this machine keeps its row, and what to install is printed.
 */
import { randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { find, recipes } from './servers/find.ts'
import { isRefusal, LIMITS, type Probe, WORKS } from './stores/probes.ts'
import { type System, systems } from './stores/systems.ts'
import { parse, render, replace } from './stores/table.ts'

const file = fileURLToPath(new URL('../docs/stores.md', import.meta.url))
const check = process.argv.includes('--check')
const onlyAt = process.argv.indexOf('--only')
const only = onlyAt < 0 ? '' : (process.argv[onlyAt + 1] ?? '')
const failures: string[] = []

async function cell(probe: Probe, trial: Parameters<Probe>[0]): Promise<string> {
  try {
    return await probe(trial)
  } catch (error) {
    if (isRefusal(error)) return 'no'
    throw error
  }
}

/** The cells of a system, by column. Rejects if the system does not start. */
async function rowOf(system: System, version: string): Promise<Record<string, string>> {
  const { store, another, usesWatch, close } = await system.open()
  const row: Record<string, string> = { version }
  try {
    await store.ready()
    for (const [column, probe] of Object.entries({ ...WORKS, ...LIMITS })) {
      const namespace = `stores-${randomBytes(4).toString('hex')}`
      row[column] = await cell(probe, {
        store,
        namespace,
        ...(another ? { another } : {}),
        ...(usesWatch ? { usesWatch } : {}),
      }).catch((error: unknown) => {
        failures.push(`${system.name}: ${column}: ${error instanceof Error ? error.message : String(error)}`)
        return 'FAILED'
      })
    }
  } finally {
    await close()
  }
  return row
}

const page = readFileSync(file, 'utf8')
const stored = parse(page)
const rows = new Map<string, Record<string, string>>()
const absent: string[] = []
for (const system of systems) {
  const startedAt = performance.now()
  const { name, program } = system
  const known = stored.get(name)
  if (!name.includes(only)) {
    if (known) rows.set(name, { ...known })
    continue
  }
  const found = program && (await find(program))
  if (program && !found) {
    if (known) rows.set(name, { ...known })
    absent.push(
      `${name}: left as it is. To run it: ${recipes[program].wanted}, or node scripts/servers.ts install ${program}`,
    )
    continue
  }
  const row: Record<string, string> = await rowOf(system, found?.version ?? '').catch((error: unknown) => {
    failures.push(`${name}: ${error instanceof Error ? error.message : String(error)}`)
    return {}
  })
  rows.set(name, row)
  console.error(`${name}: ${((performance.now() - startedAt) / 1000).toFixed(1)} s`)
}
for (const text of absent) console.log(text)
for (const text of failures) console.error(`FAILED: ${text}`)

const columns = [Object.keys(WORKS), ['version', ...Object.keys(LIMITS)]] as const
if (check) for (const [name, row] of rows) row.version = stored.get(name)?.version ?? ''
const written = replace(page, render(...columns, rows))
if (failures.length > 0) process.exitCode = 1
else if (!check) writeFileSync(file, written)
else if (written !== page) {
  console.error('docs/stores.md does not say what this run found: npm run stores')
  process.exitCode = 1
}
console.log(
  `${rows.size - absent.length} systems run, ${absent.length} not on this machine, ${failures.length} failures`,
)
