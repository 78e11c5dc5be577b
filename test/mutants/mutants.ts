import { readdirSync } from 'node:fs'

/** A guard taken out: what must then fail. */
export interface Mutant {
  readonly guard: string
  /** From the root of the repository. */
  readonly file: string
  /** Is there once. */
  readonly find: string
  readonly replace: string
  /** The simulation, or the test files of `test/unit/` that find it: `file`, or `file > title of one test`. */
  readonly killedBy: 'simulation' | readonly string[]
}

/** Makes the mutants of one file, which `killedBy` finds unless the mutant names another test. */
export const of =
  (file: string, killedBy: Mutant['killedBy'] = 'simulation') =>
  (guard: string, find: string, replace: string, by: Mutant['killedBy'] = killedBy): Mutant => ({
    guard,
    file,
    find,
    replace,
    killedBy: by,
  })

/** Each file of `lists/`, a folder of `src` or of `adapters` each, exports its `mutants`. */
export async function allMutants(): Promise<readonly Mutant[]> {
  const folder = new URL('lists/', import.meta.url)
  const lists = readdirSync(folder).sort()
  const modules = await Promise.all(lists.map((name) => import(new URL(name, folder).href)))
  return modules.flatMap((module: { readonly mutants: readonly Mutant[] }) => module.mutants)
}
