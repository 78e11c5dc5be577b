/** A bare item of a structured field (RFC 9651). Items of all other types are `other`. */
export type Item = string | number | boolean | { readonly token: string } | { readonly other: true }
/** A member of a list or dictionary: an item, or an inner list of items. Parameters are read and dropped. */
export type Member = Item | readonly Item[]

const OTHER: Item = { other: true }
const KEY = /[a-z*][a-z0-9_.*-]*/y
const NUMBER = /-?(?:\d{1,12}\.\d{1,3}|\d{1,15})(?![\d.])/y
const TOKEN = /[A-Za-z*][!#$%&'*+\-.^_`|~\w:/]*/y
const STRING = /"((?:[ !#-[\]-~]|\\["\\])*)"/y
const BYTES = /:[A-Za-z0-9+/=]*:/y
const DATE = /@-?\d{1,15}(?![\d.])/y
const DISPLAY = /%"(?:[ !#$&-~]|%[0-9a-f]{2})*"/y
const SPACES = / */y
const COMMA = /[ \t]*,[ \t]*/y

/** Most members of a field: as many as every parser must accept (RFC 9651, section 3). */
const MAX_MEMBERS = 1024
/** Most parameters of one item. */
const MAX_PARAMETERS = 256

/** A parser of one field value. Its expressions are sticky and do not backtrack, so that it takes linear time. */
class Reader {
  at = 0
  members = 0
  readonly text: string
  constructor(text: string) {
    this.text = text.replace(/^ +/, '')
  }
  take(rule: RegExp): RegExpExecArray | undefined {
    rule.lastIndex = this.at
    const found = rule.exec(this.text) ?? undefined
    if (found) this.at = rule.lastIndex
    return found
  }
  next(char: string): boolean {
    if (this.text[this.at] !== char) return false
    this.at++
    return true
  }
  item(): Item {
    let found = this.take(NUMBER)
    if (found) return found[0].includes('.') ? OTHER : Number(found[0])
    found = this.take(STRING)
    if (found) return (found[1] as string).replace(/\\(.)/g, '$1')
    found = this.take(TOKEN)
    if (found) return { token: found[0] }
    if (this.next('?')) {
      if (this.next('1')) return true
      if (this.next('0')) return false
    }
    if (this.take(BYTES) || this.take(DATE) || this.take(DISPLAY)) return OTHER
    throw new SyntaxError()
  }
  /** A member without a value. */
  flag(): true {
    if (++this.members > MAX_MEMBERS) throw new SyntaxError()
    return true
  }
  parameters(): void {
    for (let count = 1; this.next(';'); count++) {
      if (count > MAX_PARAMETERS) throw new SyntaxError()
      this.take(SPACES)
      if (!this.take(KEY)) throw new SyntaxError()
      if (this.next('=')) this.item()
    }
  }
  member(): Member {
    if (++this.members > MAX_MEMBERS) throw new SyntaxError()
    if (!this.next('(')) return this.item()
    const items: Item[] = []
    for (;;) {
      const spaces = (this.take(SPACES) as RegExpExecArray)[0]
      if (this.next(')')) return items
      if (items.length > 0 && !spaces) throw new SyntaxError()
      if (items.length === MAX_MEMBERS) throw new SyntaxError()
      items.push(this.item())
      this.parameters()
    }
  }
  /** Whether another member follows. */
  more(): boolean {
    this.take(SPACES)
    if (this.at === this.text.length) return false
    if (!this.take(COMMA) || this.at === this.text.length) throw new SyntaxError()
    return true
  }
}

function attempt<T>(text: string | null, parse: (reader: Reader) => T): T | undefined {
  if (!text) return undefined
  try {
    const reader = new Reader(text)
    return reader.text ? parse(reader) : undefined
  } catch {
    return undefined
  }
}

/** The members of a dictionary by key; the last of equal keys counts. Undefined if it is absent, empty or malformed. */
export function parseDictionary(text: string | null): ReadonlyMap<string, Member> | undefined {
  return attempt(text, (reader) => {
    const members = new Map<string, Member>()
    do {
      const key = reader.take(KEY)?.[0]
      if (key === undefined) throw new SyntaxError()
      members.set(key, reader.next('=') ? reader.member() : reader.flag())
      reader.parameters()
    } while (reader.more())
    return members
  })
}

/** The members of a list. Undefined if it is absent, empty or malformed. */
export function parseList(text: string | null): readonly Member[] | undefined {
  return attempt(text, (reader) => {
    const members: Member[] = []
    do {
      members.push(reader.member())
      reader.parameters()
    } while (reader.more())
    return members
  })
}
