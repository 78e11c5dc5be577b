import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

export type Runtime = 'bun' | 'deno'
export interface Served {
  readonly port: number
  stop(): void
}

/** The code by which each runtime serves `app` and prints its port. */
const serve = {
  bun: `console.log(':' + Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: app.fetch }).port)`,
  deno: `Deno.serve({ port: 0, hostname: '127.0.0.1', onListen: ({ port }) => console.log(':' + port) }, app.fetch)`,
}
const root = fileURLToPath(new URL('../../..', import.meta.url))
const at = createRequire(import.meta.url)
/** The command of each runtime, with the arguments that come before a file. */
export const programs: Readonly<Record<Runtime, () => string[]>> = {
  bun: () => [at.resolve(`@oven/bun-${process.platform}-${process.arch}/bin/bun`)],
  deno: () => [
    at.resolve(`@deno/${process.platform}-${process.arch}${process.platform === 'linux' ? '-glibc' : ''}/deno`),
    'run',
    '--no-config',
    '--allow-net',
  ],
}

/** Bundles a program that declares a Hono application `app`, and serves it in Bun or Deno on a free port of this machine. */
export async function serveIn(runtime: Runtime, program: string): Promise<Served> {
  const folder = mkdtempSync(join(tmpdir(), `hither-${runtime}-`))
  const file = join(folder, 'app.mjs')
  const { outputFiles } = await build({
    stdin: { contents: `${program}\n${serve[runtime]}`, resolveDir: root },
    bundle: true,
    write: false,
    format: 'esm',
    tsconfig: join(root, 'tsconfig.json'),
  })
  writeFileSync(file, outputFiles[0]?.text ?? '')
  const [command = '', ...args] = programs[runtime]()
  const child = spawn(command, [...args, file], { env: { ...process.env, NO_COLOR: '1' } })
  const stop = (): void => {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
  const port = await new Promise<number>((resolve, reject) => {
    let printed = ''
    child.stdout.on('data', (text) => {
      printed += text
      const [, found] = /:(\d+)\n/.exec(printed) ?? []
      if (found) resolve(Number(found))
    })
    child.stderr.on('data', (text) => reject(new Error(String(text))))
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`${runtime} ended with ${code}`)))
  }).catch((error: unknown) => {
    stop()
    throw error
  })
  return { port, stop }
}
