/**
 * Makes the reference of what each entry of the package exports, from types and docstrings: `apiPages()` for the site
 * (`scripts/docs.ts`). It uses the compiler API of TypeScript 6, since version 7 has none.
 */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import ts from 'typescript60'

const root = fileURLToPath(new URL('..', import.meta.url))

export interface ApiPage {
  /** The name by which programs import the entry. */
  readonly entry: string
  /** The name of the page's file, without `.md`. */
  readonly name: string
  readonly text: string
}

/** A page for each entry, and the names of exports without a docstring. */
export function apiPages(): { readonly pages: readonly ApiPage[]; readonly undocumented: readonly string[] } {
  const { exports } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as {
    exports: Record<string, { readonly types?: string }>
  }
  const entries = Object.entries(exports).flatMap(([path, { types }]) =>
    types ? [{ entry: `hither${path.slice(1)}`, file: sourceOf(types) }] : [],
  )
  const program = ts.createProgram(
    entries.map(({ file }) => file),
    optionsOf(),
  )
  const checker = program.getTypeChecker()
  const undocumented: string[] = []
  const pages = entries.map(({ entry, file }) => {
    const source = program.getSourceFile(file) as ts.SourceFile
    const module = checker.getSymbolAtLocation(source)
    const symbols = module ? checker.getExportsOfModule(module) : []
    const sections = symbols
      .map((symbol) => ({ name: symbol.name, symbol: target(checker, symbol) }))
      .toSorted((a, b) => rank(a.symbol) - rank(b.symbol) || (a.name < b.name ? -1 : 1))
      .map(({ name, symbol }) => {
        if (isValue(symbol) && !docOf(checker, symbol)) undocumented.push(`${entry}: ${name}`)
        return section(checker, name, symbol)
      })
    const text = `# ${entry}\n\n\`\`\`ts\nimport { … } from '${entry}'\n\`\`\`\n\n${sections.join('\n\n')}\n`
    return { entry, name: entry.replaceAll('/', '-'), text }
  })
  return { pages, undocumented }
}

const sourceOf = (types: string): string => `${root}${types.replace('./dist/', '').replace(/d\.ts$/, 'ts')}`

function optionsOf(): ts.CompilerOptions {
  const { config } = ts.readConfigFile(`${root}tsconfig.json`, ts.sys.readFile)
  return { ...ts.parseJsonConfigFileContent(config, ts.sys, root).options, noEmit: true }
}

/** The symbol that an export refers to, through its alias if it is one. */
function target(checker: ts.TypeChecker, symbol: ts.Symbol): ts.Symbol {
  return symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
}

const isValue = ({ flags }: ts.Symbol): boolean => (flags & ts.SymbolFlags.Value) !== 0

/** Functions come first, then other values, then types. */
function rank({ flags }: ts.Symbol): number {
  if (flags & ts.SymbolFlags.Function) return 0
  return flags & ts.SymbolFlags.Value ? 1 : 2
}

function docOf(checker: ts.TypeChecker, symbol: ts.Symbol): string {
  return prose(ts.displayPartsToString(symbol.getDocumentationComment(checker)))
}

/** Escapes `<` and `{{`, which would begin a tag or a template; text between back quotes stays as it is. */
function prose(text: string): string {
  return text
    .split(/(`[^`]*`)/)
    .map((part, i) => (i % 2 ? part : part.replaceAll('<', '&lt;').replaceAll('{{', '{ {')))
    .join('')
    .trim()
}

function section(checker: ts.TypeChecker, name: string, symbol: ts.Symbol): string {
  const declarations = symbol.declarations ?? []
  const overloads = declarations.filter((each) => !(ts.isFunctionDeclaration(each) && each.body)).length
  const shown =
    overloads > 0 ? declarations.filter((each) => !ts.isFunctionDeclaration(each) || !each.body) : declarations
  const code = [...new Set(shown.map((each) => head(checker, each)))].join('\n')
  const rows = shown.some((each) => ts.isInterfaceDeclaration(each) || ts.isClassDeclaration(each))
    ? members(checker, symbol)
    : []
  const table = rows.length > 0 ? `| member | what it is |\n|---|---|\n${rows.join('\n')}` : ''
  return [`## ${name}`, docOf(checker, symbol), `\`\`\`ts\n${code}\n\`\`\``, table].filter(Boolean).join('\n\n')
}

/** A declaration without its body and its comments. */
function head(checker: ts.TypeChecker, node: ts.Declaration): string {
  const source = node.getSourceFile()
  const text = (from: number, to: number): string =>
    source.text
      .slice(from, to)
      .trim()
      .replace(/^export /, '')
  if (ts.isFunctionDeclaration(node)) return text(node.getStart(), node.body?.pos ?? node.end)
  if (ts.isInterfaceDeclaration(node) || ts.isClassDeclaration(node)) {
    return text(node.getStart(), node.members.pos).replace(/\s*\{$/, '')
  }
  if (ts.isVariableDeclaration(node)) {
    return `const ${node.name.getText()}: ${checker.typeToString(checker.getTypeAtLocation(node), node)}`
  }
  return text(node.getStart(), node.end).replace(/^\s*\/\*\*[\s\S]*?\*\/\n/gm, '')
}

/** A row for each member, including those that are inherited from types of the package. */
function members(checker: ts.TypeChecker, symbol: ts.Symbol): string[] {
  return checker.getPropertiesOfType(checker.getDeclaredTypeOfSymbol(symbol)).flatMap((member) => {
    const [first] = member.declarations ?? []
    if (!first || first.getSourceFile().fileName.includes('/node_modules/')) return []
    if (ts.getCombinedModifierFlags(first) & ts.ModifierFlags.Private) return []
    const signatures = (member.declarations ?? []).map((each) =>
      each
        .getText()
        .replace(/^(override |readonly |get )+/, '')
        .replace(/\s*\{[\s\S]*$/, (rest) => (ts.isMethodDeclaration(each) || ts.isGetAccessor(each) ? '' : rest)),
    )
    const initial = member.getJsDocTags(checker).find(({ name }) => name === 'default')
    const fallback = initial ? ` Default: ${prose(ts.displayPartsToString(initial.text)).replace(/\.$/, '')}.` : ''
    const code = signatures.map((each) => `\`${each.replace(/\s+/g, ' ').replaceAll('|', '\\|')}\``).join('<br>')
    const text = `${docOf(checker, member)}${fallback}`.replace(/\s*\n\s*/g, ' ').replace(/(?<!\\)\|/g, '\\|')
    return [`| ${code} | ${text.trim()} |`]
  })
}
