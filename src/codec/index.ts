export type { Codec } from '../protocol/codec.ts'
export { type CompressedOptions, compressed } from './compressed.ts'
export { type EncryptedOptions, encrypted } from './encrypted.ts'
export { json } from './json.ts'
