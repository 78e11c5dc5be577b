import { describe, expect, it, vi } from 'vitest'
import { createScriptFlags } from '../../src/gateway/scripts.ts'
import { isUnexpectedFlag, KEY_LOCKING_PRELUDE, withoutKeyLocking } from '../../src/store/script-flags.ts'
import { ReplyError } from '../../src/store/transport.ts'

describe('withoutKeyLocking', () => {
  it('takes the flag out, and the whole line when no flag is left, but for its newline', () => {
    for (const [script, plain] of [
      [`${KEY_LOCKING_PRELUDE}return 1`, '\nreturn 1'],
      ['#!lua flags=allow-key-locking', ''],
      ['#!lua flags=allow-key-locking\r\nreturn 1', '\nreturn 1'],
      ['#!lua flags=allow-key-locking,no-writes\nreturn 1', '#!lua flags=no-writes\nreturn 1'],
      ['#!lua flags=no-writes,allow-key-locking,allow-stale\nreturn 1', '#!lua flags=no-writes,allow-stale\nreturn 1'],
      ['#!lua name=x flags=allow-key-locking\nreturn 1', '#!lua name=x \nreturn 1'],
    ] as const) {
      expect([script, withoutKeyLocking(script)]).toEqual([script, plain])
    }
  })

  it('leaves every other script as it is', () => {
    for (const script of [
      '',
      'return 1',
      '#!lua\nreturn 1',
      '#!lua flags=no-writes\nreturn "flags=allow-key-locking"',
      'return 1 -- #!lua flags=allow-key-locking',
      '\n#!lua flags=allow-key-locking\nreturn 1',
      '#!lua flags=not-allow-key-locking\nreturn 1',
    ]) {
      expect(withoutKeyLocking(script)).toBe(script)
    }
  })

  it('keeps the number of every line', () => {
    const script = `${KEY_LOCKING_PRELUDE}local a = 1\nreturn a`
    expect(withoutKeyLocking(script).split('\n').slice(1)).toEqual(script.split('\n').slice(1))
  })
})

describe('isUnexpectedFlag', () => {
  it("knows a server's refusal of a flag from other errors", () => {
    expect(isUnexpectedFlag(new ReplyError('ERR Unexpected flag in script shebang: allow-key-locking'))).toBe(true)
    expect(isUnexpectedFlag(new ReplyError('ERR Error compiling script (new function)'))).toBe(false)
  })
})

describe('createScriptFlags', () => {
  const script = `${KEY_LOCKING_PRELUDE}return 1`

  it('computes the digests of a script once, however often a batch sends it', async () => {
    const digest = vi.spyOn(crypto.subtle, 'digest')
    const translate = createScriptFlags()
    for (let i = 0; i < 1000; i++)
      expect(await translate(['EVAL', script, 0])).toMatchObject({ args: ['EVAL', '\nreturn 1', 0] })
    expect(digest.mock.calls.length).toBe(2)
    digest.mockRestore()
  })

  it('holds no long script for that', async () => {
    const digest = vi.spyOn(crypto.subtle, 'digest')
    const translate = createScriptFlags()
    const long = `${script} --${'x'.repeat(40_000)}`
    for (let i = 0; i < 3; i++) await translate(['EVAL', long, 0])
    expect(digest.mock.calls.length).toBe(6)
    digest.mockRestore()
  })

  it('knows a script after SCRIPT FLUSH, and after more scripts than it keeps', async () => {
    const translate = createScriptFlags()
    const { loaded = '' } = await translate(['SCRIPT', 'LOAD', script])
    await translate(['SCRIPT', 'FLUSH'])
    expect(await translate(['EVALSHA', loaded, 0])).toEqual({ args: ['EVALSHA', loaded, 0] })
    for (let i = 0; i < 250; i++) await translate(['EVAL', `${script}${i}`, 0])
    expect(await translate(['EVAL', script, 0])).toMatchObject({ loaded })
    expect(await translate(['EVALSHA', loaded, 0])).not.toEqual({ args: ['EVALSHA', loaded, 0] })
  })
})
