/** Length of `text` in bytes of UTF-8; a lone surrogate counts as 3. */
export function utf8Length(text: string): number {
  let bytes = text.length
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit > 0x7f) bytes += unit > 0x7ff ? 2 : 1
    // A surrogate pair is 4 bytes, not 6.
    if (unit >> 10 === 54 && text.charCodeAt(i + 1) >> 10 === 55) bytes -= 2
  }
  return bytes
}

/** Whether `text` has no lone surrogate, so that UTF-8 gives it back unchanged. */
export function isWellFormed(text: string): boolean {
  return text.isWellFormed()
}
