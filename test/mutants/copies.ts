import { cpSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Change, changed } from '../simulation/build.ts'
import type { Mutant } from './mutants.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** Entries of the package that are not the `index.ts` of a folder with their name. */
const FILES: Readonly<Record<string, string>> = {
  '/refresh': 'src/cache/refresh.ts',
  '/plain': 'src/cache/parts/format-plain.ts',
}
const ADAPTERS = ['/memory', '/hono', '/lua']
/** What the tests need of the sources and of `test/support/`. */
const COPIED = [
  'src',
  ...[
    'memory',
    'upstash',
    'memcached',
    'nats',
    'ioredis',
    'tcp',
    'node-redis',
    'cloudflare/kv-store.ts',
    'cloudflare/object-reads.ts',
    'cloudflare/object-store.ts',
    'vercel/runtime-cache-store.ts',
    'node/socket.ts',
  ].map((name) => `adapters/${name}`),
  ...['same', 'rounds', 'seed'].map((name) => `test/support/${name}.ts`),
]
/** What is copied too, and imports the package by its name. Tests of Hono use the support of those of the HTTP cache. */
const BY_NAME = [
  'adapters/hono-session/index.ts',
  'adapters/express-session/index.ts',
  'adapters/lua/index.ts',
  ...['snapshot', 'dev-options', 'serve', 'respond', 'request-body', 'resp-server'].map(
    (name) => `adapters/node/${name}.ts`,
  ),
  ...readdirSync(join(root, 'adapters/hono')).map((file) => `adapters/hono/${file}`),
  'test/unit/http/support.ts',
]

/** Without some of its guards, the near tier would make room for ever: no timeout ends a loop that never waits. */
const ENDLESS: Change = {
  file: 'src/near/bounded-map.ts',
  find: 'const evict = (): void => {',
  replace: `const evict = (): void => {
    if (evicted > 100_000) throw new Error('no end to it')`,
}

/** The text of a test file, changed so that only the test of that title runs. */
function only(text: string, title: string): string {
  if (text.split(`it('${title}'`).length !== 2) throw new Error(`no test, or more than one, is called ${title}`)
  return text.replace(`it('${title}'`, `it.only('${title}'`)
}

/** The text of a file, whose imports of the package are changed to lead into the copy at `home`. */
function fromCopy(text: string, home: string): string {
  return text.replace(/from 'hither(\/[\w-]+)?'/g, (_, entry?: string) => {
    const file = FILES[entry ?? '']
    if (file) return `from '${home}/${file}'`
    const path = entry === undefined ? 'src' : ADAPTERS.includes(entry) ? `adapters${entry}` : `src${entry}`
    return `from '${home}/${path}/index.ts'`
  })
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, text)
}

/** Gives `to` the files of `from` by hard links. Modules of the two are different ones, since their paths differ. */
function link(from: string, to: string): void {
  mkdirSync(to, { recursive: true })
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    if (entry.isDirectory()) link(join(from, entry.name), join(to, entry.name))
    else linkSync(join(from, entry.name), join(to, entry.name))
  }
}

/** Writes test files, each `file` or `file > title of one test`, and what stands beside them, into the copy at `home`. */
function writeTests(home: string, tests: readonly string[]): void {
  for (const [test = '', title] of tests.map((name) => name.split(' > '))) {
    const folder = dirname(join('test/unit', test))
    for (const file of readdirSync(join(root, folder))) {
      if (!file.endsWith('.ts') || file.endsWith('.test.ts')) continue
      write(join(home, folder, file), fromCopy(readFileSync(join(root, folder, file), 'utf8'), home))
    }
    const whole = readFileSync(join(root, 'test/unit', test), 'utf8')
    write(join(home, 'test/unit', test), fromCopy(title === undefined ? whole : only(whole, title), home))
  }
}

function writePackage(home: string): void {
  for (const file of BY_NAME) write(join(home, file), fromCopy(readFileSync(join(root, file), 'utf8'), home))
  cpSync(join(root, 'adapters/node/background.ts'), join(home, 'background.ts'))
  const imports = {
    '#background': './background.ts',
    '#socket': './adapters/node/socket.ts',
    '#lua-runtime': 'lua-redis-wasm',
  }
  write(join(home, 'package.json'), JSON.stringify({ type: 'module', imports }))
}

/** The tests that must fail for a mutant, as its list names them. */
const testsOf = ({ killedBy }: Mutant): readonly string[] => (killedBy === 'simulation' ? [] : killedBy)

/** The test files for `mutants` in the copy that is called `name`. */
export const testFiles = (folder: string, name: string, mutants: readonly Mutant[]): string[] => [
  ...new Set(mutants.flatMap(testsOf).map((test) => join(folder, name, 'test/unit', test.split(' > ')[0] ?? ''))),
]

/**
 * Makes a Vitest project in `folder`: `none/` has the sources unchanged with the tests of all mutants, `m0/`, `m1/` and so on
 * have one mutant each with its tests. Node loads the sources by itself, as Vite would take longer to transform them than
 * the tests take to run.
 */
export function makeCopies(folder: string, mutants: readonly Mutant[]): void {
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  for (const file of ['first-failure.ts', 'progress.ts']) cpSync(join(root, 'test/mutants', file), join(folder, file))
  const config = `{ test: { setupFiles: ['./first-failure.ts'], server: { deps: { external: [/\\/(src|adapters)\\//] } } } }`
  write(join(folder, 'vitest.config.mjs'), `export default ${config}\n`)

  const none = join(folder, 'none')
  const sources = join(folder, 'sources')
  for (const part of COPIED) cpSync(join(root, part), join(sources, part), { recursive: true })
  const map = join(sources, ENDLESS.file)
  writeFileSync(map, changed(readFileSync(map, 'utf8'), ENDLESS))
  link(sources, none)
  writePackage(none)
  writeTests(none, [...new Set(mutants.flatMap(testsOf))])
  for (const [i, mutant] of mutants.entries()) {
    const home = join(folder, `m${i}`)
    link(sources, home)
    writePackage(home)
    writeTests(home, testsOf(mutant))
    const path = join(home, mutant.file)
    const text = changed(readFileSync(path, 'utf8'), mutant)
    rmSync(path) // the link, not the source that the others have too
    writeFileSync(path, text)
  }
}
