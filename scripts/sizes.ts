/**
 * `npm run sizes` prints how many bytes an entry adds to a program that bundles it: bundled and minified by esbuild, compressed
 * by gzip at level 9. Fails (exit status 1) if an entry is over its budget.
 *
 * A budget is the size that was measured when the budget was last set, plus 2 %. It goes down with the code, and up only for a
 * fix that needs the bytes. The target is the size that the code should come to (`docs/decisions/size.md` explains the
 * difference). `--parts` prints how much each file adds to the first entry; `--parts NAME` measures only the entries with NAME in
 * their names, and prints how much each file adds to the first of them.
 */
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build, type Metafile, type Plugin, transform } from 'esbuild'

interface Entry {
  readonly name: string
  /** The names that a program imports, by file. */
  readonly takes: Readonly<Record<string, string>>
  /** Leaves out the files of the core, so that only what the adapter adds to the core counts. */
  readonly onTop?: true
  /** Counts how much the bundle of these imports grows when the entry is added to it. */
  readonly beside?: Entry['takes']
  /** Compressed bytes that the entry should come to. */
  readonly target?: number
  /** Maximum of compressed bytes. */
  readonly budget?: number
}

const cache = { 'src/index.ts': 'createCache' }
const mini = { 'src/cache/mini.ts': 'createCache' }
const upstash = { 'adapters/upstash/index.ts': 'upstashStore' }
/** The core: a cache and everything a store over commands needs. */
const core = { ...cache, 'src/store/command-store.ts': 'createCommandStore' }

const entries: readonly Entry[] = [
  { name: 'createCache + upstashStore', takes: { ...cache, ...upstash }, target: 21_000, budget: 40_570 },
  {
    name: 'createCache + memoryStore',
    takes: { ...cache, 'adapters/memory/index.ts': 'memoryStore' },
    target: 5000,
    budget: 33_830,
  },
  { name: 'mini + upstashStore', takes: { ...mini, ...upstash }, target: 13_000, budget: 32_250 },
  {
    name: 'mini with tags + upstashStore',
    takes: { 'src/cache/mini.ts': '{ createCache, tags }', ...upstash },
    budget: 32_790,
  },
  { name: 'hither/plain on top of core', takes: { 'src/cache/parts/format-plain.ts': 'plain' }, onTop: true },
  {
    name: 'hither/upstash alone',
    takes: { 'adapters/upstash/index.ts': '*' },
    onTop: true,
    target: 2500,
    budget: 3_450,
  },
  {
    name: 'hither/ioredis on top of core',
    takes: { 'adapters/ioredis/index.ts': '*' },
    onTop: true,
    target: 2000,
    budget: 11_510,
  },
  { name: 'ioredisStore on top of core', takes: { 'adapters/ioredis/index.ts': 'ioredisStore' }, onTop: true },
  {
    name: 'hither/tcp on top of core',
    takes: { 'adapters/tcp/index.ts': '*' },
    onTop: true,
    target: 11_000,
    budget: 18_870,
  },
  {
    name: 'tcpStore on top of core',
    takes: { 'adapters/tcp/index.ts': 'tcpStore' },
    onTop: true,
    target: 8000,
  },
  {
    name: 'trackingFeed beside tcpStore',
    takes: { 'adapters/tcp/index.ts': '{ tcpStore, trackingFeed }' },
    beside: { 'adapters/tcp/index.ts': 'tcpStore' },
  },
  { name: 'hither/memcached on top of core', takes: { 'adapters/memcached/index.ts': '*' }, onTop: true, target: 3500 },
  { name: 'hither/nats on top of core', takes: { 'adapters/nats/index.ts': '*' }, onTop: true, target: 2000 },
  {
    name: 'durableObjectStore on top of core',
    takes: { 'adapters/cloudflare/index.ts': '{ durableObjectStore, HitherObject }' },
    onTop: true,
    target: 2000,
  },
  {
    name: 'redisObjectStore on top of core',
    takes: { 'adapters/cloudflare/index.ts': 'redisObjectStore' },
    onTop: true,
  },
  { name: 'hither/embedded alone', takes: { 'src/embedded/index.ts': '*' }, budget: 87_880 },
  {
    name: 'hither/node-redis on top of core',
    takes: { 'adapters/node-redis/index.ts': '*' },
    onTop: true,
    target: 1500,
  },
  { name: 'hither/memory alone', takes: { 'adapters/memory/index.ts': '*' }, onTop: true, target: 2000, budget: 1_450 },
  {
    name: 'hither/rate-limit with slidingLog',
    takes: {
      'src/rate-limit/create-rate-limiter.ts': 'createRateLimiter',
      'src/rate-limit/sliding-log.ts': 'slidingLog',
    },
    target: 2500,
    budget: 7_910,
  },
  { name: 'hither/rate-limit, all of it', takes: { 'src/rate-limit/index.ts': '*' }, target: 2500, budget: 10_301 },
  {
    name: 'hither/rate-limit on top of core',
    takes: {
      'src/rate-limit/create-rate-limiter.ts': 'createRateLimiter',
      'src/rate-limit/sliding-log.ts': 'slidingLog',
    },
    onTop: true,
  },
  {
    name: 'hither/lock beside createCache + upstashStore',
    takes: { 'src/lock/index.ts': '*' },
    beside: { ...cache, ...upstash },
    target: 1600,
    budget: 3_320,
  },
  ...['counter', 'token', 'once', 'idempotency'].map(
    (name): Entry => ({
      name: `hither/${name} beside createCache + upstashStore`,
      takes: { [`src/${name}/index.ts`]: '*' },
      beside: { ...cache, ...upstash },
      target: 900,
    }),
  ),
  { name: 'hither/migrate on top of core', takes: { 'src/migrate/index.ts': '*' }, onTop: true },
  { name: 'rateLimit of hither/hono', takes: { 'adapters/hono/rate-limit.ts': 'rateLimit' }, onTop: true },
  { name: 'hither/express-rate-limit alone', takes: { 'adapters/express-rate-limit/index.ts': '*' }, onTop: true },
  { name: 'hither/upstash-ratelimit alone', takes: { 'adapters/upstash-ratelimit/index.ts': '*' }, onTop: true },
  {
    name: 'createCache + upstashStore + nearTier',
    takes: { ...cache, ...upstash, 'src/near/index.ts': 'nearTier' },
    target: 7500,
    budget: 43_910,
  },
  {
    name: 'hither/http on top of core',
    takes: { 'src/http/index.ts': '*' },
    onTop: true,
    target: 6000,
    budget: 21_150,
  },
  {
    name: 'hither/http beside createCache + upstashStore',
    takes: { 'src/http/index.ts': '*' },
    beside: { ...cache, ...upstash },
    target: 6000,
    budget: 20_440,
  },
  {
    name: 'hither/structures beside createCache + upstashStore',
    takes: { 'src/structures/index.ts': '*' },
    beside: { ...cache, ...upstash },
    target: 3500,
    budget: 8_340,
  },
  {
    name: 'one structure (hash) beside createCache + upstashStore',
    takes: { 'src/structures/hash.ts': 'hash' },
    beside: { ...cache, ...upstash },
    target: 800,
    budget: 2_070,
  },
  {
    name: 'createSessions beside createCache + upstashStore',
    takes: { 'src/session/create-sessions.ts': 'createSessions' },
    beside: { ...cache, ...upstash },
    target: 2600,
    budget: 7_780,
  },
  { name: 'hither/channel on top of core', takes: { 'src/channel/index.ts': '*' }, onTop: true, budget: 2_736 },
  { name: 'createCache', takes: cache, budget: 32_400 },
  { name: 'upstashStore', takes: upstash },
  { name: 'for comparison: @upstash/redis', takes: { 'node_modules/@upstash/redis/nodejs.mjs': 'Redis' } },
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
    ([file, name]) => `export ${name === '*' || name.startsWith('{') ? name : `{ ${name} }`} from './${file}'`,
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
    external: ['node:*', 'ioredis', '@nats-io/*', 'cloudflare:*'],
    alias: {
      '#background': './adapters/cloudflare/background.ts',
      '#socket': './adapters/cloudflare/socket.ts',
    },
    plugins: [leaveOut],
  })
  return { code: (outputFiles[0] as { contents: Uint8Array }).contents, files: filesOf(metafile) }
}

