/** Encodes a key as a name. Letters, digits, `_`, `-`, `/` and inner dots stay; every other byte of UTF-8 becomes `=XX`. */
export function encodeKey(key: string): string {
  if (/^[\w/-]+$/.test(key)) return key
  let text = ''
  for (const byte of new TextEncoder().encode(key)) {
    const char = String.fromCharCode(byte)
    text += /[\w/-]/.test(char) || (char === '.' && text !== '' && !text.endsWith('.')) ? char : hex(byte)
  }
  // A subject must not end in a dot or have an empty part.
  return text.endsWith('.') ? `${text.slice(0, -1)}=2E` : text
}

function hex(byte: number): string {
  return `=${byte.toString(16).toUpperCase().padStart(2, '0')}`
}

/** Decodes a name that `encodeKey` made. A name of the same form by another program is decoded, too; others stay as they are. */
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

/** A regular expression for a glob pattern of Redis: `*`, `?`, `[a-z]`, and `\\` before a literal character. */
export function glob(pattern: string): RegExp {
  const source = pattern.replace(/\\[^]|\[\^?[^\]]*\]|[^]/g, (part) => {
    if (part === '*') return '[^]*'
    if (part === '?') return '[^]'
    if (part.length > 2) return part.replace(/\\/g, '\\\\')
    return part.slice(-1).replace(/[.*+?^${}()|[\]\\/]/, '\\$&')
  })
  return new RegExp(`^${source}$`)
}
