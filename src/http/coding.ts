/**
 * What a body must begin with to be stored, by its Content-Encoding. Undefined: it is not stored. `isRecoded`: the runtime decodes
 * what is fetched and encodes what is sent, as workerd does, and does not say which it did or will do. Of gzip the bytes tell.
 */
export function startOf(coding: string | null, isRecoded: boolean): ((start: Uint8Array) => boolean) | undefined {
  const name = isRecoded ? coding?.toLowerCase() : undefined
  if (name === 'br') return undefined
  return name === 'gzip' ? isGzip : () => true
}

const isGzip = (start: Uint8Array): boolean => start[0] === 0x1f && start[1] === 0x8b
