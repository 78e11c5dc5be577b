/**
 * A script past its step limit ends with an error of the runtime. No `pcall` may catch that error, or a loop of such calls would
 * never end. The globals cannot be changed, so each script gets guarded local versions of all functions that lead around the
 * guard: those that catch errors (`pcall`, `xpcall`, `coroutine.resume`, `load`), those that compile code with access to the
 * globals (`load`, `loadstring`), and `_G`. The text is one line, and puts itself before any code that is compiled later.
 */
const SOURCE = [
  'local src=...',
  'local pcall,error,type,find,select,tostring=pcall,error,type,string.find,select,tostring',
  'local real,compile,read,co=_G,loadstring,load,coroutine',
  "local function check(ok,...) if not ok and type((...))=='string' and find((...),'killed by fuel limit',1,true) then error((...),0) end return ok,... end",
  'local function p(...) return check(pcall(...)) end',
  // The handler runs after the error, not within it: the step limit reached inside a handler would show as another error.
  'local function handled(h,ok,...) if ok then return ok,... end return false,select(2,p(h,...)) end',
  'local function x(f,h) return handled(h,p(f)) end',
  "local before='local pcall,xpcall,loadstring,load,coroutine,_G=loadstring('..string.format('%q',src)..')('..string.format('%q',src)..') '",
  "local function l(text,name) return compile(before..tostring(text),name or '=string') end",
  // `load` itself catches the errors of its reader.
  'local function loaded(f,...) if not f then check(false,...) end return f,... end',
  "local function r(reader,name) local first=true return loaded(read(function() if first then first=false return before end return reader() end,name or '=(load)')) end",
  'local c={} for k,v in pairs(co) do c[k]=v end',
  'c.resume=function(...) return check(co.resume(...)) end',
  'local own={pcall=p,xpcall=x,loadstring=l,load=r,coroutine=c}',
  "local g=setmetatable({},{__metatable=false,__index=function(_,k) return own[k] or real[k] end,__newindex=function() error('Attempt to modify a readonly table',2) end})",
  'own._G=g',
  'return p,x,l,r,c,g',
].join(' ')

const quoted = `"${SOURCE.replace(/[\\"]/g, '\\$&')}"`

/** Put before the first line of a script. */
export const GUARD: string = `local pcall,xpcall,loadstring,load,coroutine,_G=loadstring(${quoted})(${quoted}) `

/** The status that stands for a null of RESP3 in values given to Lua. */
export const NIL = '\0nil'

/**
 * Put before a script that may use RESP3, whose null must be nil in Lua. The runtime cannot be given a nil, so the host gives
 * it `NIL`, and this code replaces that by nil. An error of `redis.call` then names this line.
 */
export const NIL_GUARD: string = [
  'local redis=(function(real)',
  'local function fix(x)',
  "if type(x)~='table' then return x end",
  "if x.ok=='\\0nil' then return nil end",
  'for k,v in pairs(x) do local y=fix(v) if y~=v then x[k]=y end end',
  'return x end',
  'local own={call=function(...) return fix(real.call(...)) end,pcall=function(...) return fix(real.pcall(...)) end}',
  "return setmetatable({},{__metatable=false,__index=function(_,k) return own[k] or real[k] end,__newindex=function() error('Attempt to modify a readonly table',2) end})",
  'end)(redis) ',
].join(' ')
