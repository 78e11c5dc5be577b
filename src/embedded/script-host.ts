import { ReplyError } from '../store/transport.ts'
import { EngineClient } from './client.ts'
import type { Script, ScriptCall } from './contracts.ts'
import { type Client, type Engine, LATER, type Outcome, type Queued } from './contracts.ts'
import { sha1 } from './digest.ts'
import { type Library, libraryText, readLibrary, readRows } from './function-library.ts'
import {
  BigNumber,
  Bool,
  Double,
  errorLine,
  fail,
  MapReply,
  NULL_ARRAY,
  type Reply,
  replyOf,
  SetReply,
  Simple,
  Verbatim,
} from './reply.ts'
import { errorsOf, GUARD, NIL, NIL_GUARD, THROWN, withNumbers } from './script-guard.ts'

/** A value that passes between a script and the engine. Strings have one unit a byte. */
export type LuaValue =
  | null
  | boolean
  | string
  | number
  | bigint
  | { readonly ok: string }
  | { readonly err: string; readonly line?: number; readonly kind?: string; readonly name?: string }
  | { readonly double: number }
  | { readonly big: string }
  | { readonly verbatim: string; readonly format: string }
  | { readonly map: readonly LuaValue[] }
  | { readonly set: readonly LuaValue[] }
  | readonly LuaValue[]

export interface LuaHost {
  call(args: readonly string[]): LuaValue
  setResp(version: 2 | 3): void
  log(level: number, message: string): void
}

/** A Lua 5.1 with the libraries that Redis gives to scripts. */
export interface LuaRuntime {
  /**
   * Runs a script to its end. Throws if the runtime itself is broken because memory ran out. The next script then opens a new
   * one.
   */
  run(script: string, keys: readonly string[], args: readonly string[], host: LuaHost): LuaValue
}
export type LuaLoader = () => Promise<LuaRuntime>

const COMMANDS = /^(eval|evalsha|fcall)(_ro)?$|^script\|load$|^function\|(load|restore)$/
const PAST_BOUND =
  'ERR the script ran past the steps that a script may take, and was ended: one thread cannot hear SCRIPT KILL'
type LuaError = { readonly err: string; readonly line?: number; readonly kind?: string; readonly name?: string }
const FLAGS = new Set(['no-writes', 'allow-oom', 'allow-stale', 'no-cluster', 'allow-cross-slot-keys'])

/** The flags in a script's first line, and its text without that line. Throws error replies. */
function readShebang(text: string): {
  readonly flags: ReadonlySet<string> | undefined
  readonly name: string
  readonly body: string
} {
  if (!text.startsWith('#!')) return { flags: undefined, name: '', body: text }
  const end = text.indexOf('\n')
  if (end < 0) fail('ERR Invalid script shebang')
  const [engine = '', ...words] = text.slice(2, end).trimEnd().split(/\s+/)
  if (engine.toLowerCase() !== 'lua') fail(`ERR Unexpected engine in script shebang: #!${engine}`)
  const flags = new Set<string>()
  let name = ''
  for (const word of words) {
    if (word.startsWith('flags=')) {
      for (const flag of word.slice(6).split(',').filter(Boolean)) {
        if (!FLAGS.has(flag)) fail(`ERR Unexpected flag in script shebang: ${flag}`)
        flags.add(flag)
      }
    } else if (word.startsWith('name=')) name = word.slice(5)
    else fail(`ERR Unknown lua shebang option: ${word}`)
  }
  return { flags, name, body: text.slice(end) }
}

/**
 * Stores scripts, opens the Lua runtime for the first one, and converts values.
 *
 * A command that needs the runtime calls `openThen` while it is not open: the client is busy until the runtime is open or has
 * failed to open, and then the command runs. `load` checks a script and stores it under its digest. `run` executes it as an
 * inner client without a connection, which calls commands through the dispatcher. If the runtime runs out of memory it is
 * dropped, and opened again for the next script.
 */
export class ScriptHost {
  readonly #engine: Engine
  readonly #loader: LuaLoader | undefined
  #runtime: LuaRuntime | undefined
  #opening: Promise<void> | undefined
  #openError = ''
  readonly scripts: Map<string, Script> = new Map()
  /** The libraries of FUNCTION LOAD, by name. */
  readonly libraries: Map<string, Library> = new Map()

  constructor(engine: Engine, loader: LuaLoader | undefined) {
    this.#engine = engine
    this.#loader = loader
  }

