import { describe, expect, it } from 'vitest'
import { type Files, type Node, parse, place, readFiles, walk } from './source.ts'

/** Most lines of a function. A factory counts with its closures. */
const FUNCTION_LINES = 150
/** Most lines of a file. */
const FILE_LINES = 350

/** Files that are longer, or have a longer function. The first comment of each must say why, with these words. */
const excused: Readonly<Record<string, string>> = {
  'src/gateway/command-table.ts': 'A line for each command of any server',
  'src/testing/contract.ts': 'One suite, read from top to bottom',
  'src/store/resp.ts': '`createParser` is one machine',
  'src/embedded/table-rows.ts': 'Written by scripts/embedded-table.ts',
}
/** Most parameters of a function. A function that needs more takes an object. */
const PARAMETERS = 4
/** Functions with one parameter more. They are called for every command or stored value, where an object would cost time. */
const excusedParameters = [
  'adapters/tcp/calls.ts: enter',
  'adapters/tcp/courier.ts: one',
  'src/near/bounded-map.ts: set',
]

/** The name of a function, or of what it is assigned to. */
function nameOf(node: Node | undefined): string | undefined {
  const name = (node?.id ?? node?.key) as { readonly name?: string } | null | undefined
  return name?.name
}

/** One line for each function that has too many parameters. */
function tooMany(files: Files): string[] {
  const found: string[] = []
  for (const { path, tree } of parse(files)) {
    walk(tree, (node, parents) => {
      if (!/^(Function|Arrow)/.test(node.type) || !Array.isArray(node.params)) return
      const own = (node.params as readonly Node[]).filter((each) => each.name !== 'this')
      if (own.length > PARAMETERS) found.push(`${path}: ${nameOf(node) ?? nameOf(parents.at(-1)) ?? 'a function'}`)
    })
  }
  return found
}

/** One line for each file and function that is too long. */
function tooLong(files: Files): string[] {
  const found: string[] = []
  const lines = (text = ''): number => text.trimEnd().split('\n').length
  for (const { path, tree } of parse(files)) {
    const text = files[path] ?? ''
    if (lines(text) > FILE_LINES) found.push(`${path}: ${lines(text)} lines`)
    walk(tree, (node) => {
      if (!/Function/.test(node.type) || typeof node.end !== 'number') return
      const length = lines(text.slice(node.start, node.end))
      if (length > FUNCTION_LINES) found.push(`${place(files, path, node)}: a function of ${length} lines`)
    })
  }
  return found
}

const files = readFiles('src/**/*.ts', 'adapters/**/*.ts', 'cli/**/*.ts')

describe('what is read at once', () => {
  const found = tooLong(files)
  const allowed = Object.keys(excused)
  it('is short enough to be read', () => {
    expect(found.filter((line) => !allowed.some((path) => line.startsWith(`${path}:`)))).toEqual([])
  })
  it('is excused only where it is longer, with its reason at the top of the file', () => {
    expect(allowed.filter((path) => !found.some((line) => line.startsWith(`${path}:`)))).toEqual([])
    for (const [path, reason] of Object.entries(excused)) expect(files[path]?.slice(0, 400)).toContain(reason)
  })
  it('takes four parameters at the most, but for what is called for every command', () => {
    expect(tooMany(files)).toEqual(excusedParameters)
  })
  it('is refused with a fifth', () => {
    expect(tooMany({ 'src/a.ts': 'function f(this: T, a, b, c, d) {}' })).toEqual([])
    expect(tooMany({ 'src/a.ts': 'const f = (a, b, c, d, e) => a' })).toEqual(['src/a.ts: f'])
    expect(tooMany({ 'src/a.ts': 'const o = { m(a, b, c, d, { e }) {} }' })).toEqual(['src/a.ts: m'])
    expect(tooMany({ 'src/a.ts': 'class C { m(a, b, c, d, e = 1) {} }' })).toEqual(['src/a.ts: m'])
  })
  it('is refused otherwise', () => {
    const body = (lines: number): string => `function f() {\n${'  g()\n'.repeat(lines)}}\n`
    expect(tooLong({ 'src/a.ts': body(148) })).toEqual([])
    expect(tooLong({ 'src/a.ts': body(149) })).toEqual(['src/a.ts:1: a function of 151 lines'])
    expect(tooLong({ 'src/a.ts': `const f = () => {\n${'  g()\n'.repeat(149)}}` })).toHaveLength(1)
    expect(tooLong({ 'src/a.ts': 'g()\n'.repeat(351) })).toEqual(['src/a.ts: 351 lines'])
  })
})
