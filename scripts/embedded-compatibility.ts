/**
 * Writes the table of commands in `docs/embedded.md`: which ones Redis 8 has, which ones the engine has, and how often a run of
 * random histories compared the two.
 *
 *   node --import ./scripts/from-source.ts scripts/embedded-compatibility.ts [TOTAL]
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { lua } from '../adapters/lua/index.ts'
import { Engine } from '../src/embedded/index.ts'
import { TABLE_ROWS } from '../src/embedded/table-rows.ts'
import { comparable, compare } from '../test/embedded/support/compare.ts'
import { readGrammars } from '../test/embedded/support/grammar.ts'
import { startServer } from './servers.ts'

const MARK = '<!-- commands: written by scripts/embedded-compatibility.ts -->'
const total = Number(process.argv[2] ?? 100_000)

const server = await startServer('redis8', { args: ['--hz', '500'] })
const engine = new Engine({ lua })
const grammars = comparable(await readGrammars(server.url), engine)
const { commands, differences, perCommand } = await compare(server.url, engine, grammars, { seed: 1, total })
await server.stop()

const groups = new Map<string, string[]>()
const absent: string[] = []
for (const row of TABLE_ROWS.trim().split('\n')) {
  const cells = row.split('|')
  if (!/^-?\d+$/.test(cells[1] as string)) continue
  const name = (cells[0] as string).toUpperCase()
  if (!engine.table.has(cells[0] as string)) {
    absent.push(name)
    continue
  }
  const group = cells[6] as string
  const count = perCommand.get(name)
  groups.set(group, [...(groups.get(group) ?? []), count ? `${name} (${count})` : name])
}
engine.close()
const lines = [...groups].sort().map(([group, names]) => `| ${group} | ${names.join(', ')} |`)
const text = `${MARK}

In the run that wrote this table ${commands.toLocaleString('en')} commands were compared; ${differences.length} replies differed. Behind a
command stands how often it was compared; one without a number has tests of its own, or none.

| group | commands |
|---|---|
${lines.join('\n')}
| absent | ${absent.join(', ')} |
`
const file = fileURLToPath(new URL('../docs/embedded.md', import.meta.url))
const page = readFileSync(file, 'utf8')
writeFileSync(file, page.slice(0, page.indexOf(MARK)) + text)
console.log(`${commands} commands compared, ${differences.length} differences`)
for (const { args, engine: own, redis } of differences) console.log(JSON.stringify({ args, own, redis }))
