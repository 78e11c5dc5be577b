import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startGateway } from '../../../adapters/node/index.ts'
import { programs } from './serve.ts'

// The same program on each runtime must have the same results as on Node, whose behaviour the other tests judge.

const root = fileURLToPath(new URL('../../..', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'hither-stores-'))
const program = join(folder, 'program.mjs')
const commands = {
  node: () => [process.execPath],
  bun: programs.bun,
  deno: () => [...programs.deno(), '--allow-env', '--allow-sys', '--allow-read'],
}
/** The results of each store, by its name. */
type Results = Readonly<Record<string, Readonly<Record<string, unknown>>>>

let gateway: Awaited<ReturnType<typeof startGateway>>
let expected: Results

async function run(runtime: keyof typeof commands): Promise<Results> {
  const [command = '', ...args] = commands[runtime]()
  const url = process.env.REDIS8_URL ?? ''
  const { stdout } = await promisify(execFile)(command, [...args, program, url, gateway.url, `stores-${runtime}`], {
    env: { ...process.env, NO_COLOR: '1' },
    timeout: 60_000,
  })
  return JSON.parse(stdout)
}

beforeAll(async () => {
  await build({
    entryPoints: [join(root, 'test/runtimes/bun-deno/stores-program.ts')],
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'esm',
    tsconfig: join(root, 'tsconfig.json'),
    // Packages that were published as CommonJS load Node's modules by `require`.
    banner: { js: "import { createRequire } from 'node:module'\nconst require = createRequire(import.meta.url)" },
  })
  gateway = await startGateway({ redis: process.env.REDIS8_URL ?? '', token: 'token', port: 0 })
  expected = await run('node')
}, 90_000)
afterAll(async () => {
  await gateway?.stop()
  rmSync(folder, { recursive: true, force: true })
})

it('the program does on Node what it says', () => {
  const { failures, ...stores } = expected
  const [first, ...others] = Object.values(stores)
  expect(first).toMatchObject({
    bytes: ['Uint8Array', 300, true],
    large: 1_000_000,
    many: true,
    loads: [[1, 1, 1], 2, 2],
    limits: [true, true, false],
    lock: [true, false, true],
    aborted: 'left',
    late: 'TIMEOUT false',
    oversized: 'VALUE_TOO_LARGE false',
    closed: 'CLOSED false',
  })
  expect(others).toEqual(others.map(() => first))
  expect(failures).toEqual({
    'silent tcp': 'TIMEOUT',
    'silent upstash': 'TIMEOUT',
    'refused tcp': 'STORE_UNAVAILABLE false',
    'refused upstash': 'STORE_UNAVAILABLE false',
  })
})
it.each(['bun', 'deno'] as const)(
  'every store does on %s what it does on Node',
  async (runtime) => {
    const found = await run(runtime)
    // Deno's fetch does not say that it never connected, so for hither the request may have run.
    const differs = runtime === 'deno' ? { 'refused upstash': 'STORE_UNAVAILABLE true' } : {}
    expect(found).toEqual({ ...expected, failures: { ...expected.failures, ...differs } })
  },
  90_000,
)
