/** Letters, digits, `_`, `-` and `/` stand for themselves, and so does a dot within; every other byte of UTF-8 is `=XX`. */
export function encodeKey(key: string): string {
  if (/^[\w/-]+$/.test(key)) return key
  let text = ''
  for (const byte of new TextEncoder().encode(key)) {
    const char = String.fromCharCode(byte)
    text += /[\w/-]/.test(char) || (char === '.' && text !== '' && !text.endsWith('.')) ? char : hex(byte)
  }
  // A subject neither ends in a dot nor has an empty part.
  return text.endsWith('.') ? `${text.slice(0, -1)}=2E` : text
}

function hex(byte: number): string {
  return `=${byte.toString(16).toUpperCase().padStart(2, '0')}`
}

/** The key of a name that `encodeKey` has made; another program's name of the same form stands for itself. */
export function decodeKey(name: string): string {
  if (!name.includes('=')) return name
  const bytes: number[] = []
  for (let i = 0; i < name.length; i++) {
    const code = name[i] === '=' ? Number.parseInt(name.slice(i + 1, i + 3), 16) : Number.NaN
    if (Number.isNaN(code)) bytes.push(name.charCodeAt(i))
    else {
      bytes.push(code)
      i += 2
    }
  }
  return new TextDecoder().decode(Uint8Array.from(bytes))
}

/** A pattern as Redis has them: `*`, `?`, `[a-z]`, `\\` before a character that stands for itself. */
export function glob(pattern: string): RegExp {
  const source = pattern.replace(/\\[^]|\[\^?[^\]]*\]|[^]/g, (part) => {
    if (part === '*') return '[^]*'
    if (part === '?') return '[^]'
    if (part.length > 2) return part.replace(/\\/g, '\\\\')
    return part.slice(-1).replace(/[.*+?^${}()|[\]\\/]/, '\\$&')
  })
  return new RegExp(`^${source}$`)
}
