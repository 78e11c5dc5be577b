import { describe, expect, it } from 'vitest'
import { Engine } from '../../../src/embedded/index.ts'
import { encode } from '../../../src/embedded/reply.ts'

function open() {
  const engine = new Engine()
  const replies: string[] = []
  const client = engine.connect({ reply: (reply) => replies.push(encode(reply, 2)), push: () => {} })
  const send = (...words: string[]): string => {
    client.submit(words)
    return replies.pop() ?? ''
  }
  return { engine, send }
}
const OK = '+OK\r\n'

describe('a user', () => {
  it('of keys that it may read writes none of them, and the other way round', () => {
    const { send } = open()
    expect(send('ACL', 'SETUSER', 'u', 'on', '>pw', '+@all', '%R~r:*', '%W~w:*', '~b:*')).toBe(OK)
    expect(send('AUTH', 'u', 'pw')).toBe(OK)
    const refused = '-NOPERM No permissions to access a key\r\n'
    expect(send('SET', 'r:1', 'x')).toBe(refused)
    expect(send('GET', 'w:1')).toBe(refused)
    expect(send('SET', 'w:1', 'x')).toBe(OK)
    expect(send('GET', 'r:1')).toBe('$-1\r\n')
    expect(send('INCR', 'w:1')).toBe(refused)
    expect(send('INCR', 'b:1')).toBe(':1\r\n')
  })
  it('comes in with a password whose hash was given, and shows no password', () => {
    const { send } = open()
    const hash = '30c952fab122c3f9759f02a6d95c3758b246b4fee239957b2d4fee46e26170c4'
    expect(send('ACL', 'SETUSER', 'u', 'on', `#${hash}`, '+acl')).toBe(OK)
    expect(send('AUTH', 'u', hash)).toContain('-WRONGPASS')
    expect(send('AUTH', 'u', 'pw')).toBe(OK)
    expect(send('ACL', 'LIST')).toContain(`#${hash}`)
  })
  it('is left as it was by a word that is refused', () => {
    const { send } = open()
    expect(send('ACL', 'SETUSER', 'u', 'on', 'nopass', '~*', '+get')).toBe(OK)
    const before = send('ACL', 'LIST')
    expect(send('ACL', 'SETUSER', 'u', 'off', '+nosuch')).toContain('Unknown command or category name')
    expect(send('ACL', 'SETUSER', 'u', 'off', '#xyz')).toContain('exactly 64 characters')
    expect(send('ACL', 'LIST')).toBe(before)
  })
})

describe('CONFIG SET', () => {
  it('sets all parameters or none', () => {
    const { engine, send } = open()
    expect(send('CONFIG', 'SET', 'maxmemory', '1mb', 'maxmemory-policy', 'allkeys-lru', 'hz', 'x')).toContain(
      '-ERR CONFIG SET',
    )
    expect(engine.meter).toBeUndefined()
    expect(send('CONFIG', 'GET', 'maxmemory-policy')).toContain('noeviction')
  })
  it('keeps a number within the bounds of its parameter, and both names of one parameter alike', () => {
    const { send } = open()
    expect(send('CONFIG', 'SET', 'maxmemory-samples', '65')).toContain('between 1 and 64')
    expect(send('CONFIG', 'SET', 'lua-time-limit', '7')).toBe(OK)
    for (const name of ['busy-reply-threshold', 'lua-time-limit'])
      expect(send('CONFIG', 'GET', name)).toContain('$1\r\n7\r\n')
  })
})

it('CLIENT TRACKING takes no prefix that another begins with', () => {
  const { send } = open()
  expect(send('CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', 'a', 'PREFIX', 'ab')).toContain('another provided prefix')
  expect(send('CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', 'a')).toBe(OK)
  expect(send('CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', 'ab')).toContain('an existing prefix')
})
