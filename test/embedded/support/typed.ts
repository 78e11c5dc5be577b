/** A RESP reply with its types, so that the replies of two servers can be compared. Strings hold one byte per code unit. */
export type Typed = string | number | null | { readonly [type: string]: unknown } | readonly Typed[]

/** Reads one reply of `text` from `start` on; undefined if the reply is not complete yet. */
export function readReply(text: string, start: number): readonly [reply: Typed, end: number] | undefined {
  const lineEnd = text.indexOf('\r\n', start)
  if (lineEnd < 0) return undefined
  const line = text.slice(start + 1, lineEnd)
  const after = lineEnd + 2
  const many = (count: number): readonly [Typed[], number] | undefined => {
    const items: Typed[] = []
    let at = after
    for (let i = 0; i < count; i++) {
      const read = readReply(text, at)
      if (!read) return undefined
      items.push(read[0])
      at = read[1]
    }
    return [items, at]
  }
  const wrapped = (type: string, count: number): readonly [Typed, number] | undefined => {
    const read = many(count)
    return read && [{ [type]: read[0] }, read[1]]
  }
  switch (text[start]) {
    case '$':
    case '=': {
      const length = Number(line)
      if (length < 0) return [null, after]
      if (text.length < after + length + 2) return undefined
      const body = text.slice(after, after + length)
      return [text[start] === '=' ? { verbatim: body } : body, after + length + 2]
    }
    case '*':
      return Number(line) < 0 ? [{ nullArray: true }, after] : many(Number(line))
    case '%':
      return wrapped('map', 2 * Number(line))
    case '~':
      return wrapped('set', Number(line))
    case '>':
      return wrapped('push', Number(line))
    case ':':
      return [{ int: line }, after]
    case '+':
      return [{ ok: line }, after]
    case '-':
      return [{ err: line }, after]
    case '_':
      return [{ null3: true }, after]
    case ',':
      return [{ double: line }, after]
    case '#':
      return [{ bool: line }, after]
    case '(':
      return [{ big: line }, after]
  }
  throw new Error(`no reply: ${JSON.stringify(text.slice(start, start + 40))}`)
}

export const frame = (args: readonly string[]): string =>
  `*${args.length}\r\n${args.map((arg) => `$${arg.length}\r\n${arg}\r\n`).join('')}`
