import { HitherError } from '../errors.ts'
import { checkNames, checkWhole, ownOf } from '../protocol/arguments.ts'
import { fromBase64, toBase64 } from '../protocol/base64.ts'
import { concat } from '../protocol/bytes.ts'
import type { Codec } from '../protocol/codec.ts'
import { checkCodec, json } from './json.ts'

export interface CompressedOptions {
  /** Text of more UTF-8 bytes than this is compressed. @default 1024 */
  readonly above?: number
  /**
   * Most bytes to which a stored value may inflate. A larger one is not inflated any further, and its entry is a miss. Text that
   * is longer than this is not compressed. @default 8 MiB
   */
  readonly maxBytes?: number
  /** The codec whose text is compressed. @default json */
  readonly codec?: Codec
}

/**
 * Compresses large values by gzip (RFC 1952), as base64 in the entry. Text that would not shrink is kept as it is.
 * Throws `UNSUPPORTED` at once where the platform has no `CompressionStream` (the edge runtime has none).
 */
export function compressed(options: CompressedOptions = {}): Codec {
  checkNames('compressed', options, ['above', 'maxBytes', 'codec'])
  const { above = 1024, maxBytes = 8_388_608, codec = json } = ownOf(options)
  checkWhole(above, 'above', 0)
  checkWhole(maxBytes, 'maxBytes', 0)
  checkCodec(codec)
  if (typeof CompressionStream === 'undefined') {
    throw new HitherError('UNSUPPORTED', 'compressed() needs CompressionStream, which this runtime lacks')
  }
  return {
    mark: 'C',
    async encode(value, key) {
      const text = await codec.encode(value, key)
      const bytes = new TextEncoder().encode(text)
      // What `decode` would not inflate is not compressed. The store's own limit decides whether it is stored.
      if (bytes.length <= above || bytes.length > maxBytes) return `-${text}`
      const packed = `z${toBase64(await collect(bytes, new CompressionStream('gzip'), Number.POSITIVE_INFINITY))}`
      return packed.length < bytes.length ? packed : `-${text}`
    },
    async decode(text, key) {
      if (text.startsWith('-')) return codec.decode(text.slice(1), key)
      const bytes = await collect(fromBase64(text.slice(1)), new DecompressionStream('gzip'), maxBytes)
      return codec.decode(new TextDecoder('utf-8', { fatal: true }).decode(bytes), key)
    },
  }
}

/**
 * Sends the bytes through the stream and collects its output. Throws `VALUE_TOO_LARGE` as soon as that is longer than
 * `maxBytes`.
 */
async function collect(
  bytes: Uint8Array<ArrayBuffer>,
  through: CompressionStream | DecompressionStream,
  maxBytes: number,
): Promise<Uint8Array> {
  const writer = through.writable.getWriter()
  // The reader below reports a failure.
  writer.write(bytes).catch(() => {})
  writer.close().catch(() => {})
  const reader = through.readable.getReader()
  const parts: Uint8Array[] = []
  let size = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    size += value.length
    if (size > maxBytes) {
      await reader.cancel().catch(() => {})
      throw new HitherError('VALUE_TOO_LARGE', `a stored value may inflate to ${maxBytes} bytes`)
    }
    parts.push(value)
  }
  return concat(parts)
}
