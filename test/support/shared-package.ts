import { execFile, execFileSync } from 'node:child_process'
import { copyFile, mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { TestProject } from 'vitest/node'

// A build takes seven seconds of processor time, and several test files need one. A run builds once, when the first file asks.

const root = fileURLToPath(new URL('../..', import.meta.url))

/** The package, built and packed as for a release. Files share it, so none may write into its folders. */
export interface PackedPackage {
  /** A copy of the tracked files, with `dist`. */
  readonly source: string
  /** The packed file. */
  readonly tarball: string
  /** The paths in the package of the files that npm publishes, sorted. */
  readonly files: readonly string[]
}

declare module 'vitest' {
  interface ProvidedContext {
    /** URL at which a test file gets the package: the response to `GET /` is a `PackedPackage` as JSON. */
    packedPackage: string
  }
}

async function pack(home: string): Promise<PackedPackage> {
  const source = join(home, 'source')
  const tracked = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' }).split('\0').filter(Boolean)
  for (const path of tracked) {
    await mkdir(dirname(join(source, path)), { recursive: true })
    await copyFile(join(root, path), join(source, path))
  }
  await symlink(join(root, 'node_modules'), join(source, 'node_modules'))
  const args = ['pack', '--json', '--pack-destination', home]
  const { stdout } = await promisify(execFile)('npm', args, { cwd: source, shell: process.platform === 'win32' })
  const packed = JSON.parse(stdout.slice(stdout.indexOf('['))) as { files: { path: string }[] }[]
  const tarball = (await readdir(home)).find((name) => name.endsWith('.tgz')) as string
  return { source, tarball: join(home, tarball), files: (packed[0]?.files ?? []).map(({ path }) => path).sort() }
}

/** Packs the package when the first file asks for it, and removes it after the last file. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  let packing: Promise<PackedPackage> | undefined
  let home: string | undefined
  const packOnce = async (): Promise<PackedPackage> => {
    home = await mkdtemp(join(tmpdir(), 'hither-packed-'))
    return pack(home)
  }
  const desk = createServer((_, response) => {
    packing ??= packOnce()
    packing.then(
      (packed) => response.end(JSON.stringify(packed)),
      (error: Error & { stdout?: string }) => response.writeHead(500).end(`${error.message}\n${error.stdout ?? ''}`),
    )
  })
  await new Promise<void>((resolve) => void desk.listen(0, '127.0.0.1', resolve))
  project.provide('packedPackage', `http://127.0.0.1:${(desk.address() as AddressInfo).port}`)
  return async () => {
    desk.close()
    desk.closeAllConnections()
    // If packing failed, the file that asked has got the error.
    await Promise.allSettled([packing])
    if (home) await rm(home, { recursive: true, force: true })
  }
}
