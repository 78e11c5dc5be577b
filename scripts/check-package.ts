import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

// Packs what npm would publish and has publint and attw judge the tarball. Builds dist/ first.
const folder = mkdtempSync(join(tmpdir(), 'hither-pack-'))
let failed = false
try {
  execFileSync('npm', ['pack', '--silent', '--pack-destination', folder], { stdio: ['ignore', 'ignore', 'inherit'] })
  const tarball = join(folder, readdirSync(folder).find((name) => name.endsWith('.tgz')) as string)
  for (const [command, ...args] of [
    ['publint', '--strict', tarball],
    ['attw', '--profile', 'esm-only', '--format', 'ascii', '--no-emoji', tarball],
  ] as const) {
    failed = spawnSync(command, args, { stdio: 'inherit' }).status !== 0 || failed
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
process.exitCode = failed ? 1 : 0