  /** Whether one of these commands needs the runtime, and it is not open yet. */
  needs(queue: readonly Queued[]): boolean {
    return (
      !this.#runtime &&
      this.#loader !== undefined &&
      !this.#openError &&
      queue.some(({ command }) => COMMANDS.test(command.name))
    )
  }
  get isOpen(): boolean {
    return this.#runtime !== undefined || this.#loader === undefined || this.#openError !== ''
  }
  /** Calls `again` once the runtime is open, and delivers its outcome. */
  openThen(client: Client, again: () => Outcome): Outcome {
    this.#opening ??= (this.#loader as LuaLoader)().then(
      (runtime) => {
        this.#runtime = runtime
        this.#opening = undefined
      },
      () => {
        // In the words of a server without scripts, so that a store over TCP uses WATCH instead.
        this.#openError =
          'ERR scripting support disabled: the Lua runtime cannot be opened, npm install lua-redis-wasm, in Node do not bundle hither/lua'
        this.#opening = undefined
      },
    )
    void this.#opening.then(() => {
      if (client.closed) return
      this.#engine.nowMs = this.#engine.clock()
      let outcome: Outcome
      try {
        outcome = again()
      } catch (error) {
        outcome = replyOf(error)
      }
      this.#engine.waiters.serve()
      if (outcome !== LATER) client.deliver(outcome)
    })
    return LATER
  }

  /** Checks a script and stores it under its digest. Throws error replies. */
  load(text: string): Script {
    const sha = sha1(text)
    const known = this.scripts.get(sha)
    if (known) return known
    const { flags, body } = readShebang(text)
    this.compile(body, 'user_script', 'ERR Error compiling script (new function): ')
    const script = { sha, text: textOf(body), flags }
    this.scripts.set(sha, script)
    return script
  }
  /** Checks a library and reads its functions; does not store it. Throws error replies. */
  loadLibrary(code: string): Library {
    const { name, body } = readLibrary(code)
    this.compile(body, 'user_function', 'ERR Error compiling function: ')
    const text = libraryText(body)
    const rows = this.#raw(text, [], [], NO_HOST)
    if (typeof rows === 'object' && rows !== null && 'err' in rows) {
      return fail(`ERR Error registering functions: ${this.#errorText(rows, 'user_function')}`)
    }
    return { name, code, text, functions: readRows(rows) }
  }
  compile(body: string, name: string, prefix: string): void {
    const check = "local f, e = loadstring(ARGV[1], '@' .. ARGV[2]) if f then return false end return e"
    const error = this.#raw(check, [], [body, name], NO_HOST)
    if (typeof error === 'string') fail(prefix + error)
  }
  #raw(script: string, keys: readonly string[], args: readonly string[], host: LuaHost): LuaValue {
    if (!this.#runtime)
      return fail(this.#openError || 'ERR this store was opened without a Lua runtime: scripts cannot run')
    try {
      return this.#runtime.run(script, keys, args, host)
    } catch (error) {
      if (error instanceof ReplyError) throw error
      this.#runtime = undefined
      return fail('ERR the script needed more memory than a script may have, and was ended')
    }
  }

  /** Runs a script as an inner client that has its caller's rights and database. */
  run(caller: Client, script: Script, { keys, args, readOnly, on = '@user_script' }: ScriptCall): Reply {
    const engine = this.#engine
    const inner = new EngineClient(engine, { reply() {}, push() {} })
    inner.isScript = true
    inner.caller = caller
    inner.mayWait = false
    inner.db = caller.db
    inner.user = caller.user
    inner.readOnly = readOnly || script.flags?.has('no-writes') === true
    engine.depth++
    try {
      let thrown = ''
      const marksNil = script.text.includes(NIL_GUARD)
      const host: LuaHost = {
        call: (words) => toLua(this.#call(inner, words), inner.resp, marksNil),
        setResp(version) {
          inner.resp = version
        },
        log(_level, message) {
          if (message.startsWith(THROWN)) thrown = message
        },
      }
      const value = withThrown(this.#raw(script.text, keys, args, host), thrown)
      return this.#finish(value, script.sha, caller.resp, on)
    } finally {
      engine.depth--
    }
  }
  #call(inner: Client, words: readonly string[]): Reply {
    if (words.length === 0) return new ReplyError('ERR Please specify at least one argument for this redis lib call')
    const outcome = this.#engine.execute(inner, words)
    if (outcome === LATER || (typeof outcome === 'object' && outcome !== null && 'sent' in outcome)) return null
    if (!(outcome instanceof ReplyError)) return outcome as Reply
    const denied = /^NOPERM (.*)/s.exec(outcome.message)
    if (denied) return new ReplyError(`ERR ACL failure in script: ${denied[1]}`)
    if (outcome.message.startsWith('ERR unknown command'))
      return new ReplyError('ERR Unknown Redis command called from script')
    if (outcome.message.startsWith('ERR wrong number of arguments') && !this.#hasArity(words)) {
      return new ReplyError('ERR Wrong number of args calling Redis command from script')
    }
    return outcome
  }
  /** Whether the number of words fits the arity. Some commands refuse other numbers, too, with their own message. */
  #hasArity(words: readonly string[]): boolean {
    const command = this.#engine.table.get((words[0] as string).toLowerCase())
    const { arity = 0 } = command?.subcommands.get(words[1]?.toLowerCase() ?? '') ?? command ?? {}
    return arity > 0 ? words.length === arity : words.length >= -arity
  }
  #finish(value: LuaValue, sha: string, resp: 2 | 3, on: string): Reply {
    if (value === null || typeof value !== 'object' || !('err' in value) || value.line === undefined)
      return fromLua(value, resp)
    const text = this.#errorText(value, on.slice(1))
    return new ReplyError(text.startsWith(PAST_BOUND) ? text : `${text} script: ${sha}, on ${on}:${value.line}.`)
  }
  #errorText({ err, line, kind, name }: LuaError, script: string): string {
    if (kind === 'global-read') {
      return `ERR ${script}:${line}: Script attempted to access nonexistent global variable '${name}'`
    }
    if (kind === 'command-arg-type') return 'ERR Lua redis lib command arguments must be strings or integers'
    return /killed by fuel limit/.test(err) ? PAST_BOUND : err.replace(/\buser_script:(?=\d)/g, `${script}:`)
  }
  flush(): void {
    this.scripts.clear()
  }
  close(): void {
    this.#runtime = undefined
  }
}

