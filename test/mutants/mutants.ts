import { readdirSync } from 'node:fs'

/** A change that takes out a guard, and the tests that must then fail. */
export interface Mutant {
  readonly guard: string
  /** The path from the root of the repository. */
  readonly file: string
  /** A text that is in the file exactly once. */
  readonly find: string
  readonly replace: string
  /** The simulation, or test files of `test/unit/`, of which one must fail: `file`, or `file > title of one test`. */
  readonly killedBy: 'simulation' | readonly string[]
}

/** Makes the mutants of one file. `killedBy` must find each of them, unless the mutant names other tests. */
export const of =
  (file: string, killedBy: Mutant['killedBy'] = 'simulation') =>
  (guard: string, find: string, replace: string, by: Mutant['killedBy'] = killedBy): Mutant => ({
    guard,
    file,
    find,
    replace,
    killedBy: by,
  })

/** The mutants of all files of `lists/`, each of which exports its own as `mutants`. */
export async function allMutants(): Promise<readonly Mutant[]> {
  const folder = new URL('lists/', import.meta.url)
  const lists = readdirSync(folder).sort()
  const modules = await Promise.all(lists.map((name) => import(new URL(name, folder).href)))
  return modules.flatMap((module: { readonly mutants: readonly Mutant[] }) => module.mutants)
}
