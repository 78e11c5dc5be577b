import { describe, expect, it } from 'vitest'
import { embeddedStore } from '../../../src/embedded/index.ts'
import type { LuaRuntime } from '../../../src/embedded/script-host.ts'
import { ReplyError } from '../../../src/store/transport.ts'

/** In place of Lua: a library's code names its functions, `name` or `name:flag`, and each answers what it was given. */
const runtime: LuaRuntime = {
  run(script, keys, args) {
    if (script.startsWith('local f, e = loadstring(ARGV[1]')) return false
    if (args.length > 0) return [keys, args]
    const [, names = ''] = /\n-- (.*)\n/.exec(script) ?? []
    return names.split(' ').map((name) => {
      const [own = '', ...flags] = name.split(':')
      return [own, false, ...flags]
    })
  },
}

function open() {
  const { transport } = embeddedStore({ lua: async () => runtime })
  return async (...args: string[]): Promise<unknown> => {
    const reply = await transport.send({ args, effect: 'once' })
    return reply instanceof ReplyError ? `-${reply.message}` : reply
  }
}
const code = (name: string, functions: string): string => `#!lua name=${name}\n-- ${functions}`

describe('libraries of functions', () => {
  it('are kept apart by the names of their functions', async () => {
    const send = open()
    expect(await send('FUNCTION', 'LOAD', code('a', 'f g'))).toBe('a')
    expect(await send('FUNCTION', 'LOAD', code('b', 'g'))).toBe('-ERR Function g already exists')
    expect(await send('FUNCTION', 'LOAD', code('a', 'f'))).toBe("-ERR Library 'a' already exists")
    expect(await send('FUNCTION', 'LOAD', 'REPLACE', code('a', 'f'))).toBe('a')
    expect(await send('FUNCTION', 'LOAD', code('b', 'g'))).toBe('b')
    expect(await send('FUNCTION', 'DELETE', 'a')).toBe('OK')
    expect(await send('FCALL', 'f', '0')).toBe('-ERR Function not found')
  })
  it('run with their keys and arguments, and only read by FCALL_RO', async () => {
    const send = open()
    await send('FUNCTION', 'LOAD', code('a', 'f g:no-writes'))
    expect(await send('FCALL', 'f', '1', 'k', 'x')).toEqual([['k'], ['f', 'x']])
    expect(await send('FCALL_RO', 'f', '0')).toContain('Can not execute a script with write flag')
    expect(await send('FCALL_RO', 'g', '0')).toEqual([[], ['g']])
  })
})
