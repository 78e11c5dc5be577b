import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Files, type Module, parse, readFiles, root, target } from './source.ts'

const below = ['errors', 'runtime']
const stores = ['memory', 'upstash', 'ioredis', 'tcp', 'memcached', 'nats', 'node-redis']
/** Stores that share a folder with other parts for their platform. */
const storeFiles = [
  'adapters/cloudflare/kv-store.ts',
  'adapters/cloudflare/object-reads.ts',
  'adapters/cloudflare/object-store.ts',
  'adapters/vercel/runtime-cache-store.ts',
]
const features = [
  'cache',
  'channel',
  'codec',
  'counter',
  'http',
  'idempotency',
  'lock',
  'migrate',
  'once',
  'rate-limit',
  'session',
  'structures',
  'token',
]

/** Folder of `src/` → the folders of `src/` that it may import. A folder may always import its own files. */
const arrows: Readonly<Record<string, readonly string[]>> = {
  errors: ['runtime'],
  runtime: ['errors'],
  protocol: below,
  store: ['protocol', ...below],
  near: ['protocol', ...below],
  gateway: ['store', 'near', 'protocol', ...below],
  embedded: ['store', 'near', 'protocol', ...below],
  testing: ['store', 'near', 'protocol', ...below],
  ...Object.fromEntries(features.map((name) => [name, ['store', 'near', 'protocol', ...below]])),
}
/** Folders of `src/` that a store's adapter may import. Every other adapter, and the command, use public entries only. */
const forStores = ['store', 'near', 'protocol', ...below]

/**
 * The `apply` functions of the cache's operations. A store without scripts imports them, the embedded one too, so that no
 * other store has them in its bundle.
 */
const entrySteps = 'src/cache/steps/'

/** `src/store/tick.ts` → `['src', 'store']`; `src/errors.ts` → `['src', 'errors']`; `cli/hither.ts` → `['cli', '']`. */
function folderOf(path: string): readonly [top: string, folder: string] {
  const [top = '', second = ''] = path.split('/')
  return [top, top === 'cli' ? '' : second.replace(/\.ts$/, '')]
}

const isPublic = (specifier: string): boolean => specifier === 'hither' || specifier.startsWith('hither/')

/** One line for each import that no arrow allows. */
function brokenArrows(modules: readonly Module[]): string[] {
  const wrong: string[] = []
  for (const { path, imports } of modules) {
    const [top, folder] = folderOf(path)
    const isStore = top === 'adapters' && (stores.includes(folder) || storeFiles.includes(path))
    for (const { specifier, types } of imports) {
      const to = target(path, specifier)
      const say = (why: string): unknown => wrong.push(`${path} imports ${specifier}: ${why}`)
      if (top === 'src' && to === undefined) {
        if (!specifier.startsWith('#')) say('src imports no package, no node: module and no public entry')
      } else if (to !== undefined) {
        const [toTop, toFolder] = folderOf(to)
        if (top === toTop && folder === toFolder) continue
        if (top === 'src') {
          const allowed = arrows[folder]
          if (toTop !== 'src') say('src imports nothing outside src')
          else if (folder === 'index') continue
          else if (folder === 'embedded' && to.startsWith(entrySteps)) continue
          else if (!allowed) say(`no arrow is written for src/${folder}`)
          else if (features.includes(folder) && features.includes(toFolder)) {
            if (!types || !/\/(index|types)\.ts$/.test(to)) say('of another feature only its public types')
          } else if (!allowed.includes(toFolder)) say(`src/${folder} may import ${allowed.join(', ')}`)
        } else if (top === 'examples' && toTop === 'examples' && toFolder === 'app') continue
        else if (toTop !== 'src') say('a folder imports no other adapter, command or example')
        else if (!isStore) say('only public entries')
        else if (to.startsWith(entrySteps)) continue
        else if (!forStores.includes(toFolder)) say(`a store's adapter may import ${forStores.join(', ')}`)
      } else if (isStore && isPublic(specifier)) {
        say("a store's adapter imports the parts of src, not the entries")
      } else if (specifier === '(computed)') say('the name of an import must be written out')
    }
  }
  return wrong
}

/** Each cycle among relative imports once, as `a → b → a`. Types count. */
function cycles(modules: readonly Module[]): string[] {
  const edges = new Map(
    modules.map(({ path, imports }) => [path, imports.map(({ specifier }) => target(path, specifier))]),
  )
  const done = new Set<string>()
  const found: string[] = []
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path)
    if (at >= 0) found.push([...trail.slice(at), path].join(' → '))
    if (at >= 0 || done.has(path)) return
    for (const next of edges.get(path) ?? []) if (next !== undefined) visit(next, [...trail, path])
    done.add(path)
  }
  for (const path of edges.keys()) visit(path, [])
  return found
}

