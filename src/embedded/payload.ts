import { sha1 } from './digest.ts'

/**
 * Start of a payload of DUMP and FUNCTION DUMP in the first format of this package. A Redis server's payload has another format
 * and is refused. The content is ASCII, so that clients that handle only text keep it whole. A checksum follows it.
 */
const MARK = 'HITHER1'
const SUM_BYTES = 40

/** Writes content that JSON can hold, whose strings have one unit a byte. */
export function writePayload(content: unknown): string {
  const text = JSON.stringify(content)
  const body = MARK + text.replace(/[\x80-\xff]/g, (char) => `\\u00${char.charCodeAt(0).toString(16)}`)
  return body + sha1(body)
}

/** The content of a payload; undefined if the payload is not of this format, or was changed. */
export function readPayload(payload: string): { readonly content: unknown } | undefined {
  const body = payload.slice(0, -SUM_BYTES)
  if (!body.startsWith(MARK) || payload !== body + sha1(body)) return undefined
  try {
    return { content: JSON.parse(body.slice(MARK.length)) }
  } catch {
    // Forged: the checksum is right, but the content is not JSON.
    return { content: undefined }
  }
}
