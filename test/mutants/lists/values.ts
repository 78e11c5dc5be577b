import { type Mutant, of } from '../mutants.ts'

const codec = of('src/protocol/codec.ts', ['protocol/codec.test.ts'])
const plainJson = of('src/protocol/plain-json.ts', ['protocol/codec.test.ts'])
const plain = of('src/protocol/plain-json.ts', ['protocol/plain-json.test.ts'])
const operation = of('src/protocol/operation.ts', ['protocol/operation.test.ts'])
const refused = of('src/protocol/refused.ts', ['protocol/codec.test.ts'])
const plainKind = of('src/protocol/plain-kind.ts', ['protocol/codec.test.ts', 'protocol/kind.test.ts'])
const bounds = of('src/protocol/bounds.ts', ['protocol/codec.test.ts'])
const kind = of('src/protocol/kind.ts', ['protocol/codec.test.ts', 'protocol/kind.test.ts'])
const encrypted = of('src/codec/encrypted.ts', ['codec/codec.test.ts'])
const form = of('src/cache/value-form.ts', ['codec/codec.test.ts'])
const compressed = of('src/codec/compressed.ts', ['codec/codec.test.ts'])
const judge = of('src/cache/judge.ts', ['codec/another-mark.test.ts'])
const read = of('src/cache/read.ts', ['codec/another-mark.test.ts'])

