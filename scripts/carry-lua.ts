/**
 * Copies the Lua runtime, with its licences, from `node_modules` into `dist`, so that `npx hither dev` runs scripts with
 * nothing else installed. The runtime is not in the repository, and the package has no dependency.
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const dist = fileURLToPath(new URL('../dist/lua-redis-wasm/', import.meta.url))
const built = dirname(fileURLToPath(import.meta.resolve('lua-redis-wasm')))
mkdirSync(dist, { recursive: true })
for (const name of ['redis_lua.mjs', 'redis_lua.wasm']) copyFileSync(join(built, name), join(dist, name))
for (const name of ['LICENSE', 'THIRD_PARTY_NOTICES.md']) copyFileSync(join(built, '..', name), join(dist, name))
// Its source map is not copied.
const program = readFileSync(join(built, 'index.node.mjs'), 'utf8').replace(/^\/\/# sourceMappingURL=.*$/m, '')
writeFileSync(join(dist, 'index.js'), program)
