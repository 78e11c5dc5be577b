import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { packedPackage } from '../support/packed-package.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const parts = ['src', 'adapters', 'cli', 'examples', 'scripts', 'package.json', 'wrangler.toml', 'tsconfig.json']

/** A copy of this checkout, so that tests change nothing in it and nothing that was built before is in the way. */
export interface Workspace {
  readonly folder: string
  remove(): Promise<void>
}

/** A copy in which nothing was built, as in a fresh clone. */
export async function openWorkspace(): Promise<Workspace> {
  const folder = await mkdtemp(join(tmpdir(), 'hither-examples-'))
  const filter = (path: string): boolean => basename(path) !== 'data'
  for (const part of [...parts, 'tsconfig.build.json']) {
    await cp(join(root, part), join(folder, part), { recursive: true, filter })
  }
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction')
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) }
}

/** A copy after `npm run build` and `npm run data`. */
export async function openBuiltWorkspace(): Promise<Workspace> {
  const { source } = await packedPackage()
  const work = await openWorkspace()
  await cp(join(source, 'dist'), join(work.folder, 'dist'), { recursive: true })
  await npmRun(work.folder, 'data')
  return work
}

/** Runs a command of package.json to its end. Rejects with its output when it fails. */
async function npmRun(folder: string, ...args: string[]): Promise<void> {
  await promisify(execFile)('npm', ['run', '--silent', ...args], { cwd: folder, shell: process.platform === 'win32' })
}

export interface Running {
  /** All it has printed so far, both streams. */
  output(): string
  /** Resolves to the match once the output has it. Rejects with the output when the process ends first. */
  printed(pattern: RegExp): Promise<RegExpExecArray>
  /** Sends a signal and resolves to the exit code, null when a signal ended it. */
  stop(signal?: NodeJS.Signals): Promise<number | null>
  /** Resolves to the exit code. */
  readonly ended: Promise<number | null>
}

const alive = new Set<ChildProcess>()

/** Ends what is still running, for a test that failed half-way. */
export function killAll(): void {
  for (const child of alive) child.kill('SIGKILL')
}

/** The end of what was printed, on one line: a report may show no more than that. */
const lastLines = (text: string): string => JSON.stringify(text.trim().slice(-300))

/** Starts a program in `folder`, without the variables of this process that choose a store or a port. */
export function start(folder: string, command: readonly string[], env: Record<string, string> = {}): Running {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(PORT|HOST|REDIS_URL|UPSTASH_.*|KV_.*|NODE_OPTIONS|VITEST.*|NODE_ENV)$/.test(name),
  )
  const path = [join(folder, 'node_modules/.bin'), process.env.PATH].join(delimiter)
  const [program = '', ...args] = command
  const child: ChildProcess = spawn(program, args, {
    cwd: folder,
    env: { ...Object.fromEntries(kept), PATH: path, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  alive.add(child)
  let text = ''
  let over = false
  let look = (): void => {}
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (data: Buffer) => {
      text += data.toString()
      look()
    })
  }
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', (code) => {
      over = true
      alive.delete(child)
      look()
      resolve(code)
    })
  })
  return {
    output: () => text,
    printed: (pattern) =>
      new Promise((resolve, reject) => {
        look = () => {
          const match = pattern.exec(text)
          if (match) resolve(match)
          else if (over) reject(new Error(`it ended before it printed ${pattern}, with ${lastLines(text)}\n${text}`))
        }
        look()
      }),
    stop(signal = 'SIGTERM') {
      if (!over) child.kill(signal)
      return ended
    },
    ended,
  }
}
