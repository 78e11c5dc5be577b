/**
 * What the edge entry costs before the first request: `npm run bench:startup`.
 *
 * `createCache` and `upstashStore`, bundled for the edge, are evaluated in fresh processes and, interleaved with them,
 * an empty module: the figure is the difference in processor time. Then the bundle is loaded by workerd without
 * `nodejs_compat`, and answers a request there.
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

const { outputFiles } = await build({
  stdin: {
    contents: `
      import { createCache } from './src/index.ts'
      import { upstashStore } from './adapters/upstash/index.ts'
      const store = upstashStore({ url: 'https://name.upstash.io', token: 'a-token', fetch: async () => Response.json({ result: null }) })
      export const cache = createCache({ store, namespace: 'shop', ttl: '5m' })
      export default { fetch: async () => new Response(String(await store.get('key'))) }`,
    resolveDir: fileURLToPath(new URL('..', import.meta.url)),
    loader: 'ts',
  },
  bundle: true,
  minify: true,
  format: 'esm',
  conditions: ['workerd', 'worker'],
  write: false,
})
const code = (outputFiles[0] as { text: string }).text

const folder = await mkdtemp(join(tmpdir(), 'hither-startup-'))
try {
  const entry = join(folder, 'entry.mjs')
  const empty = join(folder, 'empty.mjs')
  const probe = join(folder, 'probe.mjs')
  await writeFile(entry, code)
  await writeFile(empty, 'export default {}')
  await writeFile(
    probe,
    `const start = process.threadCpuUsage()
     await import(process.argv[2])
     const { user, system } = process.threadCpuUsage(start)
     console.log((user + system) / 1000)`,
  )
  const run = promisify(execFile)
  const cpuMs = async (file: string): Promise<number> =>
    Number((await run(process.execPath, [probe, pathToFileURL(file).href])).stdout)

  const costs: number[] = []
  for (let round = -2; round < rounds; round++) {
    const first = round % 2 === 0 ? entry : empty
    const a = await cpuMs(first)
    const b = await cpuMs(first === entry ? empty : entry)
    if (round >= 0) costs.push(first === entry ? a - b : b - a)
  }
  const cost = median(costs)
  const [low, high] = interval(costs)

  const worker = new Miniflare(
    convertV4MiniflareOptions({ modules: true, script: code, compatibilityDate: '2026-10-01', compatibilityFlags: [] }),
  )
  const answer = await worker.dispatchFetch('http://localhost/').then((response) => response.text())
  await worker.dispose()
  const loads = answer === 'undefined'

  console.log(`edge entry (createCache + upstashStore), ${code.length} bytes minified, ${rounds} fresh processes

| figure                                           | median   | 95 % interval   | gate     |      |
|--------------------------------------------------|----------|-----------------|----------|------|
| processor time to evaluate, over an empty module | ${cost.toFixed(2)} ms  | ${low.toFixed(2)}–${high.toFixed(2)} ms    | ≤ ${MOST_MS} ms | ${cost <= MOST_MS ? 'pass' : 'FAIL'} |
| loads and answers in workerd, no nodejs_compat   | ${loads ? 'yes' : 'no'}      |                 | yes      | ${loads ? 'pass' : 'FAIL'} |`)
  if (cost > MOST_MS || !loads) process.exitCode = 1
} finally {
  await rm(folder, { recursive: true, force: true })
}
