import { type Mutant, of } from '../mutants.ts'

const TESTS = ['embedded/guards.test.ts']
const store = of('src/embedded/store.ts', TESTS)
const engine = of('src/embedded/engine.ts', TESTS)
const transactions = of('src/embedded/families/transactions.ts', TESTS)
const meter = of('src/embedded/memory-meter.ts', TESTS)
const dispatch = of('src/embedded/dispatch.ts', TESTS)
const reader = of('src/embedded/request-reader.ts', TESTS)
const documents = of('src/embedded/json-document.ts', ['embedded/json.test.ts'])
const paths = of('src/embedded/json-path.ts', ['embedded/json.test.ts'])
const arrays = of('src/embedded/families/json-arrays.ts', ['embedded/json.test.ts'])
const dump = of('src/embedded/dump.ts', ['embedded/dumps.test.ts'])
const payload = of('src/embedded/payload.ts', ['embedded/dumps.test.ts', 'embedded/functions.test.ts'])
const dumps = of('src/embedded/families/dumps.ts', ['embedded/dumps.test.ts'])
const lcs = of('src/embedded/families/lcs.ts', ['embedded/dumps.test.ts'])
const functions = of('src/embedded/families/functions.ts', ['embedded/functions.test.ts'])

export const mutants: readonly Mutant[] = [
  store('the keys of a command are keys', '      checkKeys(keys, traits)\n      const reply', '      const reply'),
  store(
    'a refused command rejects',
    'if (reply instanceof ReplyError) throw new StoreRejectedError(String(args[0]), reply)',
    '',
  ),
  engine('a key ends at its time', 'if (endMs === undefined || endMs > this.nowMs) return false', 'return false'),
  engine('a sweep ends keys', 'if (endMs <= this.nowMs) {', 'if (false) {'),
  transactions('a watched key that changed ends a transaction', 'if (client.dirty) return true', ''),
  transactions('so does one that ended', 'if (!expired && endMs !== undefined', 'if (false && endMs !== undefined'),
  meter('what is used goes last', 'if (!this.#byUse) return', 'return'),
  dispatch('a password is asked for', "if (!client.user && !command.flags.has('no_auth')) fail(NO_AUTH)", ''),
  dispatch('a bound refuses', '!engine.meter.makeRoom()', 'false'),
  reader('an inline request ends at its NUL', "text.split('\\0', 1)[0] as string", 'text'),
  documents(
    'a document stays as shallow as it can be read',
    "if (depth > MAX_DEPTH) fail('ERR recursion limit exceeded')",
    '',
  ),
  documents('a value is not copied without end', 'places.length * sizeOfJson(data) > MAX_BYTES', 'false'),
  documents('a value within one that is written is not written', '!isWithin(place, last)', 'true'),
  paths('a path finds no more than can be worked on', 'next.length > MAX_PLACES', 'false'),
  paths(
    'a filter is nested no deeper than it can be read',
    'if (++this.#depth > MAX_DEPTH) this.bad()\n    let',
    'let',
  ),
  arrays('an index beyond an array is refused', 'at < 0 || at > length', 'false'),
  payload('a payload has its checksum', 'payload !== body + sha1(body)', 'false'),
  dumps('a forged payload is looked at', 'if (isDumped(content))', 'if (content)'),
  dump('a dumped text holds bytes', '/^[\\x00-\\xff]*$/.test(part)', 'true'),
  lcs('a table of LCS has a bound', '(a.length + 1) * width * 4 > MAX_TABLE_BYTES', 'false'),
  functions('two libraries have no function of one name', 'taken.has(name)', 'false'),
  functions('a library is replaced only where that is asked for', '&& options.length === 0) fail', '&& false) fail'),
  functions(
    'libraries are restored beside others only where none has their names',
    "how === 'APPEND' && libraries.has(name)",
    'false',
  ),
  functions('libraries are restored all or none', 'checkNames(added, kept)', ''),
  functions('a payload of a value holds no libraries', 'type !== DUMPED', 'false'),
  functions('FCALL_RO runs what does not write', "readOnly && !flags.has('no-writes')", 'false'),
]
