import { toBase64 } from './base64.ts'

/** Longest name that is part of a key as it is. */
const MAX_NAME = 128

/** SHA-256 of text, as 43 characters of base64url. Text with lone surrogates has a digest of its own. */
export async function digest(text: string): Promise<string> {
  // JSON keeps lone surrogates apart, which UTF-8 does not.
  const bytes = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(JSON.stringify(text)))
  return toBase64Url(new Uint8Array(bytes))
}

export function toBase64Url(bytes: Uint8Array): string {
  return toBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

/**
 * The key of a user's `name` under `prefix`: the name after a colon, or its digest after `#` where it is longer than 128
 * characters or malformed, or has a brace, which would choose the node of a Cluster.
 */
export function keyUnder(prefix: string, name: string): string | Promise<string> {
  if (name.length <= MAX_NAME && name.isWellFormed() && !name.includes('{')) return `${prefix}:${name}`
  return digest(name).then((short) => `${prefix}#${short}`)
}
