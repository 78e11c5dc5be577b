import type { Client, Family, Outcome, Run } from '../contracts.ts'
import { OOM } from '../dispatch.ts'
import { type Library, readLibrary } from '../function-library.ts'
import { matchGlob } from '../glob.ts'
import { parseInt64 } from '../numbers.ts'
import { readPayload, writePayload } from '../payload.ts'
import { fail, MapReply, OK, quoting, type Reply, SetReply, Simple } from '../reply.ts'
import { WRONG_PAYLOAD } from './dumps.ts'
import { withRuntime } from './scripting.ts'

const librariesOf = (client: Client): Map<string, Library> => client.engine.scripts.libraries

function load(client: Client, args: readonly string[]): Outcome {
  const options = args.slice(2, -1).map((word) => word.toUpperCase())
  const unknown = options.findIndex((word) => word !== 'REPLACE')
  if (unknown >= 0) fail(quoting`ERR Unknown option given: ${args[2 + unknown]}`)
  return withRuntime(client, () => {
    const code = args.at(-1) as string
    const libraries = librariesOf(client)
    const { name: named } = readLibrary(code)
    if (libraries.has(named) && options.length === 0) fail(`ERR Library '${named}' already exists`)
    const library = client.engine.scripts.loadLibrary(code)
    const others = new Map(libraries)
    others.delete(library.name)
    checkNames([library], others)
    libraries.set(library.name, library)
    client.engine.changes++
    return library.name
  })
}

/** First item of the content of FUNCTION DUMP. The code of each library follows. */
const DUMPED = 'f'

function dump(client: Client): Reply {
  return writePayload([DUMPED, ...[...librariesOf(client).values()].map(({ code }) => code)])
}

/** Throws an error reply if two functions would have the same name. */
function checkNames(added: readonly Library[], others: ReadonlyMap<string, Library>): void {
  const taken = new Set([...others.values()].flatMap(({ functions }) => [...functions.keys()]))
  for (const { functions } of added) {
    for (const name of functions.keys()) {
      if (taken.has(name)) fail(`ERR Function ${name} already exists`)
      taken.add(name)
    }
  }
}

/** Restores all libraries of the payload, or none. */
function restore(client: Client, args: readonly string[]): Outcome {
  const [, , payload = '', policy = 'APPEND'] = args
  if (args.length > 4) {
    fail(quoting`ERR unknown subcommand or wrong number of arguments for '${args[1]}'. Try FUNCTION HELP.`)
  }
  const how = policy.toUpperCase()
  if (!/^(APPEND|REPLACE|FLUSH)$/.test(how)) {
    fail('ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.')
  }
  const { content } = readPayload(payload) ?? fail(WRONG_PAYLOAD)
  const [type, ...codes] = Array.isArray(content) ? (content as unknown[]) : []
  if (type !== DUMPED || !codes.every((code) => typeof code === 'string')) fail('ERR given type is not a function')
  return withRuntime(client, () => {
    const libraries = librariesOf(client)
    const added = (codes as string[]).map((code) => client.engine.scripts.loadLibrary(code))
    for (const { name } of added) {
      if (how === 'APPEND' && libraries.has(name)) fail(`ERR Library ${name} already exists`)
    }
    const kept = new Map(how === 'FLUSH' ? [] : libraries)
    for (const { name } of added) kept.delete(name)
    checkNames(added, kept)
    libraries.clear()
    for (const library of [...kept.values(), ...added]) libraries.set(library.name, library)
    client.engine.changes++
    return OK
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
    } else fail(quoting`ERR Unknown argument ${args[i]}`)
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
  'function|dump': dump,
  'function|restore': restore,
  'function|delete'(client, args) {
    if (!librariesOf(client).delete(args[2] as string)) fail('ERR Library not found')
    client.engine.changes++
    return OK
  },
  'function|flush'(client, args) {
    if (args[2] !== undefined && !/^a?sync$/i.test(args[2])) {
      fail('ERR FUNCTION FLUSH only supports SYNC|ASYNC option')
    }
    librariesOf(client).clear()
    client.engine.changes++
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
