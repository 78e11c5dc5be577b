#!/usr/bin/env node
/**
 * `npm create hither`: writes a small program with a cache and a limit into a new folder. Asks on a terminal; elsewhere the
 * arguments say it. Exit status: 0 written, 1 not written, 2 arguments that make no sense.
 */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { parseArgs } from 'node:util'
import { TEMPLATES, version } from './templates.js'

const NAMES = Object.keys(TEMPLATES)
const HELP = `create-hither: a small program with a hither cache and a limit

  npm create hither@latest my-app -- --template node

  --template NAME  ${NAMES.map((name) => `${name} (${TEMPLATES[name].title})`).join(', ')}
  --version, --help
`
/** Left in a folder by other tools; it counts as empty all the same. */
const HARMLESS = ['.git', '.DS_Store', 'Thumbs.db']

class Stop extends Error {
  constructor(message, status) {
    super(message)
    this.status = status
  }
}

function parse() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        template: { type: 'string', short: 't' },
        version: { type: 'boolean', short: 'v' },
        help: { type: 'boolean', short: 'h' },
      },
    })
  } catch (error) {
    throw new Stop(`${error.message.split('. ')[0]}: try --help`, 2)
  }
}

/** Asks for what the arguments do not say. Rejects when the terminal is closed. */
async function ask(folder, template) {
  const terminal = createInterface({ input: process.stdin, output: process.stdout })
  const closed = new Promise((_, reject) => terminal.once('close', () => reject(new Stop('nothing was written', 1))))
  const question = (text) => Promise.race([terminal.question(text), closed])
  closed.catch(() => {})
  try {
    const name = folder ?? ((await question('Folder (hither-app): ')).trim() || 'hither-app')
    if (template) return [name, template]
    for (const [i, each] of NAMES.entries()) console.log(`  ${i + 1}  ${TEMPLATES[each].title}`)
    for (;;) {
      const answer = (await question('Start with (1): ')).trim() || '1'
      const chosen = NAMES[Number(answer) - 1] ?? NAMES.find((each) => each === answer)
      if (chosen) return [name, chosen]
      console.log(`  a number from 1 to ${NAMES.length}`)
    }
  } finally {
    terminal.close()
  }
}

/** A name that npm and wrangler take, made of the folder's. */
function packageName(folder) {
  const name = basename(folder)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
  return name.slice(0, 60) || 'hither-app'
}

function checkEmpty(folder, shown) {
  let found
  try {
    found = readdirSync(folder).filter((name) => !HARMLESS.includes(name))
  } catch (error) {
    if (error.code === 'ENOENT') return
    if (error.code === 'ENOTDIR') throw new Stop(`${shown} is a file: name another folder`, 1)
    throw error
  }
  if (found.length > 0) throw new Stop(`${shown} is not empty (it has ${found[0]}): name another folder`, 1)
}

/** Whether a Node of this version runs a TypeScript file as it is. */
function runsTypeScript(node) {
  const [major, minor] = node.split('.').map(Number)
  return major > 22 || (major === 22 && minor >= 18)
}

async function main() {
  const { values, positionals } = parse()
  if (values.help) return console.log(HELP)
  if (values.version) return console.log(version)
  if (positionals.length > 1) throw new Stop('give one folder: try --help', 2)
  let [folder] = positionals
  let { template } = values
  if (template !== undefined && !NAMES.includes(template)) throw new Stop(`--template is ${NAMES.join(', ')}`, 2)
  if (folder === '') throw new Stop('give a folder: try --help', 2)
  if (folder) checkEmpty(resolve(folder), folder)
  if (!folder || !template) {
    if (!process.stdin.isTTY) throw new Stop(`give a folder and --template ${NAMES.join('|')}: try --help`, 2)
    ;[folder, template] = await ask(folder, template)
  }
  const path = resolve(folder)
  checkEmpty(path, folder)
  const { files, next, title } = TEMPLATES[template]
  for (const [name, text] of Object.entries(files(packageName(path)))) {
    mkdirSync(dirname(join(path, name)), { recursive: true })
    writeFileSync(join(path, name), text, { flag: 'wx' })
  }
  const isHere = path === process.cwd()
  const isOld = template === 'node' && !runsTypeScript(process.versions.node)
  const steps = [
    ...(isHere ? [] : [`cd ${/\s/.test(folder) ? JSON.stringify(folder) : folder}`]),
    'npm install',
    ...next,
  ]
  console.log(
    `A ${title} is in ${isHere ? 'this folder' : folder}. Next:\n\n${steps.map((step) => `  ${step}`).join('\n')}\n`,
  )
  if (isOld) {
    console.log(
      `npm start needs Node 22.18 or later, and this is ${process.versions.node}: until then, npx tsx index.ts\n`,
    )
  }
}

try {
  await main()
} catch (error) {
  const isExpected = error instanceof Stop
  console.error(`create-hither: ${isExpected ? error.message : `cannot write there (${error.code ?? error.name})`}`)
  process.exitCode = isExpected ? error.status : 1
}
