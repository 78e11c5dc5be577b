import { fail } from './reply.ts'
import { errorsOf, GUARD, withNumbers } from './script-guard.ts'

/** A function that FUNCTION LOAD has registered. */
export interface LibraryFunction {
  readonly name: string
  readonly description: string | undefined
  readonly flags: ReadonlySet<string>
}
export interface Library {
  readonly name: string
  /** The code as it was loaded. */
  readonly code: string
  /** The script that FCALL runs. */
  readonly text: string
  readonly functions: ReadonlyMap<string, LibraryFunction>
}

const NAME_RULE =
  'Library names can only contain letters, numbers, or underscores(_) and must be at least one character long'

/** The library's name from its first line, and its code from the end of that line on. Throws error replies. */
export function readLibrary(code: string): { readonly name: string; readonly body: string } {
  const end = code.indexOf('\n')
  if (!code.startsWith('#!') || end < 0) fail('ERR Missing library metadata')
  const [engine = '', ...words] = code.slice(2, end).trimEnd().split(/\s+/)
  if (engine.toLowerCase() !== 'lua') fail(`ERR Engine '${engine}' not found`)
  let name: string | undefined
  for (const word of words) {
    if (!word.startsWith('name=')) fail(`ERR Invalid metadata value given: ${word}`)
    if (name !== undefined) fail('ERR Invalid metadata value, name argument was given multiple times')
    name = word.slice(5)
  }
  if (name === undefined) return fail('ERR Library name was not given')
  return /^\w+$/.test(name) ? { name, body: code.slice(end) } : fail(`ERR ${NAME_RULE}`)
}

/**
 * Put before a library's code, in its first line. It replaces `redis`: while the library loads, `redis` can register functions
 * and log, but call no commands; while one of its functions runs, it is as in any script.
 */
const OPENING = [
  'local KEYS,ARGV,__k,__a=nil,nil,KEYS,ARGV',
  'local __f,__rows,__loading={},{},true',
  `local function __bad(text) error('ERR '..text,0) end`,
  // Redis's Lua takes a number for a string here.
  'local function __text(v) if type(v)=="number" then v=tostring(v) end return type(v)=="string" and v end',
  'local __flags={["no-writes"]=1,["allow-oom"]=1,["allow-stale"]=1,["no-cluster"]=1,["allow-cross-slot-keys"]=1}',
  'local function __register(...)',
  'local name,callback=... local description,flags local n=select("#",...)',
  'if n<1 or n>2 then __bad("wrong number of arguments to redis.register_function") end',
  'if n==1 then if type(name)~="table" then __bad("calling redis.register_function with a single argument is only applicable to Lua table (representing named arguments).") end',
  'local given=name name=nil',
  'for k,v in pairs(given) do',
  'if k=="function_name" then name=__text(v) or __bad("function_name argument given to redis.register_function must be a string")',
  'elseif k=="description" then description=__text(v) or __bad("description argument given to redis.register_function must be a string")',
  'elseif k=="callback" then if type(v)~="function" then __bad("callback argument given to redis.register_function must be a function") end callback=v',
  'elseif k=="flags" then if type(v)~="table" then __bad("flags argument to redis.register_function must be a table representing function flags") end flags=v',
  'else __bad("unknown argument given to redis.register_function") end end',
  'if not name then __bad("redis.register_function must get a function name argument") end',
  'if not callback then __bad("redis.register_function must get a callback argument") end',
  'else name=__text(name) or __bad("first argument to redis.register_function must be a string")',
  'if type(callback)~="function" then __bad("second argument to redis.register_function must be a function") end end',
  `if not string.find(name,"^[%w_]+$") then __bad("${NAME_RULE}") end`,
  'if __f[name] then __bad("Function already exists in the library") end',
  'local row={name,description or false}',
  'for _,flag in ipairs(flags or {}) do if not __flags[flag] then __bad("unknown flag given") end row[#row+1]=flag end',
  '__f[name]=callback __rows[#__rows+1]=row end',
  'local __redis=redis',
  'local redis=setmetatable({},{__metatable=false,__newindex=function() error("Attempt to modify a readonly table",2) end,__index=function(_,k)',
  'if not __loading then return __redis[k] end',
  'if k=="register_function" then return __register end',
  'if k=="log" or string.find(k,"^[A-Z]") then return __redis[k] end',
  `error("Script attempted to access nonexistent global variable '"..tostring(k).."'",2) end})`,
  'local server=redis',
  ';(function() ',
].join(' ')

/** Put after a library's code. Without the name of a function it returns the list of functions, else it runs that function. */
const CLOSING = [
  '\nend)() __loading=false',
  'if not __a[1] then return __rows end',
  'local keys,args={},{}',
  'for i=1,#__k do keys[i]=__k[i] end',
  'for i=2,#__a do args[i-1]=__a[i] end',
  'return (__f[__a[1]](keys,args))',
].join(' ')

export function libraryText(body: string): string {
  const [numbers, code] = withNumbers(body)
  return GUARD + numbers + errorsOf(body) + OPENING + code + CLOSING
}

/** The functions in the list that a library's script returned. */
export function readRows(rows: unknown): Map<string, LibraryFunction> {
  const functions = new Map<string, LibraryFunction>()
  for (const [name, description, ...flags] of rows as [string, string | null, ...string[]][]) {
    functions.set(name, { name, description: description || undefined, flags: new Set(flags) })
  }
  return functions.size > 0 ? functions : fail('ERR No functions registered')
}
