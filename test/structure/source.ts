import { globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path/posix'
import { fileURLToPath } from 'node:url'
import { parseSync } from 'vite'

/** The text of each source file by its path from the root, such as `src/errors.ts`. A test may pass a counter-example instead. */
export type Files = Readonly<Record<string, string>>

/** A node of the syntax tree, with only the parts that the checks look at. */
export interface Node {
  readonly type: string
  readonly start: number
  readonly [part: string]: unknown
}

/** One import, re-export or `import()`: of values, or of types alone. */
export interface Import {
  readonly specifier: string
  readonly types: boolean
}

export interface Module {
  readonly path: string
  readonly tree: Node
  readonly imports: readonly Import[]
}

/** The folder two levels up: the root of the checkout. */
export const root: string = fileURLToPath(new URL('../..', import.meta.url))

export function readFiles(...patterns: string[]): Files {
  const paths = globSync(patterns, { cwd: root }).map((path) => path.replaceAll('\\', '/'))
  return Object.fromEntries(paths.sort().map((path) => [path, readFileSync(join(root, path), 'utf8')]))
}

export function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && typeof (value as Node).type === 'string'
}

/** Calls `visit` for `node` and for all nodes below it, with the path of parents, nearest last. */
export function walk(node: Node, visit: (node: Node, parents: readonly Node[]) => void, parents: Node[] = []): void {
  visit(node, parents)
  parents.push(node)
  for (const part of Object.values(node)) {
    for (const child of Array.isArray(part) ? part : [part]) if (isNode(child)) walk(child, visit, parents)
  }
  parents.pop()
}

export function parse(files: Files): Module[] {
  return Object.entries(files).map(([path, text]) => {
    const { program, errors } = parseSync(path, text)
    if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`)
    const tree = program as unknown as Node
    const imports: Import[] = []
    walk(tree, (node) => {
      const from = node.source
      if (!isNode(from)) return
      const names = (node.specifiers ?? []) as readonly Node[]
      const each = names.length > 0 && names.every((name) => name.importKind === 'type' || name.exportKind === 'type')
      const types = node.type === 'TSImportType' || node.importKind === 'type' || node.exportKind === 'type' || each
      imports.push({ specifier: typeof from.value === 'string' ? from.value : '(computed)', types })
    })
    return { path, tree, imports }
  })
}

/** Where a relative import leads, as a path from the root; undefined for a package, `node:` or `#` name. */
export function target(from: string, specifier: string): string | undefined {
  return specifier.startsWith('.') ? join(dirname(from), specifier) : undefined
}

/** Where a node is, as `path:line`. */
export function place(files: Files, path: string, node: Node): string {
  return `${path}:${files[path]?.slice(0, node.start).split('\n').length}`
}
