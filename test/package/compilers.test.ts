import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { packedPackage } from '../support/packed-package.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const require = createRequire(import.meta.url)
const compilers = { '5.5': 'typescript55', '5.9': 'typescript59', '6.0': 'typescript60', '7.0': 'typescript' }
type Version = keyof typeof compilers

const run = (version: Version, cwd: string, args: readonly string[]): string => {
  const compiler = join(dirname(require.resolve(`${compilers[version]}/package.json`)), 'bin/tsc')
  const { stdout, stderr } = spawnSync(process.execPath, [compiler, ...args], { cwd, encoding: 'utf8' })
  return stdout + stderr
}

let folder: string
beforeAll(async () => {
  const { source } = await packedPackage()
  folder = mkdtempSync(join(tmpdir(), 'hither-compilers-'))
  const home = join(folder, 'node_modules/hither')
  mkdirSync(home, { recursive: true })
  cpSync(join(root, 'package.json'), join(home, 'package.json'))
  cpSync(join(source, 'dist'), join(home, 'dist'), { recursive: true })
  mkdirSync(join(folder, 'node_modules/@types'))
  for (const name of ['type-fest', 'tagged-tag', 'zod', '@types/node', 'undici-types'])
    symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name))
  for (const name of ['consumer.ts', 'library.ts']) cpSync(join(root, 'test/types/consumer', name), join(folder, name))
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
}, 300_000)
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Imports every entry by its name. An entry that TypeScript cannot resolve is an error. */
const entries = (names: readonly string[]): string =>
  names.map((name, i) => `import * as e${i} from '${name}'; void e${i}`).join('\n')

describe('what an application writes', () => {
  const options = ['--noEmit', '--strict', '--target', 'es2022', '--lib', 'es2022,dom,dom.iterable', '--skipLibCheck']
  const all: [Version, string, string[]][] = [
    ['5.5', 'nodenext', ['--module', 'nodenext']],
    ['5.5', 'bundler', ['--module', 'esnext', '--moduleResolution', 'bundler']],
    ['5.5', 'node', ['--module', 'esnext', '--moduleResolution', 'node']],
    ['5.9', 'nodenext', ['--module', 'nodenext', '--exactOptionalPropertyTypes']],
    ['5.9', 'node', ['--module', 'esnext', '--moduleResolution', 'node']],
    ['6.0', 'nodenext', ['--module', 'nodenext']],
    ['6.0', 'bundler', ['--module', 'esnext', '--moduleResolution', 'bundler']],
    ['7.0', 'nodenext', ['--module', 'nodenext', '--exactOptionalPropertyTypes']],
    ['7.0', 'bundler', ['--module', 'esnext', '--moduleResolution', 'bundler']],
  ]
  it.each(all)('compiles with TypeScript %s, moduleResolution %s', (version, _, more) => {
    expect(run(version, folder, [...options, ...more, 'consumer.ts'])).toBe('')
  })
  it.each<Version>(['5.5', '6.0', '7.0'])('as a library has declarations, with TypeScript %s', (version) => {
    const emit = ['--declaration', '--emitDeclarationOnly', '--outDir', 'library', '--strict', '--skipLibCheck']
    const target = ['--target', 'es2022', '--lib', 'es2022,dom,dom.iterable', '--module', 'nodenext']
    expect(run(version, folder, [...emit, ...target, 'library.ts'])).toBe('')
  })
  it.each<[Version, string, RegExp]>([
    ['5.5', "format: plain(), grace: '1h', store", /'grace' does not exist in type 'PlainCacheOptions'/],
    ['7.0', "format: plain(), grace: '1h', store", /'grace' does not exist in type 'PlainCacheOptions'/],
    ['5.5', "ttl: '5m'", /'store' is missing .* required in type 'CacheOptions'/],
    ['7.0', "ttl: '5m'", /'store' is missing .* required in type 'CacheOptions'/],
  ])('with a mistake is told which, by TypeScript %s: createCache({ %s })', (version, written, said) => {
    const program = `import { createCache } from 'hither'
      import { memoryStore } from 'hither/memory'
      import { plain } from 'hither/plain'
      const store = memoryStore()
      createCache({ ${written} })
      void [store, plain]`
    writeFileSync(join(folder, 'mistake.ts'), program)
    expect(run(version, folder, [...options, '--module', 'nodenext', 'mistake.ts'])).toMatch(said)
  })
  const { exports } = require(join(root, 'package.json')) as { exports: Record<string, unknown> }
  // Entries that need a package which this folder lacks, or modules of a runtime.
  const peers = /ioredis|hono|upstash-ratelimit|express|cloudflare|testing\/node|package\.json/
  const names = Object.keys(exports).map((name) => `hither${name.slice(1)}`)
  const alone = (): string => entries(names.filter((name) => !peers.test(name) && !/nats|better-auth/.test(name)))
  it('compiles, with its declarations checked, in a project for Node that has no types of the DOM', () => {
    writeFileSync(join(folder, 'node-alone.ts'), alone())
    const node = ['--noEmit', '--strict', '--target', 'es2022', '--lib', 'es2022', '--types', 'node']
    expect(run('5.9', folder, [...node, '--module', 'nodenext', 'node-alone.ts'])).toBe('')
  })
  it('compiles, with its declarations checked, by a TypeScript whose Uint8Array is not generic', () => {
    writeFileSync(join(folder, 'old.ts'), alone())
    const checked = options.filter((option) => option !== '--skipLibCheck')
    expect(run('5.5', folder, [...checked, '--module', 'nodenext', 'old.ts'])).toBe('')
  })
  it.each<[Version, string, RegExp]>([
    ['5.9', 'nodenext', /^$/],
    ['5.9', 'node20', /^$/],
    ['5.9', 'node16', /TS1479/],
    ['5.5', 'nodenext', /TS1479/],
  ])('in a package of CommonJS, TypeScript %s, module %s, does what the page says', (version, module, said) => {
    const inside = join(folder, 'common')
    mkdirSync(inside, { recursive: true })
    writeFileSync(join(inside, 'package.json'), '{}')
    writeFileSync(join(inside, 'index.ts'), "import { createCache } from 'hither'\nvoid createCache\n")
    expect(run(version, folder, [...options, '--module', module, 'common/index.ts'])).toMatch(said)
  })
  it('finds every entry without `exports`, by moduleResolution node', () => {
    writeFileSync(join(folder, 'entries.ts'), entries(names.filter((name) => !peers.test(name))))
    expect(run('5.5', folder, [...options, '--module', 'esnext', '--moduleResolution', 'node', 'entries.ts'])).toBe('')
  })
})
