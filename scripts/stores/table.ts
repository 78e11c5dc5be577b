/** Reads and writes the text between the markers of docs/stores.md. */
import { ruled } from './rules.ts'

export const START: string = '<!-- stores: written by `npm run stores`, which runs each of these systems -->'
export const END: string = '<!-- /stores -->'

/** For each system, by its name, the cells by column. */
export type Rows = ReadonlyMap<string, Readonly<Record<string, string>>>

const WORKS_TITLE = 'system'
const LIMITS_TITLE = 'its limits'

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`

function table(title: string, columns: readonly string[], rows: Rows): string {
  const body = [...rows].map(([name, cells]) => line([name, ...columns.map((column) => cells[column] ?? '')]))
  return [line([title, ...columns]), `|${'---|'.repeat(columns.length + 1)}`, ...body].join('\n')
}

/** The rows of systems that were run, then those of systems by their rules. */
function withRuled(rows: Rows): Rows {
  const all = new Map(rows)
  for (const { name, like } of ruled) {
    const cells = rows.get(like ?? `${name}, by rules`)
    if (!cells) throw new Error(`${name} has no row`)
    all.delete(`${name}, by rules`)
    all.set(`${name}, by rules`, { ...cells, version: '' })
  }
  return all
}

export function render(works: readonly string[], limits: readonly string[], rows: Rows): string {
  const all = withRuled(rows)
  const rules = ruled.map(({ name, run, rule, answer, sources }) =>
    line([name, rule, answer, run, sources.map((source, i) => `[${i + 1}](${source})`).join(', ')]),
  )
  return [
    table(WORKS_TITLE, works, all),
    table(LIMITS_TITLE, limits, all),
    'A row "by rules" is not of that system, which cannot be run here. It is of another server that refuses what that system refuses:',
    [
      line(['by rules', 'the rule', 'why hither works under it', 'what was run', 'source']),
      '|---|---|---|---|---|',
      ...rules,
    ].join('\n'),
  ].join('\n\n')
}

/** The rows of both tables on a page. */
export function parse(page: string): Rows {
  const rows = new Map<string, Record<string, string>>()
  let columns: readonly string[] | undefined
  for (const text of between(page).split('\n')) {
    const [name = '', ...cells] = text.startsWith('|') ? text.slice(2, -2).split(' | ') : []
    if (name === WORKS_TITLE || name === LIMITS_TITLE) columns = cells
    else if (text === '' || !text.startsWith('|')) columns = undefined
    else if (columns && !/^-/.test(name)) {
      const row = rows.get(name) ?? {}
      columns.forEach((column, i) => {
        row[column] = cells[i] ?? ''
      })
      rows.set(name, row)
    }
  }
  return rows
}

function places(page: string): readonly [number, number] {
  const [start, end] = [page.indexOf(START), page.indexOf(END)]
  if (start < 0 || end < start) throw new Error('docs/stores.md has no markers')
  return [start + START.length, end]
}

const between = (page: string): string => page.slice(...places(page))

export function replace(page: string, text: string): string {
  const [start, end] = places(page)
  return `${page.slice(0, start)}\n\n${text}\n\n${page.slice(end)}`
}