/** Put around a script. In parentheses, because only the first value of `return a, b` is the reply. */
const FIRST = ['return((function(...)', '\nend)(...))'] as const

function textOf(body: string): string {
  const [numbers, code] = withNumbers(body)
  const nil = body.includes('setresp') ? NIL_GUARD : ''
  return GUARD + numbers + errorsOf(body) + nil + FIRST[0] + code + FIRST[1]
}

/** The error by which a script ended, with the message and line that `ERRORS` has reported, if that was its last `error`. */
function withThrown(value: LuaValue, thrown: string): LuaValue {
  if (typeof value !== 'object' || value === null || !('err' in value) || value.line === undefined) return value
  const [, line, message = ''] = /^\0thrown (\d+) (.*)$/s.exec(thrown) ?? []
  const isUnknown = value.err.startsWith('ERR script execution failed')
  if (line === undefined || !(isUnknown || value.err === `ERR ${message}`)) return value
  return { ...value, err: isUnknown ? message : value.err, line: Number(line) }
}

const NO_HOST: LuaHost = { call: () => null, setResp() {}, log() {} }

function toLua(reply: Reply, resp: 2 | 3, marksNil: boolean): LuaValue {
  if (reply === null || reply === NULL_ARRAY) return resp === 3 && marksNil ? { ok: NIL } : null
  if (typeof reply === 'string' || typeof reply === 'number' || typeof reply === 'bigint') return reply
  if (Array.isArray(reply)) return reply.map((item) => toLua(item, resp, marksNil))
  if (reply instanceof ReplyError) return { err: errorLine(reply.message) }
  if (reply instanceof Simple) return { ok: reply.text }
  if (reply instanceof Double) return resp === 3 ? { double: reply.value } : reply.text
  if (reply instanceof MapReply) {
    const items = reply.items.map((item) => toLua(item, resp, marksNil))
    return resp === 3 ? { map: items } : items
  }
  if (reply instanceof SetReply) {
    const items = reply.items.map((item) => toLua(item, resp, marksNil))
    return resp === 3 ? { set: items } : items
  }
  if (reply instanceof Bool) return resp === 3 ? reply.value : reply.value ? 1 : 0
  if (reply instanceof Verbatim) return resp === 3 ? { verbatim: reply.text, format: reply.format } : reply.text
  return (reply as BigNumber).text
}

function fromLua(value: LuaValue, resp: 2 | 3): Reply {
  if (typeof value === 'boolean') return resp === 3 ? new Bool(value) : value ? 1 : null
  if (value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) return value.map((item) => fromLua(item, resp))
  if ('ok' in value) return new Simple(value.ok.replace(/[\r\n]/g, ' '))
  if ('err' in value) return new ReplyError(value.err.replace(/[\r\n]/g, ' '))
  if ('double' in value) return new Double(value.double)
  if ('big' in value) return new BigNumber(value.big)
  if ('verbatim' in value) return new Verbatim(value.verbatim, value.format)
  if ('set' in value) return new SetReply(value.set.map((item) => fromLua(item, resp)))
  return new MapReply((value as { map: readonly LuaValue[] }).map.map((item) => fromLua(item, resp)))
}
