import { describe, expect, it } from 'vitest'
import { type Files, parse, place, readFiles, walk } from './source.ts'

/** Most lines of a function, a factory with its closures included. */
const FUNCTION_LINES = 150
/** Most lines of a file. */
const FILE_LINES = 350

/** Files that are longer, or hold a longer function. The first comment of each says why, with these words. */
const excused: Readonly<Record<string, string>> = {
  'src/gateway/command-table.ts': 'A line for each command of any server',
  'src/testing/contract.ts': 'One suite, read from top to bottom',
  'src/store/resp.ts': '`createParser` is one machine',
  'src/embedded/table-rows.ts': 'Written by scripts/embedded-table.ts',
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
  it('is refused otherwise', () => {
    const body = (lines: number): string => `function f() {\n${'  g()\n'.repeat(lines)}}\n`
    expect(tooLong({ 'src/a.ts': body(148) })).toEqual([])
    expect(tooLong({ 'src/a.ts': body(149) })).toEqual(['src/a.ts:1: a function of 151 lines'])
    expect(tooLong({ 'src/a.ts': `const f = () => {\n${'  g()\n'.repeat(149)}}` })).toHaveLength(1)
    expect(tooLong({ 'src/a.ts': 'g()\n'.repeat(351) })).toEqual(['src/a.ts: 351 lines'])
  })
})
