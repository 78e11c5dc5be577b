import type { LuaHost, LuaLoader, LuaRuntime, LuaValue } from 'hither/embedded'
import type { ReplyValue } from 'lua-redis-wasm'

/** Most steps of Lua in one script, about a second's worth. */
const MAX_STEPS = 200_000_000
const MAX_REPLY_BYTES = 512 * 1024 * 1024

const MAX_INT = 2n ** 63n - 1n
const MIN_INT = -(2n ** 63n)

/** Bytes as a string with one UTF-16 unit a byte. */
const text = (bytes: Uint8Array): string => (bytes as Buffer).toString('latin1')
const bytes = (binary: string): Buffer => Buffer.from(binary, 'latin1')

/** A reply of a command as the Lua runtime takes it. */
function give(value: LuaValue): ReplyValue {
  if (typeof value === 'string') return bytes(value)
  if (value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) return value.map(give)
  if ('ok' in value) return { ok: bytes(value.ok) }
  if ('err' in value) return { err: bytes(value.err) }
  if ('double' in value) return { double: value.double }
  if ('big' in value) return { big_number: bytes(value.big) }
  if ('verbatim' in value) return { verbatim_string: { format: bytes(value.format), string: bytes(value.verbatim) } }
  if ('set' in value) return { set: value.set.map(give) }
  const { map } = value as { readonly map: readonly LuaValue[] }
  const pairs: [ReplyValue, ReplyValue][] = []
  for (let i = 0; i < map.length; i += 2) pairs.push([give(map[i] as LuaValue), give(map[i + 1] as LuaValue)])
  return { map: pairs }
}

/** A result of a script, from the form of the Lua runtime. */
function take(value: ReplyValue): LuaValue {
  // Redis turns a Lua number beyond 64 bits into their least integer; wasm turns it into their greatest.
  if (value === MAX_INT) return MIN_INT
  if (value === null || typeof value !== 'object') return value
  if (Buffer.isBuffer(value)) return text(value)
  if (Array.isArray(value)) return value.map(take)
  if ('ok' in value) return { ok: text(value.ok) }
  if ('err' in value) {
    const { err, code, meta } = value
    const message = code ? `${text(code)} ${text(err)}` : text(err)
    if (!meta) return { err: message }
    const { line, kind, name } = meta
    return { err: message, line, ...(kind ? { kind } : {}), ...(name ? { name } : {}) }
  }
  if ('double' in value) return { double: value.double }
  if ('big_number' in value) return { big: text(value.big_number) }
  if ('verbatim_string' in value) {
    return { verbatim: text(value.verbatim_string.string), format: text(value.verbatim_string.format) }
  }
  if ('set' in value) return { set: value.set.map(take) }
  return { map: (value as { map: [ReplyValue, ReplyValue][] }).map.flatMap(([name, item]) => [take(name), take(item)]) }
}

const CONSTANTS = {
  REDIS_VERSION: { value: '8.0.6' },
  REDIS_VERSION_NUM: { value: 0x00_08_00_06 },
  REPL_NONE: { value: 0 },
  REPL_AOF: { value: 1 },
  REPL_SLAVE: { value: 2 },
  REPL_REPLICA: { value: 2 },
  REPL_ALL: { value: 3 },
  replicate_commands: { returns: true },
  set_repl: { returns: null },
  breakpoint: { returns: false },
  debug: { returns: null },
} as const

/**
 * Redis's own Lua 5.1 with `cjson`, `cmsgpack`, `struct` and `bit`, by the package `lua-redis-wasm`: 205 kB of wasm,
 * loaded when the first script runs. In Node it comes with this package. Elsewhere it must be installed, and this function
 * rejects if it is not. A script has 16 MB of memory, and ends after `MAX_STEPS` steps.
 */
export const lua: LuaLoader = async (): Promise<LuaRuntime> => {
  const { LuaWasmEngine } = await import('#lua-runtime')
  let host: LuaHost | undefined
  const call = (args: Buffer[]): ReplyValue => give((host as LuaHost).call(args.map(text)))
  const engine = await LuaWasmEngine.create({
    host: {
      redisCall: call,
      redisPcall: call,
      log: (level, message) => host?.log(level, text(message)),
      onSetResp: (version) => host?.setResp(version),
    },
    limits: { maxFuel: MAX_STEPS, maxReplyBytes: MAX_REPLY_BYTES },
    redisProps: CONSTANTS,
  })
  return {
    run(script, keys, args, by) {
      const before = host
      host = by
      try {
        return take(engine.evalWithArgs(bytes(script), keys.map(bytes), args.map(bytes)))
      } finally {
        host = before
      }
    },
  }
}
