/**
 * Makes one file of `dist/cli/dev.js` and all it imports, since `hither dev` spends most of its start on finding and linking
 * the modules. The Lua runtime stays outside: the first script loads it. Names are kept, so that a stack can be read; the
 * modules themselves stay in `dist` for programs that import them.
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
