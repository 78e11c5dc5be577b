import { execFile, execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { packedPackage } from '../support/packed-package.ts'

const run = promisify(execFile)

/** A project outside the repository that has installed the packed tarball and nothing else. */
export interface Outside {
  readonly folder: string
  /** The files that npm publishes, as paths in the package. */
  readonly files: readonly string[]
  /** Names that can be imported, such as `hither/memory`. */
  readonly entries: readonly string[]
  /** Runs `text` as a module there. Resolves to what it printed. */
  run(text: string, node?: string): Promise<string>
  /** Writes a file there, and returns its path. */
  write(name: string, text: string): string
  remove(): void
}

/** Packs the tarball as a release does, and installs it in an empty folder. */
export async function installOutside(): Promise<Outside> {
  const home = mkdtempSync(join(tmpdir(), 'hither-package-'))
  const folder = join(home, 'outside')
  const { source, tarball, files } = await packedPackage()
  mkdirSync(folder)
  const write = (name: string, text: string): string => {
    const path = join(folder, name)
    writeFileSync(path, text)
    return path
  }
  write('package.json', JSON.stringify({ name: 'outside', private: true, type: 'module' }))
  await run('npm', ['install', '--offline', '--no-audit', '--no-fund', tarball], { cwd: folder })
  const { exports } = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8')) as { exports: object }
  let programs = 0
  return {
    folder,
    files,
    entries: Object.keys(exports)
      .filter((name) => name !== './package.json')
      .map((name) => name.replace(/^\./, 'hither')),
    async run(text, node = process.execPath) {
      const path = write(`program-${programs++}.mjs`, text)
      return (await run(node, [path], { cwd: folder })).stdout.trim()
    },
    write,
    remove: () => rmSync(home, { recursive: true, force: true }),
  }
}

/** The machine's own Node: the first on PATH that is in no `node_modules`. Undefined where there is none. */
export function systemNode(): { path: string; major: number } | undefined {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    if (folder === '' || folder.includes('node_modules')) continue
    const path = join(folder, 'node')
    try {
      return {
        path,
        major: Number(execFileSync(path, ['-p', 'parseInt(process.versions.node)'], { encoding: 'utf8' })),
      }
    } catch {
      // There is no program, or none that runs: the next folder may have one.
    }
  }
  return undefined
}

/** A REST endpoint on loopback that replies `'remote'` to every command: enough to see the fetch of a bundle arrive. */
export async function startEndpoint(): Promise<{ url: string; stop(): void }> {
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (part) => {
      body += part
    })
    request.on('end', () => {
      const result = { result: 'remote' }
      const commands: unknown = JSON.parse(body)
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify(request.url === '/pipeline' ? (commands as unknown[]).map(() => result) : result))
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
