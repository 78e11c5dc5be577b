import { overSocket } from './servers.ts'
import type { Typed } from './typed.ts'

/** One part of a command's grammar, from COMMAND DOCS. */
export interface Part {
  readonly name: string
  readonly type: string
  readonly token: string
  readonly optional: boolean
  readonly multiple: boolean
  readonly repeatsToken: boolean
  readonly parts: readonly Part[]
}

export interface Grammar {
  /** Words, such as `['XGROUP', 'CREATE']`. */
  readonly words: readonly string[]
  readonly group: string
  readonly parts: readonly Part[]
}

const field = (list: Typed | undefined, name: string): Typed | undefined => {
  const items = (list ?? []) as readonly Typed[]
  for (let i = 0; i < items.length; i += 2) if (items[i] === name) return items[i + 1]
  return undefined
}

const text = (list: Typed, name: string): string => String(field(list, name) ?? '')

function readPart(part: Typed): Part {
  const flags = ((field(part, 'flags') ?? []) as { ok: string }[]).map((flag) =>
    typeof flag === 'string' ? flag : flag.ok,
  )
  return {
    name: text(part, 'name'),
    type: text(part, 'type'),
    token: text(part, 'token'),
    optional: flags.includes('optional'),
    multiple: flags.includes('multiple'),
    repeatsToken: flags.includes('multiple_token'),
    parts: ((field(part, 'arguments') ?? []) as Typed[]).map(readPart),
  }
}

function readCommand(name: string, docs: Typed): Grammar[] {
  const inner = (field(docs, 'subcommands') ?? []) as readonly Typed[]
  if (inner.length > 0) {
    return inner.flatMap((_, i) => (i % 2 === 0 ? readCommand(String(inner[i]), inner[i + 1] as Typed) : []))
  }
  const parts = ((field(docs, 'arguments') ?? []) as Typed[]).map(readPart)
  return [{ words: name.toUpperCase().split('|'), group: text(docs, 'group'), parts }]
}

/** Reads the grammars of all commands of a server. */
export async function readGrammars(url: string): Promise<Grammar[]> {
  const server = await overSocket(url)
  const [docs] = await server.ask([['COMMAND', 'DOCS']])
  server.close()
  const items = docs as readonly Typed[]
  return items.flatMap((_, i) => (i % 2 === 0 ? readCommand(String(items[i]), items[i + 1] as Typed) : []))
}
