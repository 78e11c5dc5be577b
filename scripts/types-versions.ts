/**
 * `node scripts/types-versions.ts` writes `typesVersions` of package.json from its `exports`, which TypeScript does not read in a
 * program whose `moduleResolution` is `node`. `--check` fails if they differ.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const file = fileURLToPath(new URL('../package.json', import.meta.url))
const text = readFileSync(file, 'utf8')
const manifest = JSON.parse(text) as Record<string, unknown> & { exports: Record<string, string | { types: string }> }
const paths = Object.entries(manifest.exports).flatMap(([name, target]) =>
  name === '.' || typeof target === 'string' ? [] : [[name.slice(2), [target.types]] as const],
)
const next = `${JSON.stringify({ ...manifest, typesVersions: { '*': Object.fromEntries(paths) } }, null, 2)}\n`
if (!process.argv.includes('--check')) writeFileSync(file, next)
else if (next !== text) {
  console.error('typesVersions differs from exports: node scripts/types-versions.ts')
  process.exitCode = 1
}