export const mutants: readonly Mutant[] = [
  operation('what asks for nothing of a key runs once', 'lua.split(KEY_LINE)', '[lua]'),
  plainKind('a class over Array is none', "isRoot(getPrototypeOf(base))) ? 'array'", "true) ? 'array'"),
  plainKind('the prototype of arrays is an array', '(Array.isArray(base) && isRoot', '(base && isRoot'),
  kind('a class over bytes is none', 'base === bytesBase || isRoot', 'true || isRoot'),
  kind('a class over Map, Set or Date is none', 'if (!isRoot(next) && base !== Date.prototype) return undefined', ''),
  kind('a Date of fake timers is one', ' && base !== Date.prototype', ''),
  kind('a class over Buffer is none', "hasOwn(made, 'isBuffer') && ", ''),
  kind('Buffers are bytes', ' || isBuffer(value, base)', ''),
  kind('bytes of another realm are bytes', 'isRoot(getPrototypeOf(next))', 'false'),
  kind('a Map of another realm is one', 'own ? [own] : builtIns', 'own ? [own] : []'),
  kind('a prototype alone makes no Map', 'answers(known.look, value)', 'true'),
  codec('a list with properties is none', 'last !== undefined && !isIndex', "kind !== 'array' && last !== undefined"),
  codec(
    'nor a Map, Set or Date with any',
    'last !== undefined && !isIndex',
    "kind === 'array' && last !== undefined && !isIndex",
  ),
  codec('what looks like an index is a property', '>>> 0}` === last && ', ">>> 0}` !== '' && "),
  codec('so is what is past every index', ' && Number(last) < length', ''),
  codec('a list that is too long is not read', 'if (items.length > MAX_ELEMENTS)', 'if (false)'),
  form('a codec encodes to text', "if (typeof text === 'string') return", 'if (true) return'),
  form(
    'a codec may encode by a promise of another kind',
    'Promise.resolve(payload).then(',
    '(payload as Promise<string>).then(',
  ),
  form(
    'and decode by one',
    "typeof (value as PromiseLike<unknown> | undefined | null)?.then === 'function'",
    'value instanceof Promise',
  ),
  codec('few bytes have names, too', 'length > MAX_NAMED_BYTES', 'true'),
  codec('many are not asked for theirs', 'length > MAX_NAMED_BYTES', 'false'),
  codec('no larger integer is written', 'BigInt.asIntN(MAX_INTEGER_BITS, part as bigint) !== part', 'false'),
  codec('nor read', ' || v.length > MAX_INTEGER_DIGITS', ''),
  codec('integers are text', "typeof v !== 'string' || ", ''),
  plainJson('depth is bounded on reading JSON', 'if (mayBeDeep(text)) checkDepth(value, 0)', ''),
  codec('and what JSON lacks', 'if (depth === MAX_DEPTH) throw tooDeep()\n  const all', 'const all'),
  plainJson(
    'text is looked at before it is parsed',
    "if (!isBounded(text)) throw new SyntaxError('too many elements, or too deep')",
    '',
  ),
  codec('elements are bounded on writing', 'if (!isBounded(payload)) throw', 'if (false) throw'),
  plainJson('a counter is a whole number', 'if (!Number.isSafeInteger(value) || ', 'if ('),
  plainJson('in its digits alone', '}` !== text', "}` === ''"),
  refused('a name that may be data is not shown', '? name : SHOWN.test(name) ?', '? name : name ?'),
  refused('a path has an end', 'path.length > MAX_PATH', 'false'),
  refused('a class is named by what looks like a name', "typeof name === 'string' && SHOWN.test(name)", 'name'),
  bounds('brackets in text are none', 'i = endOfText(text, i)', ''),
  bounds('a quote may be part of the text', 'slashes % 2 === 0', 'true'),
  bounds('elements are counted', 'if (elements > MAX_ELEMENTS) return false', ''),
  bounds('objects count', 'elements++\n      if (++depth', 'if (++depth'),
  bounds('commas count', '(char === 0x2c) elements++', '(char === 0x2c) elements'),
  bounds(
    'few brackets make no depth',
    'if (++brackets > MAX_DEPTH) return true',
    'if (++brackets > 9 * MAX_DEPTH) return true',
  ),
  encrypted(
    'keys are a list of what has an id',
    "!Array.isArray(options?.keys) || options.keys.some((key) => typeof key?.id !== 'string')",
    'false',
  ),
  encrypted('an option that there is not is refused', "checkNames('encrypted', options, ['keys', 'codec'])", ''),
  encrypted('nor has a key any', "checkNames('a key of encrypted', key, ['id', 'secret'])", 'void key'),
  compressed('nor compressed()', "checkNames('compressed', options, ['above', 'maxBytes', 'codec'])", ''),
  compressed('what would not be inflated is not compressed', ' || bytes.length > maxBytes', ''),
  compressed('what is wrapped is a codec', 'checkCodec(codec)', ''),
  encrypted('an id comes once', 'keys.size < (options.keys?.length ?? 0)', 'false'),
  judge('what another codec has written is absent', '!values.marks.includes(entry.mark)', 'false'),
  // Without this guard, loads of such a key would ask for ever. So one test of `add` is named.
  judge('and free for add', "validity === 'valid' && !isForeign ?", "validity === 'valid' ?", [
    'codec/another-mark.test.ts > add takes its place, once',
  ]),
  judge('it is reported where it would count', 'foreign: isLive || isStale', 'foreign: true'),
  read('by what reads', "if (foreign) view.emit({ type: 'decode-failed' }, key)", ''),
  form('a codec takes only its own mark', "found === 'i' ? 'i' : ''", 'found'),
  form('and counters', "found === 'i' ? 'i' : ''", "''"),
  // Plain JSON, of src/protocol/plain-json.ts
  plain('what JSON changes is refused', 'Number.isFinite(part) && !Object.is(part, -0)) return', 'true) return'),
  plain(
    'a circle ends',
    'if (depth === MAX_DEPTH) throw new Refused',
    'if (depth === 9 * MAX_DEPTH) throw new Refused',
  ),
  plain('a list has no holes', 'names.length === length &&', ''),
  plain('nor names', '(length === 0 || names.at(-1) === `$' + '{length - 1}`)', 'true'),
  plain('undefined is no item', "item === undefined && kind === 'object'", 'item === undefined'),
  plain('an instance of a class is refused', 'if (!kind) throw', 'if (false) throw'),
  plain('elements are bounded', 'if (!isBounded(payload)) throw', 'if (false) throw'),
  plain('another mark is none', "if (mark !== 'j') throw", 'if (false) throw'),
]
