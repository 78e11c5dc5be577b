import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type * as hither from './node-entry.ts'
import type { Machine } from './world.ts'

/** A change to one source file, in which `find` must occur exactly once. */
export interface Change {
  /** From the root of the repository. */
  readonly file: string
  readonly find: string
  readonly replace: string
}

/** Returns a fresh instance of the package for one machine: its modules with their own state. */
export type Boot = (machine: Machine) => typeof hither

const root = fileURLToPath(new URL('../..', import.meta.url))

/** The globals of time and chance that the core may use. All others of that kind are undefined. */
const GIVEN = ['Date', 'Math', 'crypto', 'setTimeout', 'clearTimeout']
const WITHHELD = ['performance', 'setInterval', 'clearInterval', 'setImmediate', 'process', 'fetch']

/** Returns the source with a change, if any. Throws where `find` does not occur exactly once. */
export function changed(source: string, { file, find, replace }: Change): string {
  if (source.split(find).length !== 2 || find === replace)
    throw new Error(`${file} does not have this text once: ${find}`)
  return source.replace(find, () => replace)
}

/** Bundles the source as one function that takes the platform's clock, timers and randomness. */
export async function bundle(change?: Change): Promise<string> {
  let applied = !change
  const result = await build({
    entryPoints: [`${root}test/simulation/node-entry.ts`],
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'hither',
    target: 'es2024',
    platform: 'neutral',
    legalComments: 'none',
    logLevel: 'silent',
    alias: { '#background': `${root}adapters/node/background.ts` },
    plugins: [
      {
        name: 'change',
        setup({ onLoad }) {
          if (!change) return
          onLoad({ filter: /\.ts$/ }, ({ path }) => {
            if (path !== root + change.file) return undefined
            applied = true
            return { contents: changed(readFileSync(path, 'utf8'), change), loader: 'ts' }
          })
        },
      },
    ],
  })
  if (!applied) throw new Error(`${change?.file} is not part of what is simulated`)
  return result.outputFiles[0]?.text ?? ''
}

export function bootOf(code: string): Boot {
  const make = new Function(...GIVEN, ...WITHHELD, `${code}\nreturn hither`)
  return (machine) => make(...GIVEN.map((name) => machine.globals[name]))
}
