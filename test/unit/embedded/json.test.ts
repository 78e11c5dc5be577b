import { describe, expect, it } from 'vitest'
import { embeddedStore } from '../../../src/embedded/index.ts'
import { ReplyError } from '../../../src/store/transport.ts'

/** Blanks separate the words of a line, so JSON in these tests has none. Error replies are returned as `-TEXT`. */
function open() {
  const { transport } = embeddedStore()
  const ask = async (line: string): Promise<unknown> => {
    const reply = await transport.send({ args: line.split(' '), effect: 'once' })
    return reply instanceof ReplyError ? `-${reply.message}` : reply
  }
  return ask
}

const PAIRS: Record<string, readonly (readonly [line: string, reply: unknown])[]> = {
  'JSON.SET makes and changes values, and knows NX and XX': [
    ['JSON.SET k .a 1', expect.stringContaining('new objects must be created at the root')],
    ['JSON.SET k $ {"a":1} XX', null],
    ['JSON.SET k $ {"a":1}', 'OK'],
    ['JSON.SET k $ 2 NX', null],
    ['JSON.SET k $.b [1,2] NX', 'OK'],
    ['JSON.SET k $.a 3 XX', 'OK'],
    ['JSON.SET k .c.d 3', null],
    ['JSON.SET k $.b[7] 3', expect.stringContaining('array index out of range')],
    ['JSON.SET k $.b[*].x 3', null],
    ['JSON.SET k $..none 3', expect.stringContaining('wrong static path')],
    ['JSON.SET k $ {', expect.stringContaining('expected value')],
    ['JSON.GET k', '{"a":3,"b":[1,2]}'],
    ['JSON.SET k $.* 5', 'OK'],
    ['JSON.GET k .', '{"a":5,"b":5}'],
  ],
  'JSON.SET to a place and to one within it writes the outer one': [
    ['JSON.SET k $ {"a":{"b":{"c":1}},"d":[[1]]}', 'OK'],
    ['JSON.SET k $..* {"x":1}', 'OK'],
    ['JSON.GET k', '{"a":{"x":1},"d":{"x":1}}'],
  ],
  'JSON.GET reads both dialects': [
    ['JSON.SET k $ {"a":{"b":1},"b":[2,{"b":"ü"}],"x.y":true}', 'OK'],
    ['JSON.GET none', null],
    ['JSON.GET k $..b', '[[2,{"b":"ü"}],1,"ü"]'],
    ['JSON.GET k ..b', '[2,{"b":"ü"}]'],
    ['JSON.GET k a.b', '1'],
    ['JSON.GET k b[-1].b', '"ü"'],
    ['JSON.GET k ["x.y"]', 'true'],
    ["JSON.GET k $['x.y','a']", '[true,{"b":1}]'],
    ['JSON.GET k $.b[0:1]', '[2]'],
    ['JSON.GET k $.none', '[]'],
    ['JSON.GET k .none', expect.stringContaining("Path '$.none' does not exist")],
    ['JSON.GET k .a $.b[0]', '{".a":[{"b":1}],"$.b[0]":[2]}'],
    ['JSON.GET k a.b b[0]', '{"a.b":1,"b[0]":2}'],
    ['JSON.GET k INDENT + NEWLINE _ SPACE ~ .a', '{_+"b":~1_}'],
    ['JSON.GET k $.[', expect.stringContaining('Path')],
    ['JSON.MGET k none $.a.b', ['[1]', null]],
    ['JSON.MGET k none a.none', [null, null]],
  ],
  'a filter picks values': [
    ['JSON.SET k $ {"min":2,"all":[{"n":1},{"n":2,"s":"x"},{"n":3.5,"s":"y"},4]}', 'OK'],
    ['JSON.GET k $.all[?(@.n>=$.min)].n', '[2,3.5]'],
    ['JSON.GET k $.all[?(@.s=="x"||@.n<2)].n', '[1,2]'],
    ["JSON.GET k $.all[?(@.s=='y'&&!(@.n==2))].n", '[3.5]'],
    ['JSON.GET k $.all[?(@.s)].s', '["x","y"]'],
    ['JSON.GET k $.all[?(@==4.0)]', '[4]'],
    ['JSON.GET k $.all[?(@.s!="x")]', '[{"n":1},{"n":3.5,"s":"y"},4]'],
    ['JSON.GET k $.all[?(@.s=~"x")]', expect.stringContaining('Path')],
    ['JSON.DEL k $.all[?(@.n<3)]', 2],
    ['JSON.GET k .all', '[{"n":3.5,"s":"y"},4]'],
  ],
  'JSON.DEL, FORGET and CLEAR': [
    ['JSON.SET k $ {"a":{"a":1},"l":[1,2,3],"n":0,"s":"x","t":true}', 'OK'],
    ['JSON.DEL k $..a', 1],
    ['JSON.FORGET k $.l[0,2]', 2],
    ['JSON.CLEAR k $.*', 1],
    ['JSON.GET k', '{"l":[],"n":0,"s":"x","t":true}'],
    ['JSON.DEL k .none', 0],
    ['JSON.CLEAR k', 1],
    ['JSON.CLEAR none', expect.stringContaining("doesn't exist")],
    ['JSON.DEL k', 1],
    ['EXISTS k', 0],
    ['JSON.DEL k', 0],
  ],
  'JSON.MERGE follows RFC 7396': [
    ['JSON.MERGE k $ {"a":{"b":1,"c":2},"d":[1]}', 'OK'],
    ['JSON.MERGE k $ {"a":{"b":null,"e":{"f":null}},"d":{"x":1}}', 'OK'],
    ['JSON.GET k', '{"a":{"c":2,"e":{}},"d":{"x":1}}'],
    ['JSON.MERGE k $.d null', 'OK'],
    ['JSON.MERGE k $.new {"y":1}', 'OK'],
    ['JSON.GET k', '{"a":{"c":2,"e":{}},"new":{"y":1}}'],
    ['JSON.MERGE k $ null', 'OK'],
    ['EXISTS k', 0],
  ],
  'JSON.MSET writes all or nothing': [
    ['JSON.MSET a $ 1 b .x 2', expect.stringContaining('root')],
    ['EXISTS a', 0],
    ['JSON.MSET a $ {"x":1} b $ 2', 'OK'],
    ['JSON.MSET a $.x 5 b $ 3', 'OK'],
    ['JSON.MGET a b .', ['{"x":5}', '3']],
    ['JSON.MSET a $', expect.stringContaining('wrong number of arguments')],
  ],
  'numbers are exact to 64 bits, and doubles stay doubles': [
    ['JSON.SET k $ {"i":9223372036854775806,"f":1.0,"s":"x","d":{"i":2}}', 'OK'],
    ['JSON.NUMINCRBY k $..i 1', '[9223372036854775807,3]'],
    ['JSON.NUMINCRBY k i 1', '9.223372036854776e18'],
    ['JSON.NUMINCRBY k f 1', '2.0'],
    ['JSON.NUMMULTBY k $.* 2', '[1.8446744073709552e19,4.0,null,null]'],
    ['JSON.NUMINCRBY k s 1', expect.stringContaining('does not contains a number')],
    ['JSON.NUMINCRBY k f "1"', expect.stringContaining('number')],
    ['JSON.NUMMULTBY k f 1e308', expect.stringContaining('result is not a number')],
    ['JSON.NUMINCRBY none $ 1', expect.stringContaining("doesn't exist")],
    ['JSON.GET k f', '4.0'],
  ],
  'texts, booleans, types and objects': [
    ['JSON.SET k $ {"s":"ab","t":true,"o":{"x":1,"y":null},"n":1.5,"i":3,"l":[]}', 'OK'],
    ['JSON.STRAPPEND k $.* "cd"', [4, null, null, null, null, null]],
    ['JSON.STRAPPEND k s "ü"', 6],
    ['JSON.STRAPPEND k s 1', expect.stringContaining('expected string but found integer')],
    ['JSON.STRLEN k s', 6],
    ['JSON.STRLEN k $.o', [null]],
    ['JSON.STRLEN none s', null],
    ['JSON.STRLEN none $.s', expect.stringContaining("doesn't exist")],
    ['JSON.TOGGLE k $.t', [0]],
    ['JSON.TOGGLE k t', 'true'],
    ['JSON.TOGGLE k s', expect.stringContaining('not a bool')],
    ['JSON.TYPE k $.*', ['string', 'boolean', 'object', 'number', 'integer', 'array']],
    ['JSON.TYPE k o.y', 'null'],
    ['JSON.TYPE k none', null],
    ['JSON.TYPE none', null],
    ['JSON.OBJKEYS k $.o', [['x', 'y']]],
    ['JSON.OBJLEN k', 6],
    ['JSON.OBJLEN k $.s', [null]],
    ['JSON.RESP k .o', ['{', 'x', 1, 'y', null]],
    ['JSON.RESP k $.n', ['1.5']],
    ['TYPE k', 'ReJSON-RL'],
  ],
  arrays: [
    ['JSON.SET k $ {"l":[1,2],"m":[{"l":["a"]}],"s":"x"}', 'OK'],
    ['JSON.ARRAPPEND k $..l 3 {"z":1}', [4, 3]],
    ['JSON.ARRAPPEND k s 3', expect.stringContaining('not an array')],
    ['JSON.ARRLEN k l', 4],
    ['JSON.ARRLEN k $.*', [4, 1, null]],
    ['JSON.ARRINDEX k $..l 3', [2, 1]],
    ['JSON.ARRINDEX k l 3.0 0 2', -1],
    ['JSON.ARRINDEX k l {"z":1} -1', 3],
    ['JSON.ARRINSERT k l 1 "x" null', 6],
    ['JSON.ARRINSERT k $..l -6 0', expect.stringContaining('index out of bounds')],
    ['JSON.GET k l', '[1,"x",null,2,3,{"z":1}]'],
    ['JSON.ARRPOP k l', '{"z":1}'],
    ['JSON.ARRPOP k l 0', '1'],
    ['JSON.ARRPOP k $..l -100', ['"x"', '"a"']],
    ['JSON.ARRTRIM k l 1 -1', 2],
    ['JSON.GET k l', '[2,3]'],
    ['JSON.ARRTRIM k $.l 5 9', [0]],
    ['JSON.ARRPOP k l', null],
    ['JSON.SET r $ [1]', 'OK'],
    ['JSON.ARRPOP r', '1'],
  ],
  'other types and other keys': [
    ['SET s x', 'OK'],
    ['JSON.GET s', expect.stringContaining('wrong Redis type')],
    ['JSON.SET s $ 1', expect.stringContaining('wrong Redis type')],
    ['JSON.MGET s $', [null]],
    ['JSON.SET k $ [1]', 'OK'],
    ['GET k', expect.stringContaining('WRONGTYPE')],
    ['COPY k c', 1],
    ['JSON.ARRAPPEND c $ 2', [2]],
    ['JSON.GET k', '[1]'],
    ['PEXPIRE k 100000', 1],
    ['JSON.SET k $ 2', 'OK'],
    ['PERSIST k', 1],
  ],
}

