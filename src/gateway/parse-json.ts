import type { Caps } from './options.ts'
import { Refusal } from './refusal.ts'

/** A body of at most this many UTF-16 units is parsed without a scan first, since it can hold little. */
const SHORT = 16_384
/** A request is a list of lists. Anything deeper is not a request. */
const MAX_DEPTH = 16
/** A whole request may have this many times the arguments of one command. */
const COMMANDS = 10
const LONG = /\d{16}/
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/

const utf8 = new TextDecoder('utf-8', { fatal: true })

/**
 * The JSON value of a body. A number of 16 digits or more becomes its text, so that no digit is lost. Depth and number of
 * elements are checked before anything is built. Throws a `Refusal` that does not contain the text.
 */
export function parseJson(body: Uint8Array, { maxArguments }: Caps): unknown {
  const text = decode(body)
  const checked = text.length > SHORT || LONG.test(text) ? scan(text, COMMANDS * maxArguments) : text
  try {
    return JSON.parse(checked)
  } catch {
    throw malformed()
  }
}

function decode(body: Uint8Array): string {
  try {
    return utf8.decode(body)
  } catch {
    throw malformed()
  }
}

function malformed(): Refusal {
  return new Refusal(400, 'ERR Failed to parse the request body as JSON')
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COMMA = 0x2c
const MINUS = 0x2d

/**
 * Reads a JSON text once, in linear time, without building values. Refuses a text that is too deep or has too many elements,
 * and returns it with its long numbers in quotes. Invalid JSON is left for the parser to refuse.
 */
function scan(text: string, maxElements: number): string {
  let quoted = ''
  let copied = 0
  let depth = 0
  let elements = 1
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at)
    if (unit === QUOTE) at = endOfString(text, at)
    else if (unit === COMMA) {
      if (++elements > maxElements) throw new Refusal(400, `ERR a request may have ${maxElements} arguments`)
    } else if (unit === 0x5b || unit === 0x7b) {
      if (++depth > MAX_DEPTH) throw malformed()
    } else if (unit === 0x5d || unit === 0x7d) depth--
    else if (unit === MINUS || isDigit(unit)) {
      const end = endOfNumber(text, at)
      if (end - at >= 16 && isLong(text.slice(at, end))) {
        quoted += `${text.slice(copied, at)}"${text.slice(at, end)}"`
        copied = end
      }
      at = end - 1
    }
  }
  return copied === 0 ? text : quoted + text.slice(copied)
}

/** Whether a text is a JSON number with 16 digits in a row, which a double may not hold exactly. */
function isLong(number: string): boolean {
  return LONG.test(number) && NUMBER.test(number)
}

function isDigit(unit: number): boolean {
  return unit >= 0x30 && unit <= 0x39
}

/** Index of the quote that ends the string beginning at `from`; the length of the text if there is none. */
function endOfString(text: string, from: number): number {
  for (let at = text.indexOf('"', from + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let slashes = 0
    while (text.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes++
    if (slashes % 2 === 0) return at
  }
  return text.length
}

/** Index after the last character that a number may have: digits, point, exponent, signs. */
function endOfNumber(text: string, from: number): number {
  let at = from + 1
  while (at < text.length && isOfNumber(text.charCodeAt(at))) at++
  return at
}

function isOfNumber(unit: number): boolean {
  return isDigit(unit) || unit === 0x2e || unit === 0x65 || unit === 0x45 || unit === 0x2b || unit === MINUS
}
