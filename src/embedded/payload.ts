import { sha1 } from './digest.ts'

/**
 * What a payload of DUMP and of FUNCTION DUMP begins with: ours, of the first format. That of a Redis server is another,
 * and is refused. What follows is ASCII, so that a client that knows text alone carries it whole, and then a checksum.
 */
const MARK = 'HITHER1'
const SUM_BYTES = 40

/** Writes something that JSON can hold, whose strings hold one byte a unit. */
export function writePayload(content: unknown): string {
  const text = JSON.stringify(content)
  const body = MARK + text.replace(/[\x80-\xff]/g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`)
  return body + sha1(body)
}

/** What a payload holds; undefined where it is none of ours, or not as it was written. */
export function readPayload(payload: string): { readonly content: unknown } | undefined {
  const body = payload.slice(0, -SUM_BYTES)
  if (!body.startsWith(MARK) || payload !== body + sha1(body)) return undefined
  try {
    return { content: JSON.parse(body.slice(MARK.length)) }
  } catch {
    // A forged one: its checksum is right, and its content is no JSON.
    return { content: undefined }
  }
}
