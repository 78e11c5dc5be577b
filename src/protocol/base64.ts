/** Bytes as standard base64. */
export function toBase64(bytes: Uint8Array): string {
  let binary = ''
  // `apply` takes the bytes as they are. Spread into arguments they would cost six times as much.
  for (let i = 0; i < bytes.length; i += 8192) {
    binary += String.fromCharCode.apply(null, bytes.subarray(i, i + 8192) as unknown as number[])
  }
  return btoa(binary)
}

/** Throws for text that is no base64. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  const binary = atob(text)
  const bytes = new Uint8Array(binary.length)
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i)
  return bytes
}
