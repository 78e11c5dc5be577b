/**
 * Keeps every figure in the documents equal to what a command printed.
 *
 *   node scripts/figures.ts record sizes bench:ioredis   runs each command and writes its tables into bench/README.md
 *   node scripts/figures.ts write                        copies figures from there into the documents
 *   node scripts/figures.ts check                        fails if a document differs, or a size has changed by over 1 %
 *
 * In bench/README.md ("the book") the tables of a command are between `<!-- begin bench:ioredis -->` and `<!-- end -->`. In
 * other documents a figure is `<!-- bench:ioredis ~ get, 64 callers ~ ratio -->3.2<!-- / -->`: the command, the first cell of
 * the row (the first such row counts), and the head of the column. `KB` after the column divides by 1,000.
 */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const BOOK = 'bench/README.md'
const read = (file: string): string => readFileSync(root + file, 'utf8')

/** Cells of a table row, trimmed. */
const cellsOf = (line: string): string[] =>
  line
    .slice(1, -1)
    .split('|')
    .map((cell) => cell.trim())

/** The figures that a command printed, by the first cell of the row and the head of the column. The first such row counts. */
function figuresOf(text: string): Map<string, Map<string, string>> {
  const rows = new Map<string, Map<string, string>>()
  let head: string[] | undefined
  for (const line of text.split('\n')) {
    if (!line.startsWith('|')) {
      head = undefined
      continue
    }
    const cells = cellsOf(line)
    if (!head) head = cells
    else if (!/^:?-+:?$/.test(cells[0] ?? '')) {
      const row = new Map(head.map((name, i) => [name, cells[i] ?? '']))
      if (!rows.has(cells[0] ?? '')) rows.set(cells[0] ?? '', row)
    }
  }
  return rows
}

function sectionOf(book: string, command: string): string {
  const section = new RegExp(`<!-- begin ${command} -->\\n([\\s\\S]*?)<!-- end -->`).exec(book)?.[1]
  if (section === undefined) throw new Error(`${BOOK} has no section of ${command}`)
  return section
}

/** The figure that `command ~ row ~ column` names, in the form in which documents show it. */
function figureOf(book: string, name: string): string {
  const [command = '', row = '', columnAndUnit = ''] = name.split('~').map((part) => part.trim())
  const [, column = '', unit] = /^(.*?)( KB)?$/.exec(columnAndUnit) ?? []
  const text = figuresOf(sectionOf(book, command)).get(row)?.get(column)
  if (text === undefined || text === '') throw new Error(`${BOOK} has no figure ${name}`)
  if (unit) return (Number(text.replaceAll(',', '')) / 1000).toFixed(1)
  return column === 'ratio' && Number(text) >= 2 ? Number(text).toFixed(1) : text
}

/** The document with all its figures replaced by those of the book. */
function withFigures(text: string, book: string): string {
  return text.replace(
    /<!-- ([\w:-]+ ~[^~\n]+~[^\n]+?) -->([^<]*)<!-- \/ -->/g,
    (_, name: string) => `<!-- ${name} -->${figureOf(book, name)}<!-- / -->`,
  )
}

const run = (command: string): string =>
  execFileSync('npm', ['run', '--silent', command], { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 })

function record(commands: readonly string[]): void {
  for (const command of commands) {
    let printed: string
    try {
      printed = run(command)
    } catch (error) {
      // The command fails if a gate does not pass, but its table was printed all the same.
      printed = String((error as { stdout?: unknown }).stdout)
    }
    const day = new Date().toISOString().slice(0, 10)
    const tables = printed.slice(printed.search(/^\|/m)).trim()
    const book = read(BOOK)
    const section = `${day}, Node ${process.versions.node}.\n\n${tables}\n`
    writeFileSync(
      root + BOOK,
      book.replace(sectionOf(book, command), () => section),
    )
  }
}

/** A line for each size that differs from the book by more than 1 %. */
function movedSizes(book: string): string[] {
  const now = figuresOf(run('sizes'))
  return [...figuresOf(sectionOf(book, 'sizes'))].flatMap(([entry, row]) => {
    const [was, is] = [Number(row.get('gzip')), Number(now.get(entry)?.get('gzip'))]
    return Math.abs(is - was) <= was / 100 ? [] : [`${BOOK}: ${entry} is ${is} bytes, not ${was}`]
  })
}

const [verb, ...commands] = process.argv.slice(2)
if (verb === 'record') record(commands)
if (verb === 'record' || verb === 'write' || verb === 'check') {
  const book = read(BOOK)
  const pages = [
    'README.md',
    ...readdirSync(`${root}docs`, { recursive: true, encoding: 'utf8' }).map((f) => `docs/${f}`),
  ]
  const stale: string[] = []
  for (const page of pages.filter((name) => name.endsWith('.md'))) {
    const text = read(page)
    const next = withFigures(text, book)
    if (next === text) continue
    if (verb === 'check') stale.push(`${page}: a figure is not what ${BOOK} has`)
    else writeFileSync(root + page, next)
  }
  if (verb === 'check') stale.push(...movedSizes(book))
  for (const line of stale) console.error(line)
  if (stale.length > 0) {
    console.error('node scripts/figures.ts record sizes, or write, mends it')
    process.exitCode = 1
  }
} else {
  console.error('usage: node scripts/figures.ts record COMMAND… | write | check')
  process.exitCode = 2
}
