import { HitherError } from '../errors.ts'
import { checkCodec, checkNames, checkOperations } from '../protocol/arguments.ts'
import { type Codec, decodeJson, encodeJson } from '../protocol/codec.ts'
import { digest, toBase64Url } from '../protocol/digest.ts'
import { type Duration, toMs } from '../protocol/duration.ts'
import { checkNamespace } from '../protocol/keys.ts'
import { randomBytes } from '../runtime/random.ts'
import type { AtomicStore, Call } from '../store/store.ts'
import { takeToken } from './operations.ts'

export interface TokensOptions {
  /** The store that holds the tokens' hashes and data. */
  readonly store: AtomicStore
  /** @default 'token' */
  readonly namespace?: string
  /** What the tokens are for: letters, digits, `_` and `-`. A token of one name is unknown under another. */
  readonly name: string
  /** How long a token can be consumed. */
  readonly ttl: Duration
  /** How data is stored, such as `encrypted({ keys })` of `hither/codec`. @default JSON that keeps Date, BigInt, Map, Set, bytes */
  readonly codec?: Codec
}

/** How one call may end early: `signal` rejects it with its reason, `deadline` (epoch milliseconds) with `TIMEOUT`. */
export type TokenCall = Pick<Call, 'signal' | 'deadline'>

/**
 * Tokens that work once: for a password reset, an invitation, a download. A token is 43 characters of base64url, 256 random
 * bits. The store holds only its SHA-256, so that nobody can take a working token from a copy of the store.
 */
export interface Tokens<T> {
  /**
   * Creates a token for `data`, which can be consumed for `ttl`. Rejects with `UNENCODABLE` for data that cannot be stored, such
   * as `undefined`, and with the errors of the store: then nobody knows the token, even if it was stored.
   */
  issue(data: T, call?: TokenCall): Promise<string>
  /**
   * Resolves to the data, once: of concurrent callers, only one gets it. `undefined` if the token was consumed, revoked or never
   * issued, has expired, or is malformed. When the reply is lost, rejects with `maybeExecuted`: the token may be consumed.
   */
  consume(token: string, call?: TokenCall): Promise<T | undefined>
  /** Deletes a token. Resolves to whether it could still be consumed. */
  revoke(token: string, call?: TokenCall): Promise<boolean>
}

const OPTIONS = ['store', 'namespace', 'name', 'ttl', 'codec']
const TOKEN_BYTES = 32

/**
 * One-time tokens over a store. Throws `UNSUPPORTED` for a store without operations, `INVALID_ARGUMENT`,
 * `INVALID_DURATION` or `INVALID_KEY` for options that make no sense.
 */
export function createTokens<T = unknown>(options: TokensOptions): Tokens<T> {
  checkNames('createTokens', options, OPTIONS)
  const { store, namespace = 'token', name, ttl, codec } = options ?? {}
  checkOperations('createTokens', store)
  checkCodec(codec)
  const ttlMs = toMs(ttl, 'ttl')
  const prefix = `:${checkNamespace(namespace)}:token:${checkNamespace(name)}:`
  /** The stored key of a token; undefined for anything that `issue` cannot have returned. */
  const keyOf = async (token: string): Promise<string | undefined> =>
    typeof token === 'string' && /^[\w-]{43}$/.test(token) ? prefix + (await digest(token)) : undefined

  return {
    async issue(data, call) {
      if (data === undefined) throw new HitherError('UNENCODABLE', 'a token has data: null where there is none')
      const token = toBase64Url(randomBytes(TOKEN_BYTES))
      // Encoded before anything is awaited, since the caller may change its data meanwhile. A codec needs the key.
      const plain = codec ? '' : encode(data)
      const key = prefix + (await digest(token))
      await store.set(key, codec ? codec.mark + (await codec.encode(data, key)) : plain, ttlMs, call)
      return token
    },
    async consume(token, call) {
      const key = await keyOf(token)
      const text = key && (await store.run(takeToken, key, [], call))
      return text ? ((await decode(codec, text, key as string)) as T) : undefined
    },
    async revoke(token, call) {
      const key = await keyOf(token)
      return key !== undefined && (await store.delete([key], call)) > 0
    },
  }
}

function encode(data: unknown): string {
  const { mark, payload } = encodeJson(data)
  return mark + payload
}

/** The data of a stored text; undefined for text of another form or codec. */
async function decode(codec: Codec | undefined, text: string, key: string): Promise<unknown> {
  const [mark, payload] = [text.slice(0, 1), text.slice(1)]
  try {
    if (!codec) return decodeJson(payload, mark)
    return mark === codec.mark ? await codec.decode(payload, key) : undefined
  } catch {
    return undefined
  }
}
