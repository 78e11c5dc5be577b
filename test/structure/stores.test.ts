import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { ruled } from '../../scripts/stores/rules.ts'
import { END, parse, render, replace, START } from '../../scripts/stores/table.ts'

const page = readFileSync(new URL('../../docs/stores.md', import.meta.url), 'utf8')
const name = 'Redis 7, `hither/tcp`'

// `npm run stores -- --check` starts the systems. Here only the form is checked: the page must be what a run writes from its cells.
describe('the tables of docs/stores.md', () => {
  it('are as a run writes them, with every rule', () => {
    const rows = parse(page)
    const columns = Object.keys(rows.get(name) ?? {})
    const at = columns.indexOf('version')
    expect(at).toBeGreaterThan(0)
    expect(replace(page, render(columns.slice(0, at), columns.slice(at), rows))).toBe(page)
    for (const { name } of ruled) expect(rows.has(`${name}, by rules`)).toBe(true)
  })
  it('have no cell that a run failed at', () => {
    for (const [system, cells] of parse(page))
      for (const [column, cell] of Object.entries(cells))
        if (column !== 'version') expect(`${system}, ${column}: ${cell}`).toMatch(/: (?!FAILED)./)
  })
  it('are found again, cell by cell', () => {
    const rows = new Map([...parse(page)].map(([name], i) => [name, { a: `a${i}`, b: '', version: '' }] as const))
    expect(parse(replace(`x ${START} y ${END} z`, render(['a', 'b'], ['version'], rows))).get(name)).toEqual({
      a: 'a0',
      b: '',
      version: '',
    })
    expect(() => parse('no markers')).toThrow('no markers')
  })
})
