import { type ChildProcess, spawn } from 'node:child_process'
import { compileCache } from './compile-cache.ts'

// Runs the `hither` command as a child process, from its source: the package's own names resolve to the sources.

const root = new URL('../../', import.meta.url)
const hook = `data:text/javascript,${encodeURIComponent(`
  import { readFileSync } from 'node:fs'
  import { registerHooks } from 'node:module'
  const root = ${JSON.stringify(root.href)}
  const { exports, imports } = JSON.parse(readFileSync(new URL('package.json', root), 'utf8'))
  registerHooks({
    resolve(name, context, next) {
      const own = imports[name] ?? (/^hither(\\/|$)/.test(name) && exports['.' + name.slice(6)])
      if (!own) return next(name, context)
      return next(new URL(own.default.replace('./dist/', '').replace(/js$/, 'ts'), root).href, context)
    },
  })`)}`

export interface CliRun {
  readonly child: ChildProcess
  readonly ended: Promise<number | null>
  readonly out: () => string
  readonly err: () => string
}

export function runCli(args: readonly string[], env: Readonly<Record<string, string>> = {}): CliRun {
  const child = spawn(process.execPath, ['--no-warnings', '--import', hook, 'cli/hither.ts', ...args], {
    cwd: root,
    env: { ...compileCache, PATH: process.env.PATH ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let err = ''
  child.stdout?.on('data', (data) => {
    out += data
  })
  child.stderr?.on('data', (data) => {
    err += data
  })
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve))
  return { child, ended, out: () => out, err: () => err }
}
