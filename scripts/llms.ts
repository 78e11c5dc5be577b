/**
 * `node scripts/llms.ts` writes `llms.txt` (the first sentence of each page) and `llms-full.txt` (the whole pages), in the order
 * in which a newcomer reads them. `--check` fails if they differ from the pages.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Page, pages } from './pages.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const read = (file: string): string => readFileSync(root + file, 'utf8')

/** A page names others from `docs/`, the index from one folder up. */
const fromRoot = (text: string): string => text.replaceAll(/\]\((?![a-z]+:)/g, '](docs/')
const lineOf = ({ name, title, summary }: Page): string => `- [${title}](docs/${name}.md): ${fromRoot(summary)}`
const readme = read('README.md')
const summary = /^\*\*([\s\S]*?)\*\*/m.exec(readme)?.[1]?.replaceAll('\n', ' ') ?? ''
const index = `# hither\n\n> ${summary}\n\n## Docs\n\n${pages.map(lineOf).join('\n')}\n`
const full = [readme, ...pages.map(({ text }) => text)].map((text) => text.trimEnd()).join('\n\n---\n\n')
const files = { 'llms.txt': index, 'llms-full.txt': `${full.replaceAll(/<!--[\s\S]*?-->/g, '')}\n` }

for (const [file, text] of Object.entries(files)) {
  if (!process.argv.includes('--check')) writeFileSync(root + file, text)
  else if (read(file) !== text) {
    console.error(`${file} is not what the pages say: npm run llms`)
    process.exitCode = 1
  }
}
