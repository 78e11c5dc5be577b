import { describe, expect, it } from 'vitest'
import { memoryStore } from '../../../adapters/memory/index.ts'
import { createCache } from '../../../src/index.ts'

describe('createCache', () => {
  const open = (options: object) => () => createCache({ store: memoryStore(), ...options })
  it.each<object>([
    { store: undefined },
    { store: null },
    { store: {} },
    { nope: 1 },
    { tll: '5m' },
    { constructor: 1 },
    { format: 'json' },
    { codec: { mark: 'j', encode: String, decode: String } },
    { codec: { mark: 'AB', encode: String, decode: String } },
  ])('refuses %o', (options) => {
    expect(open(options)).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }))
  })
  it.each(['ttl', 'grace', 'storeTimeout', 'hardTimeout'])('refuses a %s that is none', (name) => {
    for (const duration of ['5 apples', Number.NaN, -1, '', {}]) {
      expect(open({ [name]: duration })).toThrow(expect.objectContaining({ code: 'INVALID_DURATION' }))
    }
    if (name !== 'grace') expect(open({ [name]: 0 })).toThrow(expect.objectContaining({ code: 'INVALID_DURATION' }))
  })
  it.each(['', 'a:b', 'a b', 'é', '.'])('refuses the namespace %j', (namespace) => {
    expect(open({ namespace })).toThrow(expect.objectContaining({ code: 'INVALID_KEY' }))
  })
  it('sends nothing', () => {
    const store = { ...memoryStore(), get: () => Promise.reject(new Error('asked')) }
    expect(() => createCache({ store })).not.toThrow()
  })
})