/** The files that contributed bytes to the bundle. */
function filesOf({ outputs }: Metafile): ReadonlySet<string> {
  const inputs = Object.values(outputs).flatMap((output) => Object.entries(output.inputs))
  return new Set(inputs.filter(([, { bytesInOutput }]) => bytesInOutput > 0).map(([file]) => file))
}

const partsAt = process.argv.indexOf('--parts')
const partsOf = partsAt > 0 ? (process.argv[partsAt + 1] ?? '') : ''
const measured = entries.filter(({ name }) => name.includes(partsOf))

const { files } = await bundle(core)
console.log('| entry | minified | gzip | target | budget | |\n|---|--:|--:|--:|--:|---|')
for (const { name, takes, onTop, beside, target = '', budget } of measured) {
  const { code } = await bundle({ ...beside, ...takes }, onTop ? files : undefined)
  const without = beside ? gzipSync((await bundle(beside)).code, { level: 9 }).length : 0
  const gzip = gzipSync(code, { level: 9 }).length - without
  const over = budget !== undefined && gzip > budget
  if (over) process.exitCode = 1
  const verdict = over ? 'OVER' : target !== '' && gzip > target ? 'over target' : budget ? 'ok' : ''
  console.log(`| ${name} | ${code.length} | ${gzip} | ${target} | ${budget ?? ''} | ${verdict} |`)
}

const [first] = measured
if (partsAt > 0 && first) await printParts(first, first.onTop ? files : new Set())

/** Prints for each part the size of the whole minus the size without the part. Text that two parts share counts for neither. */
async function printParts({ name, takes, beside }: Entry, without: ReadonlySet<string>): Promise<void> {
  const everything = { ...beside, ...takes }
  const whole = await bundle(everything, without)
  const text = new TextDecoder().decode(whole.code)
  const zip = (code: string | Uint8Array): number => gzipSync(code, { level: 9 }).length
  const all = zip(text)
  const rows: [part: string, bytes: number][] = []
  for (const file of whole.files) {
    if (file !== '<stdin>') rows.push([file, all - zip((await bundle(everything, new Set([...without, file]))).code)])
  }
  rows.sort(([, a], [, b]) => b - a)
  rows.push(['the Lua of all operations', all - zip(text.replace(/`\nlocal [^`]*`/g, '``'))])
  const mangleProps =
    /^(\w+Ms|generation|mark|payload|stored|space|emit|seen|dead|early|onTurn|liveId|detached|started|over|kept|waiters|unstored|filling|inTurn|isFault|life|versions|failures|recall|recallAll|capture|note|epoch|tagsOf|enter|alone|leave|detach|core|loads|plain|plan|context)$/
  rows.push(['names of internal properties', all - zip((await transform(text, { minify: true, mangleProps })).code)])
  console.log(`\n| part of ${name}, with what only it imports | gzip |\n|---|--:|`)
  for (const [part, bytes] of rows) console.log(`| ${part} | ${bytes} |`)
}
