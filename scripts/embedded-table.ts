/**
 * Writes `src/embedded/table-rows.ts`: a row for each command of Redis 8, as a server of that version reports it, and for the
 * JSON commands, which that server lacks. Also writes `src/embedded/help-texts.ts`: the replies to HELP of its commands with
 * subcommands.
 *
 *   node scripts/embedded-table.ts          starts a server, asks it, and writes the files
 */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import { startServer } from './servers.ts'

type Nested = string | number | readonly Nested[]

const HEAD = `// Written by scripts/embedded-table.ts, which asks a Redis 8. Do not edit; table.ts says how a row is read.
export const TABLE_ROWS: string = `

const HELP_HEAD = `// Written by scripts/embedded-table.ts, which asks a Redis 8. Do not edit; families/help.ts says how it is read.
export const HELP_TEXTS: string = `

/** The value of a name in a flat list of names and values. */
const field = (list: Nested, name: string): Nested | undefined => {
  const items = list as readonly Nested[]
  for (let i = 0; i < items.length; i += 2) if (items[i] === name) return items[i + 1]
  return undefined
}

/** A key specification as text, such as `RO,access@1=0:1:0`: the flags, the place of the first key, and how to find the rest. */
function keySpec(spec: Nested): string {
  const [begin, find] = ['begin_search', 'find_keys'].map((name) => field(spec, name) as Nested)
  const start = field(begin as Nested, 'spec') as Nested
  const count = field(find as Nested, 'spec') as Nested
  const kind = field(begin as Nested, 'type')
  const at = kind === 'index' ? field(start, 'index') : `${field(start, 'keyword')}/${field(start, 'startfrom')}`
  const one = (name: string): unknown => field(count, name)
  const how =
    field(find as Nested, 'type') === 'range'
      ? `=${one('lastkey')}:${one('keystep')}:${one('limit')}`
      : field(find as Nested, 'type') === 'keynum'
        ? `#${one('keynumidx')}:${one('firstkey')}:${one('keystep')}`
        : ''
  const flags = (field(spec, 'flags') as string[]).join(',')
  return kind === 'unknown' ? `${flags}@?` : `${flags}@${at}${how}`
}

const list = (items: Nested): string => (items as string[]).join(',') || '-'

function rows(info: Nested, docs: Nested): string[] {
  const [name, arity, flags, , , , categories, tips, specs, children] = info as readonly Nested[]
  const text = (part: string): string => String(field(docs, part) ?? '')
  const keys = (specs as Nested[]).map(keySpec).join(' ') || '-'
  const row = [name, arity, list(flags as Nested), list(categories as Nested), list(tips as Nested), keys]
  const inner = (field(docs, 'subcommands') ?? []) as Nested
  const below = (children as Nested[]).flatMap((child) => {
    const childName = (child as Nested[])[0] as string
    return rows(child, field(inner, childName) ?? [])
  })
  return [[...row, text('group'), text('since'), text('summary')].join('|').replaceAll('container|', '/'), ...below]
}

const JSON_ROWS = `
json.arrappend|-4|write,denyoom|Appends values to arrays
json.arrindex|-4|readonly|Finds a value in arrays
json.arrinsert|-5|write,denyoom|Inserts values into arrays
json.arrlen|-2|readonly|Returns the lengths of arrays
json.arrpop|-2|write|Removes and returns elements of arrays
json.arrtrim|5|write|Keeps a range of arrays
json.clear|-2|write|Empties containers and zeroes numbers
json.del|-2|write|Deletes values
json.forget|-2|write|Deletes values
json.get|-2|readonly|Returns values as text
json.merge|4|write,denyoom|Merges a value into others
json.mget|-3|readonly|Returns a path of several keys
json.mset|-4|write,denyoom|Sets values of several keys
json.numincrby|4|write,denyoom|Adds to numbers
json.nummultby|4|write,denyoom|Multiplies numbers
json.objkeys|-2|readonly|Returns the names of objects
json.objlen|-2|readonly|Returns the sizes of objects
json.resp|-2|readonly|Returns values as replies
json.set|-4|write,denyoom|Sets a value
json.strappend|-3|write,denyoom|Appends to strings
json.strlen|-2|readonly|Returns the lengths of strings
json.toggle|3|write|Turns booleans round
json.type|-2|readonly|Returns the types of values`

function jsonRow(row: string): string {
  const [name = '', arity, flags = '', summary] = row.split('|')
  const key = name === 'json.mget' ? '1=-2:1:0' : name === 'json.mset' ? '1=-1:3:0' : '1=0:1:0'
  const access = flags === 'readonly' ? 'RO,access' : 'RW,access,update'
  const categories = flags === 'readonly' ? '@read,@json,@slow' : '@write,@json,@slow'
  return [name, arity, flags, categories, '-', `${access}@${key}`, 'json', '1.0.0', summary].join('|')
}

const server = await startServer('redis8')
const client = new Redis(server.url)
const info = (await client.call('COMMAND')) as Nested[]
const docs = (await client.call('COMMAND', 'DOCS')) as Nested
/** Commands whose HELP is left out: they serve those who work on Redis itself, or need a cluster. */
const isSilent = (name: string): boolean => /^(cluster|debug|latency|module)$/.test(name)
const containers = info.flatMap((one) => {
  const [name, , , , , , , , , children] = one as Nested[]
  const names = (children as Nested[]).map((child) => (child as string[])[0])
  return names.includes(`${name}|help`) && !isSilent(name as string) ? [name as string] : []
})
const helps: string[] = []
for (const name of containers.sort()) {
  const lines = (await client.call(name, 'HELP')) as string[]
  // The first line and the two about HELP itself are the same for every command.
  helps.push([name, ...lines.slice(1, -2)].join('\n'))
}
client.disconnect()
await server.stop()
const known = info.filter((one) => !/^V[A-Z]+$/.test((one as string[])[0] as string))
const all = known.flatMap((one) => rows(one, field(docs, (one as string[])[0] as string) ?? []))
const text = [...all.sort(), ...JSON_ROWS.trim().split('\n').map(jsonRow)].join('\n')
const quoted = (content: string): string => `\`\n${content.replace(/[`\\]/g, '\\$&')}\n\`\n`
const write = (name: string, content: string): void =>
  writeFileSync(fileURLToPath(new URL(`../src/embedded/${name}.ts`, import.meta.url)), content)
write('table-rows', HEAD + quoted(text))
write('help-texts', HELP_HEAD + quoted(helps.join('\n\n')))
console.log(`${all.length} rows of ${known.length} commands`)
