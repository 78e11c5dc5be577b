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
  'local function caught(...) return check(pcall(...)) end',
  // As in Redis, `pcall` returns the text of an error that is a table with `err`.
  "local function flat(ok,...) if not ok and type((...))=='table' and type((...).err)=='string' then return false,(...).err end return ok,... end",
  'local function p(...) return flat(caught(...)) end',
  // The handler runs after the error, not within it: the step limit reached inside a handler would show as another error.
  'local function handled(h,ok,...) if ok then return ok,... end return false,select(2,caught(h,...)) end',
  'local function x(f,h) return handled(h,caught(f)) end',
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

/**
 * Put before a script that may make numbers of more than 14 digits, such as microseconds. The runtime passes such a number to a
 * command with 14 digits; a Redis passes all of them. Between the script and the command there is now a function of Lua, so it
 * reports the line of the script, as `ERRORS` does.
 */
const NUMBERS: string = [
  'local redis=(function(real)',
  'local select,type,tonumber,unpack,throw,try,fmt=select,type,tonumber,unpack,error,pcall,string.format',
  'local function text(v)',
  "if v%1==0 and v>-2^62 and v<2^62 then return fmt('%.0f',v+0) end",
  "for p=14,17 do local s=fmt('%.'..p..'g',v) if tonumber(s)==v then return s end end return v end",
  'local function ask(...)',
  "local n,words,some=select('#',...),{...}",
  'for i=1,n do local t=type(words[i])',
  "if t=='number' then some=true words[i]=text(words[i])",
  "elseif t~='string' then return {err='ERR Lua redis lib command arguments must be strings or integers'} end end",
  'if some then return real.pcall(unpack(words,1,n)) end return real.pcall(...) end',
  'local own={pcall=ask}',
  'own.call=function(...)',
  'local r=ask(...)',
  "if type(r)~='table' or type(r.err)~='string' then return r end",
  // `pcall` is that of the guard: with its own two frames, the caller of `call` is at level 5.
  "real.log(real.LOG_DEBUG,'\\0thrown '..(string.match(select(2,try(throw,'',5)),':(%d+): $') or 1)..' '..r.err)",
  'throw(r,0) end',
  "return setmetatable({},{__metatable=false,__index=function(_,k) return own[k] or real[k] end,__newindex=function() throw('Attempt to modify a readonly table',2) end})",
  'end)(redis) ',
].join(' ')

/**
 * Put before a script that formats numbers or reads them by a base. The runtime does both with 32 bits, where a Redis has 64: a
 * time in milliseconds became 2147483647. An error in a format names the line of the script.
 */
const WIDE: string = [
  'local string,tonumber=(function(real,tonumber)',
  'local format,gsub,match,rep,select,unpack,type,tostring,throw,try=real.format,real.gsub,real.match,real.rep,select,unpack,type,tostring,error,pcall',
  'local whole=function(x) return x<0 and math.ceil(x) or math.floor(x) end',
  'local function out(ok,s) if ok then return s end throw((gsub(s,"\'%?\'","\'format\'")),3) end',
  'local function wide(f,...)',
  "if type(f)~='string' then return out(try(format,f,...)) end",
  "local n,v,i=select('#',...),{...},0",
  "f=gsub(f,'%%([-+ #0]*)(%d*)[%.%d]*(.)',function(flags,width,kind)",
  "if kind=='%' then return end i=i+1",
  "local x=match(kind,'[diuxX]') and tonumber(v[i])",
  "if not x or x>-1 and x<2^31 or x<0 and x>-2^31 and match(kind,'[di]') then return end",
  "if match(kind,'[di]') then v[i]=x>=-2^63 and x<2^63 and whole(x) or -2^63",
  "elseif kind=='u' then v[i]=whole(x<0 and x+2^64 or x)",
  "else local text=gsub(format('%'..kind..'%08'..kind,math.floor(whole(x)/2^32)%2^32,whole(x)%2^32),'^0+','')",
  "v[i]=match(flags,'0') and rep('0',(tonumber(width) or 0)-#text)..text or text return '%'..gsub(flags,'0','')..width..'s' end",
  "return '%'..flags..width..'.0f' end)",
  'return out(try(format,f,unpack(v,1,n))) end',
  'local function number(...)',
  'local value,n=tonumber(...),0',
  "if select('#',...)<2 or value~=2^32-1 then return value end",
  'local text,base=...',
  "gsub(gsub(match(tostring(text),'%w+'),'^0[xX]',''),'.',function(c) n=n*base+tonumber(c,base) end)",
  'return n<2^64 and n or 2^64 end',
  'local own={} for k,v in pairs(real) do own[k]=v end own.format=wide',
  "return setmetatable(own,{__newindex=function() throw('Attempt to modify a readonly table',2) end}),number",
  'end)(string,tonumber) ',
].join(' ')

