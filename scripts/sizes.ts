/**
 * What an entry costs a program that bundles it: `npm run sizes`. Bundled and minified by esbuild, compressed by gzip
 * at level 9. Prints a table; fails (exit status 1) where an entry is over its budget.
 */
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build, type Metafile, type Plugin } from 'esbuild'

interface Entry {
  readonly name: string
  /** What a program takes, by file. */
  readonly takes: Readonly<Record<string, string>>
  /** Leaves out the files of the core, so that what counts is what the adapter adds to it. */
  readonly onTop?: true
  /** Most bytes, compressed. */
  readonly budget?: number
}

const cache = { 'src/index.ts': 'createCache' }
const upstash = { 'adapters/upstash/index.ts': 'upstashStore' }
/** The core: a cache and everything a store over commands needs. */
const core = { ...cache, 'src/store/command-store.ts': 'createCommandStore' }

const entries: readonly Entry[] = [
  { name: 'createCache + upstashStore', takes: { ...cache, ...upstash }, budget: 5000 },
  { name: 'createCache + memoryStore', takes: { ...cache, 'adapters/memory/index.ts': 'memoryStore' }, budget: 5000 },
  { name: 'hither/upstash alone', takes: { 'adapters/upstash/index.ts': '*' }, onTop: true, budget: 2500 },
  { name: 'hither/ioredis on top of core', takes: { 'adapters/ioredis/index.ts': '*' }, onTop: true, budget: 2000 },
  { name: 'ioredisStore on top of core', takes: { 'adapters/ioredis/index.ts': 'ioredisStore' }, onTop: true },
  { name: 'hither/memory alone', takes: { 'adapters/memory/index.ts': '*' }, onTop: true, budget: 2000 },
  { name: 'createCache', takes: cache },
  { name: 'upstashStore', takes: upstash },
]

const root = fileURLToPath(new URL('..', import.meta.url))

async function bundle(takes: Entry['takes'], without: ReadonlySet<string> = new Set()) {
  const leaveOut: Plugin = {
    name: 'leave-out',
    setup(bundler) {
      bundler.onResolve({ filter: /^\..*\.ts$/ }, ({ path, resolveDir }) => {
        const file = relative(root, fileURLToPath(new URL(path, `file://${resolveDir}/`)))
        return without.has(file) ? { path: 'hither', external: true } : undefined
      })
    },
  }
  const contents = Object.entries(takes).map(
    ([file, name]) => `export ${name === '*' ? name : `{ ${name} }`} from './${file}'`,
  )
  const { outputFiles, metafile } = await build({
    stdin: { contents: contents.join('\n'), resolveDir: root, loader: 'ts' },
    absWorkingDir: root,
    outfile: 'bundle.js',
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: 'esm',
    target: 'es2022',
    external: ['node:*', 'ioredis', 'cloudflare:*'],
    plugins: [leaveOut],
  })
  return { code: (outputFiles[0] as { contents: Uint8Array }).contents, files: filesOf(metafile) }
}

/** The files that left bytes in the bundle. */
function filesOf({ outputs }: Metafile): ReadonlySet<string> {
  const inputs = Object.values(outputs).flatMap((output) => Object.entries(output.inputs))
  return new Set(inputs.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([file]) => file))
}

const { files } = await bundle(core)
console.log('| entry | minified | gzip | budget | |\n|---|--:|--:|--:|---|')
for (const { name, takes, onTop, budget } of entries) {
  const { code } = await bundle(takes, onTop ? files : undefined)
  const gzip = gzipSync(code, { level: 9 }).length
  const over = budget !== undefined && gzip > budget
  if (over) process.exitCode = 1
  console.log(`| ${name} | ${code.length} | ${gzip} | ${budget ?? ''} | ${budget ? (over ? 'OVER' : 'ok') : ''} |`)
}
