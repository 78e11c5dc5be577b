import { HitherError } from '../errors.ts'
import { fromBase64 } from '../protocol/base64.ts'
import { sha256, toBase64Url } from '../protocol/digest.ts'
import { SUBJECT_LENGTH } from './record.ts'

/** What a cookie of ours says. */
export interface Claim {
  /** 192 random bits, as base64url. */
  readonly id: string
  /** Reference to the subject; '' for none. */
  readonly subject: string
}

export interface CookieSettings {
  readonly name: string
  readonly path: string
  readonly sameSite: 'Lax' | 'Strict'
  readonly secure: boolean
  readonly maxAgeSeconds: number
}

export interface Cookies {
  /** What the first cookie that we have signed says; undefined without one. */
  read(header: string | null): Promise<Claim | undefined>
  /** A `Set-Cookie` value. */
  write(claim: Claim): Promise<string>
  /** A `Set-Cookie` value that deletes the cookie. */
  clear(): string
}

const SECRET_BYTES = 32
const ID_LENGTH = 32
const VALUE = /^([\w-]{32})\.([\w-]{22})?\.([\w-]{43})$/
/** Cookies of our name in one request that are looked at. */
const MAX_COOKIES = 4

/**
 * Cookies `<id>.<subject>.<signature>`, signed by HMAC-SHA-256 (RFC 2104) over the namespace, the id and the subject. The first
 * secret signs, each is accepted. `__Host-` keeps other hosts and paths from setting one (RFC 6265bis, section 4.1.3.2).
 */
export function createCookies(
  secrets: readonly (Uint8Array | string)[],
  namespace: string,
  { name, path, sameSite, secure, maxAgeSeconds }: CookieSettings,
): Cookies {
  const raw = checkSecrets(secrets)
  let imported: Promise<CryptoKey[]> | undefined
  const keys = (): Promise<CryptoKey[]> => {
    imported ??= Promise.all(
      raw.map((secret) =>
        crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign', 'verify']),
      ),
    )
    return imported
  }
  const message = ({ id, subject }: Claim): Uint8Array<ArrayBuffer> =>
    new TextEncoder().encode(`hither session ${namespace} ${id}.${subject}`)
  const attributes = `Path=${path}; HttpOnly; SameSite=${sameSite}${secure ? '; Secure' : ''}`

  return {
    async read(header) {
      for (const value of valuesOf(header ?? '', name).slice(0, MAX_COOKIES)) {
        const [, id = '', subject = '', signature = ''] = VALUE.exec(value) ?? []
        // Two texts of one signature would be two cookies of one session.
        if (!id || toBase64Url(fromBase64Url(signature)) !== signature) continue
        const claim = { id, subject }
        for (const key of await keys()) {
          if (await crypto.subtle.verify('HMAC', key, fromBase64Url(signature), message(claim))) return claim
        }
      }
      return undefined
    },
    async write(claim) {
      const [key] = await keys()
      const signature = await crypto.subtle.sign('HMAC', key as CryptoKey, message(claim))
      const value = `${claim.id}.${claim.subject}.${toBase64Url(new Uint8Array(signature))}`
      return `${name}=${value}; Max-Age=${maxAgeSeconds}; ${attributes}`
    },
    clear: () => `${name}=; Max-Age=0; ${attributes}`,
  }
}

/** The values of the cookies of one name, in the order in which the client sent them. */
function valuesOf(header: string, name: string): string[] {
  const values: string[] = []
  for (const pair of header.split(';')) {
    const at = pair.indexOf('=')
    if (at > 0 && pair.slice(0, at).trim() === name) values.push(pair.slice(at + 1).trim())
  }
  return values
}

function checkSecrets(secrets: readonly (Uint8Array | string)[]): Uint8Array<ArrayBuffer>[] {
  if (!Array.isArray(secrets) || secrets.length === 0) throw badSecret()
  return secrets.map((secret) => {
    let bytes: Uint8Array<ArrayBuffer> | undefined
    try {
      bytes = typeof secret === 'string' ? fromBase64(secret) : new Uint8Array(secret)
    } catch {
      // Said below, without the text.
    }
    if (!bytes || bytes.length < SECRET_BYTES) throw badSecret()
    return bytes
  })
}

function badSecret(): HitherError {
  return new HitherError(
    'INVALID_ARGUMENT',
    `secrets is a list, the current one first; each is at least ${SECRET_BYTES} random bytes, or their base64`,
  )
}

function fromBase64Url(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0))
}

/** A reference to a subject, such as a user's id: 132 bits of its digest. */
export async function subjectRef(subject: string): Promise<string> {
  return (await sha256(subject)).slice(0, SUBJECT_LENGTH)
}

export const ID_BYTES: number = (ID_LENGTH * 6) / 8
