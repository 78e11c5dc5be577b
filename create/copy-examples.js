/** Copies the examples that the templates are made of into the package; `--remove` takes them away again. */
import { cpSync, rmSync } from 'node:fs'
import { EXAMPLES } from './templates.js'

const into = new URL('examples/', import.meta.url)
rmSync(into, { recursive: true, force: true })
if (!process.argv.includes('--remove')) {
  for (const file of EXAMPLES) cpSync(new URL(`../examples/${file}`, import.meta.url), new URL(file, into))
}
