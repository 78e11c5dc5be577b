import { describe, expect, it } from 'vitest'
import { joinedOperation, KEY_LINE } from '../../../src/protocol/operation.ts'

describe('a script of several keys', () => {
  const [once, step] = ['local amount = ARGV[1] + 0', "return redis.call('INCRBY', KEYS[1], amount)"]

  it('runs what stands before the line once, before the loop over its keys', () => {
    const { lua } = joinedOperation({ lua: `${once}\n${KEY_LINE}\n${step}` })
    const [before, body] = lua.split('local function step(KEYS)') as [string, string]
    expect(before).toContain(once)
    expect(body).not.toContain(once)
    expect(body.indexOf(step)).toBeLessThan(body.indexOf('for i = 1, #KEYS'))
  })
  it('runs all of it for each key where there is no such line', () => {
    const [before, body] = joinedOperation({ lua: `${once}\n${step}` }).lua.split('local function step(KEYS)')
    expect(before).not.toContain(once)
    expect(body).toContain(`${once}\n${step}`)
  })
})
