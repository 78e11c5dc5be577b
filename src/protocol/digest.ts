import { perTick } from '../runtime/per-tick.ts'
import { toBase64 } from './base64.ts'

/** Longest name that becomes part of a key without being hashed. */
const MAX_NAME = 128

/** SHA-1 of text as lower-case hex: the name under which a server keeps a script. */
export async function sha1(text: string): Promise<string> {
  return Array.from(await hash('SHA-1', text), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** SHA-256 of text, as 43 characters of base64url. */
async function sha256(text: string): Promise<string> {
  return toBase64Url(await hash('SHA-256', text))
}

const thisTick = /* @__PURE__ */ perTick<{ readonly all: Promise<string>[]; readonly done: Promise<unknown> }>()

/**
 * As `sha256`, but text with lone surrogates, which UTF-8 would make equal, has a digest that differs. Digests of one run of
 * microtasks resolve together. WebCrypto resolves each in another run, so that calls which could share one request to the store
 * would be sent in one request each.
 */
export async function digest(text: string): Promise<string> {
  const own = sha256(JSON.stringify(text))
  let run = thisTick.get('')
  if (!run) {
    const all: Promise<string>[] = []
    run = { all, done: Promise.resolve().then(() => Promise.allSettled(all)) }
    thisTick.set('', run)
  }
  run.all.push(own)
  await run.done
  return own
}

async function hash(algorithm: 'SHA-1' | 'SHA-256', text: string): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest(algorithm, new TextEncoder().encode(text)))
}

export function toBase64Url(bytes: Uint8Array): string {
  return toBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

/**
 * The key of a user's `name` under `prefix`: the name after a colon; or its digest after `#` where the name is longer than 128
 * characters, is malformed, or has a brace, which would choose the node of a Cluster.
 */
export function keyUnder(prefix: string, name: string): string | Promise<string> {
  if (name.length <= MAX_NAME && name.isWellFormed() && !name.includes('{')) return `${prefix}:${name}`
  return digest(name).then((short) => `${prefix}#${short}`)
}
