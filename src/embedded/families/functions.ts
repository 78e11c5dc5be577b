import type { Client, Family, Outcome, Run } from '../contracts.ts'
import { OOM } from '../dispatch.ts'
import { type Library, readLibrary } from '../function-library.ts'
import { matchGlob } from '../glob.ts'
import { parseInt64 } from '../numbers.ts'
import { fail, MapReply, OK, type Reply, SetReply, Simple } from '../reply.ts'
import { withRuntime } from './scripting.ts'

const librariesOf = (client: Client): Map<string, Library> => client.engine.scripts.libraries

function load(client: Client, args: readonly string[]): Outcome {
  const options = args.slice(2, -1).map((word) => word.toUpperCase())
  const unknown = options.findIndex((word) => word !== 'REPLACE')
  if (unknown >= 0) fail(`ERR Unknown option given: ${args[2 + unknown]}`)
  return withRuntime(client, () => {
    const code = args.at(-1) as string
    const libraries = librariesOf(client)
    const { name: named } = readLibrary(code)
    if (libraries.has(named) && options.length === 0) fail(`ERR Library '${named}' already exists`)
    const library = client.engine.scripts.loadLibrary(code)
    for (const other of libraries.values()) {
      if (other.name === library.name) continue
      for (const name of library.functions.keys()) {
        if (other.functions.has(name)) fail(`ERR Function ${name} already exists`)
      }
    }
    libraries.set(library.name, library)
    return library.name
  })
}

function list(client: Client, args: readonly string[]): Reply {
  let pattern: string | undefined
  let withCode = false
  for (let i = 2; i < args.length; i++) {
    const word = (args[i] as string).toUpperCase()
    if (word === 'WITHCODE' && !withCode) withCode = true
    else if (word === 'LIBRARYNAME' && pattern === undefined) {
      pattern = args[++i] ?? fail('ERR library name argument was not given')
    } else fail(`ERR Unknown argument ${args[i]}`)
  }
  return [...librariesOf(client).values()]
    .filter(({ name }) => pattern === undefined || matchGlob(pattern, name))
    .map(({ name, code, functions }) => {
      const rows = [...functions.values()].map(
        (one) =>
          new MapReply([
            'name',
            one.name,
            'description',
            one.description ?? null,
            'flags',
            new SetReply([...one.flags].map((flag) => new Simple(flag))),
          ]),
      )
      const items: Reply[] = ['library_name', name, 'engine', 'LUA', 'functions', rows]
      return new MapReply(withCode ? [...items, 'library_code', code] : items)
    })
}

const call =
  (readOnly: boolean): Run =>
  (client, args) =>
    withRuntime(client, () => {
      const name = args[1] as string
      const library = [...librariesOf(client).values()].find(({ functions }) => functions.has(name))
      const flags = library?.functions.get(name)?.flags
      if (!library || !flags) return fail('ERR Function not found')
      const count = Number(parseInt64(args[2] as string) ?? fail('ERR Bad number of keys provided'))
      if (count > args.length - 3) fail("ERR Number of keys can't be greater than number of args")
      if (count < 0) fail("ERR Number of keys can't be negative")
      if (readOnly && !flags.has('no-writes')) {
        fail('ERR Can not execute a script with write flag using *_ro command.')
      }
      const { meter, scripts } = client.engine
      if (meter && !flags.has('allow-oom') && !flags.has('no-writes') && !meter.makeRoom()) fail(OOM)
      const script = { sha: name, text: library.text, flags }
      return scripts.run(client, script, {
        keys: args.slice(3, 3 + count),
        args: [name, ...args.slice(3 + count)],
        readOnly,
        on: '@user_function',
      })
    })

export const functions: Family = {
  fcall: call(false),
  fcall_ro: call(true),
  'function|load': load,
  'function|list': list,
  'function|delete'(client, args) {
    return librariesOf(client).delete(args[2] as string) ? OK : fail('ERR Library not found')
  },
  'function|flush'(client, args) {
    if (args.length > 3 || (args[2] !== undefined && !/^a?sync$/i.test(args[2]))) {
      fail('ERR FUNCTION FLUSH only supports SYNC|ASYNC option')
    }
    librariesOf(client).clear()
    return OK
  },
  'function|stats'(client) {
    const all = [...librariesOf(client).values()]
    const count = all.reduce((sum, library) => sum + library.functions.size, 0)
    const counts = new MapReply(['libraries_count', all.length, 'functions_count', count])
    return new MapReply(['running_script', null, 'engines', new MapReply(['LUA', counts])])
  },
  'function|kill': () => fail('NOTBUSY No scripts in execution right now.'),
}
