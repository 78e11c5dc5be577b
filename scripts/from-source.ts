/**
 * `node --import ./scripts/from-source.ts FILE` runs a file on the sources, without a build: imports of the package's own names
 * resolve to the files that `paths` in tsconfig.json names.
 */
import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'

const root = new URL('../', import.meta.url)
const { compilerOptions } = JSON.parse(readFileSync(new URL('tsconfig.json', root), 'utf8')) as {
  compilerOptions: { paths: Record<string, [string]> }
}
const paths = Object.entries(compilerOptions.paths).map(([name, [path]]) => [name.split('*'), path] as const)

registerHooks({
  resolve(name, context, next) {
    for (const [[start = '', end], path] of paths) {
      const fits = end === undefined ? name === start : name.startsWith(start)
      if (fits) return next(new URL(path.replace('*', name.slice(start.length)), root).href, context)
    }
    return next(name, context)
  },
})
