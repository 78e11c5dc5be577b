/**
 * Finds what operations must not do in Lua: `cjson` turns `[]` into `{}`, and `tostring` and `..` on a number keep 14 digits,
 * which cuts a timestamp in microseconds. Whether an operand of `..` is text is followed through locals, parameters and
 * local functions. What cannot be followed counts as a number.
 */
export function luaFaults(script: string): string[] {
  const tokens = tokenize(script)
  const faults: string[] = []
  tokens.forEach((token, i) => {
    if (token === 'cjson' || token === 'cmsgpack') faults.push(`${token} is banned: state is positional text`)
    if (token === 'tostring') faults.push("tostring is banned: use string.format('%.0f', n)")
    if (token !== '..') return
    for (const operand of [before(tokens, i), after(tokens, i)])
      if (!isText(tokens, operand, [])) faults.push(`.. on ${operand.join(' ') || 'nothing'}, which may be a number`)
  })
  return faults
}

const pattern =
  /--\[\[[\s\S]*?\]\]|--[^\n]*|\[\[[\s\S]*?\]\]|'(?:\\[\s\S]|[^'\\])*'|"(?:\\[\s\S]|[^"\\])*"|[A-Za-z_]\w*|\d[\w.]*|\.{2,3}|[=~<>]=|\S/g

const tokenize = (script: string): string[] => (script.match(pattern) ?? []).filter((token) => !token.startsWith('--'))

const isName = (token: string | undefined): token is string => /^[A-Za-z_]\w*$/.test(token ?? '')
const keywords = new Set(
  'and break do else elseif end false for function if in local nil not or repeat return then true until while'.split(
    ' ',
  ),
)
const stops = new Set(['..', ',', ';', '=', '==', '~=', '<', '>', '<=', '>=', '{', '}', ...keywords])
const isPlain = (token: string | undefined): boolean => isName(token) && !keywords.has(token)

/** The operand that ends before `at`, back to where an expression or another operand begins. */
function before(tokens: readonly string[], at: number): string[] {
  let depth = 0
  let i = at - 1
  for (; i >= 0; i--) {
    const token = tokens[i] as string
    if (token === ')' || token === ']') depth++
    else if (token === '(' || token === '[') {
      if (depth === 0) break
      depth--
    } else if (depth === 0 && stops.has(token)) break
  }
  return tokens.slice(i + 1, at)
}

/** The operand that starts after `at`, up to the end of the expression or of the statement. */
function after(tokens: readonly string[], at: number): string[] {
  let depth = 0
  let i = at + 1
  for (; i < tokens.length; i++) {
    const token = tokens[i] as string
    const last = i > at + 1 ? tokens[i - 1] : undefined
    // two words, or a word after a bracket: the next statement begins
    if (depth === 0 && isPlain(token) && last !== undefined && /^[\w)\]'"]/.test(last)) break
    if (token === '(' || token === '[') depth++
    else if (token === ')' || token === ']') {
      if (depth === 0) break
      depth--
    } else if (depth === 0 && stops.has(token)) break
  }
  return tokens.slice(at + 1, i)
}

/** Splits at `by` outside brackets. */
function split(tokens: readonly string[], by: string): string[][] {
  const parts: string[][] = [[]]
  let depth = 0
  for (const token of tokens) {
    if ('([{'.includes(token)) depth++
    if (')]}'.includes(token)) depth--
    if (depth === 0 && token === by) parts.push([])
    else parts.at(-1)?.push(token)
  }
  return parts
}

/** The list of expressions from `at` to the end of the statement. */
function expressions(tokens: readonly string[], at: number): string[][] {
  let end = at
  let depth = 0
  for (; end < tokens.length; end++) {
    const token = tokens[end] as string
    const last = end > at ? (tokens[end - 1] as string) : ','
    const next = isPlain(token) && /^[\w)\]}'"]/.test(last) && !['and', 'or', 'not', 'in'].includes(last)
    const ends = [
      'end',
      'local',
      'if',
      'elseif',
      'else',
      'then',
      'do',
      'for',
      'while',
      'return',
      'until',
      ';',
      'repeat',
    ]
    if (depth === 0 && (next || ends.includes(token))) break
    if ('([{'.includes(token)) depth++
    if (')]}'.includes(token) && --depth < 0) break
  }
  return split(tokens.slice(at, end), ',')
}