/** Each file behind a condition of the manifest's `imports` must be a source file that imports nothing of hither. */
function conditionFiles(manifest: { imports?: unknown }, modules: readonly Module[]): string[] {
  const paths = (part: unknown): string[] =>
    typeof part === 'string' ? [part] : Object.values((part ?? {}) as object).flatMap(paths)
  // What the build copies from another package has no source here.
  const sources = paths(manifest.imports).filter((built) => !built.startsWith('./dist/lua-redis-wasm/'))
  return sources.flatMap((built) => {
    const path = built.replace(/^\.\/(dist\/)?/, '').replace(/\.js$/, '.ts')
    const module = modules.find((one) => one.path === path)
    if (!module) return [`${built}: no such source file`]
    return module.imports
      .filter(({ specifier }) => isPublic(specifier) || target(path, specifier) !== undefined)
      .map(({ specifier }) => `${path} imports ${specifier}: a file behind a condition imports nothing of hither`)
  })
}

const files = readFiles('src/**/*.ts', 'adapters/**/*.ts', 'cli/**/*.ts', 'examples/**/*.ts')
const check = (source: Files): string[] => brokenArrows(parse(source))

describe('import arrows', () => {
  it('hold in every file', () => {
    expect(Object.keys(files).length).toBeGreaterThan(20)
    expect(check(files)).toEqual([])
  })
  it.each<[string, string]>([
    ['src/store/a.ts', `import 'hono'`],
    ['src/store/a.ts', `import { join } from 'node:path'`],
    ['src/store/a.ts', `import { createCache } from 'hither'`],
    ['src/store/a.ts', `import { createCache } from '../cache/index.ts'`],
    ['src/store/a.ts', `import type { Cache } from '../cache/index.ts'`],
    ['src/store/a.ts', `export * from '../near/index.ts'`],
    ['src/protocol/a.ts', `export type A = import('../store/store.ts').Store`],
    ['src/runtime/a.ts', `const a = await import('../protocol/text.ts')`],
    ['src/cache/a.ts', `import { createLock } from '../lock/index.ts'`],
    ['src/cache/a.ts', `import { type Lock, createLock } from '../lock/index.ts'`],
    ['src/cache/a.ts', `import type { Lock } from '../lock/acquire.ts'`],
    ['src/cache/a.ts', `import { memoryStore } from '../../adapters/memory/index.ts'`],
    ['src/novel/a.ts', `import { HitherError } from '../errors.ts'`],
    ['adapters/memory/a.ts', `import { createCache } from '../../src/cache/index.ts'`],
    ['adapters/memory/a.ts', `import { upstashStore } from '../upstash/index.ts'`],
    ['adapters/memory/a.ts', `import { isHitherError } from 'hither'`],
    ['adapters/hono/a.ts', `import { HitherError } from '../../src/errors.ts'`],
    ['adapters/cloudflare/a.ts', `import { HitherError } from '../../src/errors.ts'`],
    ['adapters/cloudflare/kv-store.ts', `import { HitherError } from 'hither'`],
    ['adapters/node/a.ts', `await import(name)`],
    ['cli/a.ts', `import { HitherError } from '../src/errors.ts'`],
    ['examples/app/a.ts', `import { createCache } from '../../src/index.ts'`],
    ['examples/app/a.ts', `import worker from '../cloudflare-worker/index.ts'`],
  ])('are broken by %s: %s', (path, text) => {
    expect(check({ [path]: text })).toHaveLength(1)
  })
  it.each<[string, string]>([
    ['src/store/a.ts', `import { utf8Length } from '../protocol/text.ts'\nimport type { Call } from './store.ts'`],
    ['src/cache/a.ts', `import type { Lock } from '../lock/types.ts'\nimport background from '#background'`],
    ['src/cache/a.ts', `import { type Lock } from '../lock/index.ts'`],
    ['src/index.ts', `export { createCache } from './cache/index.ts'`],
    ['adapters/ioredis/a.ts', `import type { Redis } from 'ioredis'\nimport '../../src/store/tick.ts'`],
    ['examples/node-server/a.ts', `import { createApp } from '../app/app.ts'`],
    ['adapters/hono/a.ts', `import type { Cache } from 'hither'\nimport { createMiddleware } from 'hono/factory'`],
  ])('allow %s: %s', (path, text) => {
    expect(check({ [path]: text })).toEqual([])
  })
})

describe('cycles', () => {
  it('are absent', () => {
    expect(cycles(parse(files))).toEqual([])
  })
  it('are found, through types too', () => {
    const three = {
      'src/a.ts': `import './b.ts'`,
      'src/b.ts': `import type { C } from './c.ts'`,
      'src/c.ts': `export * from './a.ts'\nimport './d.ts'`,
      'src/d.ts': '',
    }
    expect(cycles(parse(three))).toEqual(['src/a.ts → src/b.ts → src/c.ts → src/a.ts'])
  })
})

describe("files behind the manifest's conditions", () => {
  it('import nothing of hither', () => {
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { imports?: unknown }
    expect(conditionFiles(manifest, parse(files))).toEqual([])
  })
  it('are refused otherwise', () => {
    const imports = { '#background': { workerd: './dist/src/runtime/a.js', default: './dist/src/runtime/b.js' } }
    const source = { 'src/runtime/a.ts': `import { waitUntil } from 'cloudflare:workers'\nimport './clock.ts'` }
    expect(conditionFiles({ imports }, parse(source))).toEqual([
      'src/runtime/a.ts imports ./clock.ts: a file behind a condition imports nothing of hither',
      './dist/src/runtime/b.js: no such source file',
    ])
  })
})