/** A directive of `string.format` for a whole number, or a format that is no literal. */
const WHOLE = /%[-+ #0]*\d*[.\d]*[diuxX]|\bformat\s*\(\s*[^'"\s]/
/** `tonumber` of two arguments, which may be calls of calls. */
const BASE = /\btonumber\s*\([^()]*(?:\((?:[^()]|\([^()]*\))*\)[^()]*)*,/

/** A text or a comment of Lua. */
const TEXT = /"(?:\\[\s\S]|[^"\\])*"|'(?:\\[\s\S]|[^'\\])*'|(?:--)?\[(=*)\[[\s\S]*?\]\1\]|--.*/.source

/** What may come before a text in parentheses, unless they are those of a call. */
const BEFORE =
  /(?=\()(?<=(?:^|[^\w\])}"'.:\s]|\.\.|\b(?:return|and|or|not|in|if|elseif|while|until|then|do|else))(?:\s|--.*\n)*)/
    .source
/** Or else `("%d"):format(`: the method of a string, which no script can replace. */
const LITERAL_FORMAT = new RegExp(
  `${TEXT}|${BEFORE}${/\(("(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')\)[ \t]*:[ \t]*format[ \t]*\((?!\s*\))/.source}`,
  'g',
)

const STRINGS = /"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g
/** Code that makes numbers: arithmetic, a conversion, a long literal. */
const COUNTS = /[-+*/%^]|\b(tonumber|math|cjson|cmsgpack|struct|bit)\b|\d[eE]|\d[\d.]{14}|0[xX]/

/** A command whose reply may have as many digits, or that is not named here, unless it is what the script returns. */
const ADDS =
  /(?<!return\s+redis\.p?call\s*\(\s*)["']\w*(INCR|DECR|BITFIELD)|(?<!return\s+)redis\.p?call\b(?!\s*\(\s*["'])|(?<![=~])=\s*redis\b(?!\s*\.)|\bredis\s+\./i

/** What a function returns is not what the script returns. */
const needsNumbers = (code: string): boolean =>
  COUNTS.test(code.replace(STRINGS, '').replace(/--(?!\[).*/g, '')) ||
  ADDS.test(/function|load/.test(code) ? code.replace(/return/g, '') : code)

/** Or else a `return` whose command would be a tail call. */
const RETURNS = new RegExp(`${TEXT}|${/(\breturn\s+)(?=redis\s*\.\s*p?call\b)/.source}`, 'g')

/**
 * `NUMBERS` for code that needs it, and that code. A function of Lua that is the last call of another takes its place, so that no
 * error could name its line: `nil or` before the call prevents that, and changes neither its value nor any line.
 */
export function withNumbers(code: string): readonly [before: string, code: string] {
  if ((/\bformat\b/.test(code) && WHOLE.test(code)) || BASE.test(code)) {
    const [before, after] = onlyNumbers(
      code.replace(LITERAL_FORMAT, (all, _, text?: string) => (text ? `string.format(${text},` : all)),
    )
    return [before + WIDE, after]
  }
  return onlyNumbers(code)
}

function onlyNumbers(code: string): readonly [before: string, code: string] {
  if (!needsNumbers(code)) return ['', code]
  return [NUMBERS, code.replace(RETURNS, (all, _, back?: string) => (back ? `${back}nil or ` : all))]
}

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

/**
 * Begins the message of `redis.log` by which `ERRORS` reports a call of `error`: the line of the call, a space, and the
 * message of the error.
 */
export const THROWN = '\0thrown '

/**
 * Put before a script that names `error`. The runtime drops an error that is no text, so the host is told its message and line.
 * As in Redis, the first word of a `redis.error_reply` of several words is its code, in any letters.
 */
const ERRORS_SOURCE: string = [
  'local real=... local throw,type,tostring,select,find,sub,match,try=error,type,tostring,select,string.find,string.sub,string.match,pcall',
  // `pcall` is that of the guard: with its own two frames, the caller of `err` is at level 6.
  "local function at(level) return select(2,try(throw,'',level+5)) end",
  'local function text(e,level)',
  "if type(e)=='string' or type(e)=='number' then return (level==0 and '' or at(level+1))..e end",
  "if type(e)=='table' then return type(e.err)=='string' and e.err or 'ERR unknown error' end",
  "return 'ERR '..tostring(e) end",
  'local function err(e,level)',
  'level=level or 1',
  "real.log(real.LOG_DEBUG,'\\0thrown '..(match(at(1),':(%d+): $') or 1)..' '..text(e,level))",
  'throw(e,level==0 and 0 or level+1) end',
  'local function reply(...)',
  "if select('#',...)~=1 or type((...))~='string' then return {err='ERR wrong number or type of arguments'} end",
  "local e=... if sub(e,1,1)=='-' then e=sub(e,2) end",
  "return {err=find(e,' ',1,true) and e or 'ERR '..e} end",
  "return err,setmetatable({},{__metatable=false,__index=function(_,k) if k=='error_reply' then return reply end return real[k] end,__newindex=function() throw('Attempt to modify a readonly table',2) end})",
].join(' ')
const ERRORS: string = `local error,redis=loadstring("${ERRORS_SOURCE.replace(/[\\"]/g, '\\$&')}")(redis) `

/** `ERRORS` for code that needs it. */
export const errorsOf = (code: string): string => (code.includes('error') ? ERRORS : '')
