/**
 * Bundles `dist/cli/dev.js` and all its imports into one file, since `hither dev` spends most of its start on finding and linking
 * the modules. The Lua runtime stays outside and is loaded by the first script. Names are kept, so that stack traces can be read.
 * The modules stay in `dist` as well, for programs that import them.
 */
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const file = fileURLToPath(new URL('../dist/cli/dev.js', import.meta.url))
const { warnings } = await build({
  entryPoints: [file],
  outfile: file,
  allowOverwrite: true,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  external: ['#lua-runtime'],
  logLevel: 'warning',
})
if (warnings.length > 0) process.exitCode = 1