const textCommands = /^['"](GET|GETRANGE|GETDEL|GETEX|HGET|LINDEX|LPOP|RPOP)['"]$/
const listCommands = /^['"](HMGET|LRANGE|MGET|SMEMBERS|ZRANGE|ZREVRANGE)['"]$/
const textMethods = new Set(['sub', 'rep', 'format', 'lower', 'upper', 'char', 'gsub', 'match'])

/** Whether an expression is never a number: it is text, or nil or false, which `..` refuses. */
function isText(tokens: readonly string[], expression: readonly string[], seen: readonly string[]): boolean {
  const choices = split(expression, 'or')
  if (choices.length > 1) return choices.every((one) => isText(tokens, split(one, 'and').at(-1) ?? [], seen))
  const joined = split(expression, '..')
  if (joined.length > 1) return true // a concatenation is text; its operands are checked where they are written
  const [first, second, third] = expression
  if (first === undefined || ['+', '-', '*', '/', '%', '^', '#'].some((sign) => split(expression, sign).length > 1))
    return false
  const methods = split(expression, ':').slice(1)
  if (methods.length > 0) return textMethods.has(methods.at(-1)?.[0] ?? '')
  if (/^(['"]|\[\[)/.test(first)) return second === undefined
  if (first === '(') return isText(tokens, expression.slice(1, -1), seen)
  if (first === 'nil' || first === 'false') return true
  if (!isPlain(first)) return false
  if (first === 'string') return textMethods.has(third ?? '')
  if (first === 'table') return third === 'concat' && isText(tokens, [expression[4] ?? '', '[', ']'], seen)
  if (first === 'ARGV' || first === 'KEYS') return second === '[' && expression.at(-1) === ']'
  if (first === 'redis') return textCommands.test(expression[4] ?? '')
  if (seen.includes(first)) return true
  const trail = [...seen, first]
  if (second === '(') return returnsOf(tokens, first)?.every((one) => isText(tokens, one, trail)) ?? false
  const given = valuesOf(tokens, first)
  if (second === '[') {
    const isList = (one: readonly string[]): boolean =>
      one[0] === 'redis'
        ? listCommands.test(one[4] ?? '')
        : itemsOf(one)?.every((item) => isText(tokens, item, trail)) === true
    return (
      given.length > 0 &&
      given.every(isList) &&
      elementsOf(tokens, first).every((element) => isText(tokens, element, trail))
    )
  }
  return second === undefined && given.length > 0 && given.every((one) => isText(tokens, one, trail))
}

/** The items of a table constructor; undefined for any other expression, and for a table with a field by name. */
function itemsOf(expression: readonly string[]): string[][] | undefined {
  if (expression[0] !== '{' || expression.at(-1) !== '}') return undefined
  const items = split(expression.slice(1, -1), ',').filter((item) => item.length > 0)
  const values = items.map((item) => (item[0] === '[' ? item.slice(item.indexOf('=') + 1) : item))
  return values.some((value) => value[1] === '=') ? undefined : values
}

/** Every expression that is assigned to an element of a table. Where there are several targets: an empty one, which is no text. */
function elementsOf(tokens: readonly string[], name: string): string[][] {
  return tokens.flatMap((token, i) => {
    if (token !== name || tokens[i + 1] !== '[') return []
    const end = tokens.indexOf(']', i)
    if (tokens[end + 1] === ',' || tokens[i - 1] === ',') return [[]]
    return tokens[end + 1] === '=' ? [expressions(tokens, end + 2)[0] ?? []] : []
  })
}

/** Every expression that is assigned to a name, or passed for the parameter of that name. */
function valuesOf(tokens: readonly string[], name: string): string[][] {
  const found: string[][] = []
  tokens.forEach((token, i) => {
    if (token === '=') {
      let start = i - 1
      while (tokens[start - 1] === ',') start -= 2
      const names = tokens.slice(start, i).filter((one) => one !== ',')
      if (names.includes(name)) found.push(expressions(tokens, i + 1)[names.indexOf(name)] ?? ['nil'])
    }
    if (token === 'in' && before(tokens, i).includes(name)) found.push([])
    if (token !== 'function' || tokens[i + 2] !== '(') return
    const parameter = parametersOf(tokens, i).indexOf(name)
    if (parameter < 0) return
    tokens.forEach((other, at) => {
      if (other !== tokens[i + 1] || tokens[at + 1] !== '(' || at === i + 1) return
      found.push(expressions(tokens, at + 2)[parameter] ?? ['nil'])
    })
  })
  return found
}

const parametersOf = (tokens: readonly string[], at: number): string[] =>
  tokens.slice(at + 3, tokens.indexOf(')', at)).filter((one) => one !== ',')

/** Every expression that a local function returns; undefined when there is no such function. */
function returnsOf(tokens: readonly string[], name: string): string[][] | undefined {
  const start = tokens.findIndex((token, i) => token === 'function' && tokens[i + 1] === name)
  if (start < 0) return undefined
  const found: string[][] = []
  let depth = 0
  for (let i = start; i < tokens.length; i++) {
    const token = tokens[i] as string
    if (['function', 'if', 'do', 'repeat'].includes(token)) depth++
    if (['end', 'until'].includes(token) && --depth === 0) break
    if (token === 'return') found.push(expressions(tokens, i + 1)[0] ?? [])
  }
  return found
}
