/** The edge runtime has no sockets. */
export function openSocket(): never {
  throw new TypeError('this runtime has no sockets: use a store over HTTP here')
}

/** Bytes of UTF-8 as text. */
export function decodeText(bytes: Uint8Array, from: number, to: number): string {
  return new TextDecoder().decode(bytes.subarray(from, to))
}

/** Bytes of the text in UTF-8. */
export function byteLength(text: string): number {
  return new TextEncoder().encode(text).length
}
