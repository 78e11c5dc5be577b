/**
 * Measures what the edge entry costs before the first request: `npm run bench:startup`.
 *
 * Fresh processes evaluate `createCache` and `upstashStore`, bundled for the edge, and alternately an empty module: the figure is
 * the difference in processor time. Then workerd loads the bundle without `nodejs_compat`, and must respond to a request.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { convertV4MiniflareOptions, Miniflare } from 'miniflare'
import { interval, median } from './support.ts'

const MOST_MS = 2.5
const rounds = Number(process.env.BENCH_ROUNDS ?? 31)

const ours = (face: string): string => `
  import { createCache } from '${face}'
  import { upstashStore } from './adapters/upstash/index.ts'
  const store = upstashStore({ url: 'https://name.upstash.io', token: 'a-token', fetch: async () => Response.json({ result: null }) })
  export const cache = createCache({ store, namespace: 'shop', ttl: '5m' })
  export default { fetch: async () => new Response(String(await store.get('key'))) }`

const programs = {
  empty: 'export default {}',
  full: ours('./src/index.ts'),
  mini: ours('./src/cache/mini.ts'),
  upstash: `
    import { Redis } from '@upstash/redis'
    export const redis = new Redis({ url: 'https://name.upstash.io', token: 'a-token' })`,
} as const
type Program = keyof typeof programs
const names = Object.keys(programs) as Program[]

async function bundle(contents: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: fileURLToPath(new URL('..', import.meta.url)), loader: 'ts' },
    bundle: true,
    minify: true,
    format: 'esm',
    conditions: ['workerd', 'worker'],
    write: false,
  })
  return (outputFiles[0] as { text: string }).text
}
const code = await bundle(programs.full)

const folder = await mkdtemp(join(tmpdir(), 'hither-startup-'))
try {
  const fileOf = (name: string): string => join(folder, `${name}.mjs`)
  await Promise.all(names.map(async (name) => writeFile(fileOf(name), await bundle(programs[name]))))
  await writeFile(
    fileOf('probe'),
    `const start = process.threadCpuUsage()
     await import(process.argv[2])
     const { user, system } = process.threadCpuUsage(start)
     console.log((user + system) / 1000)`,
  )
  const run = promisify(execFile)
  const cpuMs = async (name: Program): Promise<number> =>
    Number((await run(process.execPath, [fileOf('probe'), pathToFileURL(fileOf(name)).href])).stdout)

  /** Milliseconds beyond those of an empty module, by round. */
  const over: Record<Program, number[]> = { empty: [], full: [], mini: [], upstash: [] }
  for (let round = -2; round < rounds; round++) {
    // The order rotates, so that each program is first equally often.
    const order = names.map((_, i) => names[(i + round + names.length) % names.length] as Program)
    const ms: Partial<Record<Program, number>> = {}
    for (const name of order) ms[name] = await cpuMs(name)
    if (round >= 0) for (const name of names) over[name].push((ms[name] as number) - (ms.empty as number))
  }
  const cost = median(over.full)
  /** Cost relative to `@upstash/redis`. By medians, since in a single round that package may cost less than the empty module. */
  const ratio = (name: Program): number => median(over[name]) / median(over.upstash)

  const worker = new Miniflare(
    convertV4MiniflareOptions({ modules: true, script: code, compatibilityDate: '2026-10-01', compatibilityFlags: [] }),
  )
  const answer = await worker.dispatchFetch('http://localhost/').then((response) => response.text())
  await worker.dispose()
  const loads = answer === 'undefined'

  const ms = (name: Program): string =>
    `${median(over[name]).toFixed(2)} ms | ${interval(over[name])
      .map((each) => each.toFixed(2))
      .join('–')} ms`
  const verdict = (passes: boolean): string => (passes ? 'pass' : 'FAIL')
  const gates = { full: 0.3, mini: 0.2 } as const
  console.log(`edge entry (createCache + upstashStore), ${code.length} bytes minified, ${rounds} fresh processes

| figure | median | 95 % interval | gate | |
|---|---|---|---|---|
| processor time to evaluate, over an empty module | ${ms('full')} | ≤ ${MOST_MS} ms | ${verdict(cost <= MOST_MS)} |
| the same with hither/mini | ${ms('mini')} | | |
| @upstash/redis alone | ${ms('upstash')} | | |
| full, of @upstash/redis | ${ratio('full').toFixed(2)} | | ≤ ${gates.full} | ${verdict(ratio('full') <= gates.full)} |
| hither/mini, of @upstash/redis | ${ratio('mini').toFixed(2)} | | ≤ ${gates.mini} | ${verdict(ratio('mini') <= gates.mini)} |
| loads and answers in workerd, no nodejs_compat | ${loads ? 'yes' : 'no'} | | yes | ${verdict(loads)} |`)
  if (cost > MOST_MS || !loads || ratio('full') > gates.full || ratio('mini') > gates.mini) process.exitCode = 1
} finally {
  await rm(folder, { recursive: true, force: true })
}
