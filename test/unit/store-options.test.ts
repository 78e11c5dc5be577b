import { describe, expect, it } from 'vitest'
import { kvStore } from '../../adapters/cloudflare/kv-store.ts'
import { durableObjectStore } from '../../adapters/cloudflare/object-store.ts'
import { redisObjectStore } from '../../adapters/cloudflare/redis-object-store.ts'
import { nodeRedisStore } from '../../adapters/node-redis/index.ts'
import { tcpStore, transportStore } from '../../adapters/tcp/index.ts'

// An option that makes no sense is refused by its name when the store is made. Otherwise it would show much later, as a
// wrong result.

const client = {
  isOpen: true,
  sendCommand() {},
  duplicate() {},
  withTypeMapping() {},
  subscribe() {},
  options: { disableOfflineQueue: true },
}
const transport = { send() {}, sendMany() {}, transaction() {}, close() {} }
const objects = { idFromName() {}, get() {} }
const kv = { get() {}, put() {}, delete() {} }
const url = 'redis://127.0.0.1:1'

const stores: Readonly<Record<string, (options: object) => unknown>> = {
  tcpStore: (options) => tcpStore({ url, ...options }),
  nodeRedisStore: (options) => nodeRedisStore(client as never, options),
  transportStore: (options) => transportStore(transport as never, options),
  redisObjectStore: (options) => redisObjectStore(objects as never, options),
}
const code = (value: string) => expect.objectContaining({ code: value })

describe.each(Object.entries(stores))('%s', (_, make) => {
  it.each([
    { maxKeyBytes: 0 },
    { maxKeyBytes: '1' },
    { maxValueBytes: -1 },
    { maxValueBytes: 1.5 },
    { timeoutMs: 0 },
    { timeoutMs: Number.NaN },
    { timeoutMs: '5s' },
    { onEvent: 5 },
    { nothing: 1 },
  ])('refuses %j', (options) => {
    expect(() => make(options)).toThrow(code('INVALID_ARGUMENT'))
  })
  it('takes what it is made for', () => {
    make({ maxKeyBytes: 1, maxValueBytes: 1, timeoutMs: 1, onEvent() {} })
  })
})

describe('stores of Workers', () => {
  it('refuse options that they have not, and what is none', () => {
    for (const options of [null, 5, [], { nothing: 1 }]) {
      expect(() => kvStore(kv as never, options as never)).toThrow(code('INVALID_ARGUMENT'))
      expect(() => durableObjectStore(objects as never, options as never)).toThrow(code('INVALID_ARGUMENT'))
      expect(() => redisObjectStore(objects as never, options as never)).toThrow(code('INVALID_ARGUMENT'))
    }
    expect(() => kvStore(kv as never, { cacheTtl: 29 })).toThrow(code('INVALID_ARGUMENT'))
    expect(() => redisObjectStore(objects as never, { locationHint: 5 as never })).toThrow(code('INVALID_ARGUMENT'))
  })
})
