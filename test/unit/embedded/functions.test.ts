import { describe, expect, it } from 'vitest'
import { createTransport, dumpEngine, Engine, loadEngine } from '../../../src/embedded/index.ts'
import type { LuaRuntime } from '../../../src/embedded/script-host.ts'
import { ReplyError } from '../../../src/store/transport.ts'

/** Stands in for Lua: a library's code names its functions, `name` or `name:flag`. Each returns its keys and arguments. */
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

function openStore() {
  const engine = new Engine({ lua: async () => runtime })
  const transport = createTransport(engine)
  const send = async (...args: string[]): Promise<unknown> => {
    const reply = await transport.send({ args, effect: 'once' })
    return reply instanceof ReplyError ? `-${reply.message}` : reply
  }
  return { engine, send }
}
const open = () => openStore().send
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
  it('are kept with the keys, flags and all, and loaded without a runtime', async () => {
    const { engine, send } = openStore()
    const count = engine.changes
    await send('FUNCTION', 'LOAD', code('a', 'f g:no-writes'))
    await send('FUNCTION', 'LOAD', code('b', 'h'))
    expect(engine.changes).toBeGreaterThan(count)
    await send('SET', 'k', 'v')
    const kept = JSON.parse(JSON.stringify(dumpEngine(engine)))
    const other = openStore()
    loadEngine(other.engine, kept)
    expect(await other.send('FUNCTION', 'LIST', 'WITHCODE')).toEqual(await send('FUNCTION', 'LIST', 'WITHCODE'))
    expect(await other.send('GET', 'k')).toBe('v')
    expect(await other.send('FCALL_RO', 'f', '0')).toContain('Can not execute a script with write flag')
    expect(await other.send('FCALL_RO', 'g', '0')).toEqual([[], ['g']])
  })
  it.each([
    ['FUNCTION', 'DELETE', 'a'],
    ['FUNCTION', 'FLUSH'],
  ])('are a change to keep when they go by %s %s', async (...args) => {
    const { engine, send } = openStore()
    await send('FUNCTION', 'LOAD', code('a', 'f'))
    const both = (await send('FUNCTION', 'DUMP')) as string
    for (const words of [args, ['FUNCTION', 'RESTORE', both]]) {
      const count = engine.changes
      expect(await send(...words)).toBe('OK')
      expect(engine.changes).toBe(count + 1)
    }
  })
  it('are dumped and restored, all or none of them', async () => {
    const send = open()
    const wrong = '-ERR DUMP payload version or checksum are wrong'
    const names = async (): Promise<unknown> => ((await send('FUNCTION', 'LIST')) as string[][]).map((row) => row[1])
    const none = (await send('FUNCTION', 'DUMP')) as string
    await send('FUNCTION', 'LOAD', code('a', 'f'))
    await send('FUNCTION', 'LOAD', code('b', 'g'))
    const both = (await send('FUNCTION', 'DUMP')) as string
    expect(await send('FUNCTION', 'RESTORE', both)).toBe('-ERR Library a already exists')
    expect(await send('FUNCTION', 'RESTORE', both, 'replace')).toBe('OK')
    expect(await send('FUNCTION', 'RESTORE', both, 'nope')).toContain('Wrong restore policy given')
    expect(await send('FUNCTION', 'RESTORE', `${both.slice(0, -1)}x`)).toBe(wrong)
    expect(await send('FUNCTION', 'RESTORE', both.replace('f', 'h'), 'FLUSH')).toBe(wrong)
    expect(await names()).toEqual(['a', 'b'])
    await send('FUNCTION', 'FLUSH')
    await send('FUNCTION', 'LOAD', code('c', 'x g'))
    // Library b has a function of the same name as one of c. So library a is not restored either.
    expect(await send('FUNCTION', 'RESTORE', both)).toBe('-ERR Function g already exists')
    expect(await names()).toEqual(['c'])
    expect(await send('FUNCTION', 'RESTORE', both, 'FLUSH')).toBe('OK')
    expect(await names()).toEqual(['a', 'b'])
    expect(await send('FCALL', 'f', '0')).toEqual([[], ['f']])
    expect(await send('FUNCTION', 'RESTORE', none)).toBe('OK')
    expect(await names()).toEqual(['a', 'b'])
    expect(await send('FUNCTION', 'RESTORE', none, 'FLUSH')).toBe('OK')
    expect(await names()).toEqual([])
  })
  it('and values have payloads of two kinds', async () => {
    const send = open()
    await send('SET', 'key', 'x')
    const value = (await send('DUMP', 'key')) as string
    const libraries = (await send('FUNCTION', 'DUMP')) as string
    expect(await send('FUNCTION', 'RESTORE', value)).toBe('-ERR given type is not a function')
    expect(await send('RESTORE', 'other', '0', libraries)).toBe('-ERR Bad data format')
  })
  it('run with their keys and arguments, and only read by FCALL_RO', async () => {
    const send = open()
    await send('FUNCTION', 'LOAD', code('a', 'f g:no-writes'))
    expect(await send('FCALL', 'f', '1', 'k', 'x')).toEqual([['k'], ['f', 'x']])
    expect(await send('FCALL_RO', 'f', '0')).toContain('Can not execute a script with write flag')
    expect(await send('FCALL_RO', 'g', '0')).toEqual([[], ['g']])
  })
})
