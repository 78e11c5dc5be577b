import { expect, it } from 'vitest'
import { startOf } from '../../../src/http/coding.ts'

const gzip = new Uint8Array([0x1f, 0x8b, 8])
const text = new TextEncoder().encode('hello')

// test/runtimes/requests/encoded.test.ts has the same on workerd.
it.each([
  ['gzip', gzip, true],
  ['GZIP', gzip, true],
  ['gzip', text, false],
  ['GZIP', text, false],
  ['br', text, false],
  ['identity', text, true],
  [null, text, true],
])('where bodies are decoded and encoded, %s is stored if the bytes are that: %o, %s', (coding, bytes, isStored) => {
  expect(startOf(coding, true)?.(bytes) ?? false).toBe(isStored)
})

it.each(['gzip', 'br', null])('elsewhere the bytes are what Content-Encoding says: %s', (coding) => {
  expect(startOf(coding, false)?.(text)).toBe(true)
})
