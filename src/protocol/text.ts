/** Length of `text` in bytes of UTF-8; a lone surrogate counts as 3. */
export function utf8Length(text: string): number {
  let bytes = text.length
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0x80) continue
    bytes++
    if (unit < 0x800) continue
    if (unit >= 0xd800 && unit < 0xdc00 && (text.charCodeAt(i + 1) & 0xfc00) === 0xdc00) i++
    else {
      bytes++
      continue
    }
    bytes++
  }
  return bytes
}

/** Whether `text` holds no lone surrogate, so that UTF-8 gives it back unchanged. */
export function isWellFormed(text: string): boolean {
  return text.isWellFormed()
}
