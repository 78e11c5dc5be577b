/** Deepest nesting of a value. A cycle goes past any depth. */
export const MAX_DEPTH = 64
/** Most objects, properties and items of one value, as its text has them. */
export const MAX_ELEMENTS = 1_000_000
/** Largest BigInt: reading digits costs more than their number. */
export const MAX_INTEGER_BITS = 16_384
/** A sign, and the digits of the largest. */
export const MAX_INTEGER_DIGITS = 4934

/** Shorter text is parsed in no time, whatever it says. */
const SCANNED_FROM = 1_048_576
/** A Set, and an object with a property `$`, is two levels of text for one of the value; what has none may be one more. */
const MAX_TEXT_DEPTH = 2 * MAX_DEPTH + 1

/**
 * Whether JSON text stays within the bounds, as far as they matter before it is parsed: what it would take in memory is
 * many times its length. Text that is no JSON may be either.
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

/** Where the text in quotes that begins at `start` ends; below 0: nowhere. */
function endOfText(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); ; end = text.indexOf('"', end + 1)) {
    let slashes = 0
    while (text.charCodeAt(end - 1 - slashes) === 0x5c) slashes++
    if (end < 0 || slashes % 2 === 0) return end
  }
}

/** Whether JSON text may hold more than `MAX_DEPTH` levels: few texts have so many brackets, and the search for them is quick. */
export function mayBeDeep(text: string): boolean {
  // Shorter text has no room for them.
  if (text.length <= 2 * MAX_DEPTH) return false
  let brackets = 0
  for (const bracket of '{[') {
    for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1)) {
      if (++brackets > MAX_DEPTH) return true
    }
  }
  return false
}
