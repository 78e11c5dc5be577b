/** Deepest nesting of a value. A cycle exceeds any depth. */
export const MAX_DEPTH = 64
/** Most objects, properties and items of one value, counted in its text. */
export const MAX_ELEMENTS = 1_000_000
/** Largest BigInt: the time to parse digits grows faster than their number. */
export const MAX_INTEGER_BITS = 16_384
/** Most characters of a BigInt in text: a sign and its digits. */
export const MAX_INTEGER_DIGITS = 4934

/** Shorter text is not scanned: it is parsed quickly, whatever it contains. */
const SCANNED_FROM = 1_048_576
/**
 * Most levels of text. A Set, or an object with a property `$`, takes two levels of text for one level of the value. A value
 * that counts as no level, such as a BigInt, may add one more.
 */
const MAX_TEXT_DEPTH = 2 * MAX_DEPTH + 1

/**
 * Whether JSON text stays within the bounds that must be checked before it is parsed, because the parsed value takes many times
 * the memory of its text. For text that is no JSON the result may be either.
 */
export function isBounded(text: string): boolean {
  if (text.length < SCANNED_FROM) return true
  let depth = 0
  let elements = 0
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i)
    if (char === 0x22) {
      i = endOfText(text, i)
      if (i < 0) return true
    } else if (char === 0x2c) elements++
    else if (char === 0x5b || char === 0x7b) {
      elements++
      if (++depth > MAX_TEXT_DEPTH) return false
    } else if (char === 0x5d || char === 0x7d) depth--
    if (elements > MAX_ELEMENTS) return false
  }
  return true
}

/** The index of the quote that ends the string which begins at `start`; below 0: the string has no end. */
function endOfText(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); ; end = text.indexOf('"', end + 1)) {
    let slashes = 0
    while (text.charCodeAt(end - 1 - slashes) === 0x5c) slashes++
    if (end < 0 || slashes % 2 === 0) return end
  }
}

/** Whether JSON text may have more than `MAX_DEPTH` levels. Few texts have so many brackets, and counting them is quick. */
export function mayBeDeep(text: string): boolean {
  // Shorter text has no room for so many brackets.
  if (text.length <= 2 * MAX_DEPTH) return false
  let brackets = 0
  for (const bracket of '{[') {
    for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1)) {
      if (++brackets > MAX_DEPTH) return true
    }
  }
  return false
}