describe('the JSON commands', () => {
  for (const [name, pairs] of Object.entries(PAIRS)) {
    it(name, async () => {
      const ask = open()
      for (const [line, reply] of pairs) expect([line, await ask(line)]).toEqual([line, reply])
    })
  }

  it('refuse what is nested too deep, however it comes to be', async () => {
    const ask = open()
    const deep = `${'['.repeat(100)}${']'.repeat(100)}`
    expect(await ask(`JSON.SET k $ ${'['.repeat(200)}${']'.repeat(200)}`)).toContain('recursion limit')
    await ask(`JSON.SET k $ ${deep}`)
    const bottom = `$${'[0]'.repeat(99)}`
    expect(await ask(`JSON.SET k ${bottom} ${deep}`)).toContain('recursion limit')
    expect(await ask(`JSON.ARRAPPEND k ${bottom} ${deep}`)).toContain('recursion limit')
    expect(await ask(`JSON.ARRINSERT k ${bottom} 0 ${deep}`)).toContain('recursion limit')
    expect(await ask(`JSON.MERGE k ${bottom} ${deep}`)).toContain('recursion limit')
    expect(await ask(`JSON.GET k $[?(${'('.repeat(100_000)}`)).toContain('Path')
    expect(await ask(`JSON.GET k $[?(${'!'.repeat(100_000)}`)).toContain('Path')
    expect(await ask('JSON.GET k')).toBe(deep)
  })

  it('refuse a path that finds more than can be worked on', async () => {
    const ask = open()
    await ask(`JSON.SET k $ [${'[1],'.repeat(2000)}2]`)
    expect(await ask(`JSON.GET k $[*][${'0,'.repeat(1000)}0]`)).toContain('more values')
    await ask(`JSON.SET k $ [${'1,'.repeat(20_000)}2]`)
    expect(await ask(`JSON.SET k $[*] "${'x'.repeat(100_000)}"`)).toContain('more values')
  })
})
