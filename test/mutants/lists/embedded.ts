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

const DIFFERENCES = ['embedded/differences.test.ts']
const reads = of('src/embedded/families/stream-reads.ts', DIFFERENCES)
const groups = of('src/embedded/families/stream-groups.ts', DIFFERENCES)
const words = of('src/embedded/dispatch.ts', DIFFERENCES)
const ranges = of('src/embedded/families/sorted-ranges.ts', DIFFERENCES)
const sorting = of('src/embedded/families/sorting.ts', DIFFERENCES)
const server = of('src/embedded/families/server.ts', DIFFERENCES)

const SCRIPTS = ['embedded/script-errors.test.ts']
const host = of('src/embedded/script-host.ts', SCRIPTS)
const guard = of('src/embedded/script-guard.ts', SCRIPTS)

const BOUNDS = ['embedded/bounds.test.ts']
const room = of('src/embedded/memory-meter.ts', BOUNDS)
const leaving = of('src/embedded/engine.ts', BOUNDS)
const waiting = of('src/embedded/waiters.ts', BOUNDS)
const client = of('src/embedded/client.ts', BOUNDS)
const requests = of('src/embedded/request-reader.ts', BOUNDS)
const scripts = of('src/embedded/script-host.ts', BOUNDS)
const rights = of('src/embedded/dispatch.ts', BOUNDS)
const loading = of('src/embedded/dump.ts', BOUNDS)
const snapshot = of('adapters/node/snapshot.ts', BOUNDS)
const LIBRARIES = ['embedded/functions.test.ts']
const USERS = ['embedded/users.test.ts']
const users = of('src/embedded/users.ts', USERS)
const config = of('src/embedded/config.ts', USERS)
const servers = of('src/embedded/families/server.ts', USERS)
const tracking = of('src/embedded/families/clients.ts', USERS)
const sorted = of('src/embedded/sorted-map.ts', ['embedded/sorted-map.test.ts'])

const SEVERAL = ['embedded/several-clients.test.ts']
const keeping = of('src/embedded/tracking.ts', SEVERAL)
const speaking = of('src/embedded/client.ts', SEVERAL)
const prefixed = of('src/embedded/families/clients.ts', SEVERAL)
const hanging = of('src/embedded/dispatch.ts', SEVERAL)
const watching = of('src/embedded/engine.ts', SEVERAL)
const access = of('src/embedded/users.ts', SEVERAL)
const subscribing = of('src/embedded/families/pubsub.ts', SEVERAL)
const setting = of('src/embedded/families/bits.ts', SEVERAL)

const sizes = of('src/embedded/reply.ts', BOUNDS)
const replying = of('src/embedded/connection.ts', BOUNDS)
const embeddedTransport = of('src/embedded/transport.ts', ['embedded/closing.test.ts'])

export const mutants: readonly Mutant[] = [
  host('a script replies with its first value', ' + FIRST[0] + code + FIRST[1]', ' + code'),
  guard('a format takes numbers of 64 bits', ' + WIDE, after]', ', after]'),
  guard('the method of a literal is the function', 'code.replace(LITERAL_FORMAT', "code.replace('()'"),
  sizes('a string that is too long is an error reply', 'error instanceof RangeError', 'false'),
  replying('a reply that is too long is an error', 'return encode(replyOf(error), resp)', 'throw error'),
  embeddedTransport(
    'a store that is closed ends the calls that wait',
    '      for (const end of waits) end(storeClosed(true))\n',
    '',
  ),
  keeping('one message tells of all keys of a prefix', 'if (keys) keys.add(key)', 'if (keys) keys.add(prefix)'),
  keeping('who tracks hears that its redirection is broken', 'tracking.isBroken = true\n', ''),
  speaking('what a command causes comes behind its reply', 'if (this.#running) this.#held', 'if (false) this.#held'),
  speaking('a read that finds nothing is an event', "config.events.has('m') &&", 'false &&'),
  speaking('a confirmation stands among the replies of EXEC', 'if (this.collected) return', 'if (false) return'),
  prefixed('prefixes are added to those there are', '[...existing, ...(added', '[...(added'),
  hanging(
    'CLIENT CACHING lasts past commands of CLIENT',
    "!command.name.startsWith('client|'))\n",
    "command.name !== 'client|caching')\n",
  ),
  hanging('CLIENT CACHING lasts for a whole transaction', '&& !client.queue && engine.depth === 0', ''),
  hanging(
    'a request of a browser is hung up on',
    'if (!command && client.outlet.close',
    'if (false && client.outlet.close',
  ),
  watching('monitors see no secrets', 'withoutSecrets(command.name, args).map', 'args.map'),
  watching('monitors see nothing of administrators', "if (command.flags.has('admin')) return\n", ''),
  watching('who resets monitors no more', "if (monitor === client && command.name === 'reset') continue\n", ''),
  access('each key is judged by its own use', 'const part = { ...command, keys: [spec] }', 'const part = command'),
  subscribing('no transaction subscribes to a shard', "if (!client.mayWait && kind === 'shardChannels')", 'if (false)'),
  setting('a bit that stays is no change', 'if (before === bit && padded === old) return before\n', ''),
  users('a pattern that reads writes nothing', "pattern[1] === 'R' ? !writes", "pattern[1] === 'R' ? true"),
  users('a pattern that writes reads nothing', ': !reads', ': true'),
  users('a hash of a password is one', 'if (isHash && !/^[0-9a-f]{64}$/.test(text)) return NO_HASH', ''),
  users('a password is kept as its hash alone', 'isHash ? text : sha256(text)', 'text'),
  users('a rule names a command that there is', "if (!isKnown) return 'Unknown command or category name in ACL'", ''),
  config('a parameter has bounds', 'if (number < least || number > most)', 'if (false)'),
  config('two names of a parameter have one value', 'if (alias) values.set(alias, kept)', ''),
  servers('parameters are set all or none', 'for (const [name, old] of before) config.set(name, old)', ''),
  tracking('no prefix begins with another', 'a.startsWith(b) || b.startsWith(a)', 'false'),
  sorted('a name that was removed and is set again counts', 'if (this.#values[place] === undefined) this.#size++', ''),
  sorted(
    'the first place of a map in order has a value',
    'while (this.#values[this.#first] === undefined)',
    'while (false)',
  ),
  sorted('a name is removed once', '|| this.#values[place] === undefined) return false', ') return false'),
  store('the keys of a command are keys', '      checkKeys(keys, traits)\n      const reply', '      const reply'),
  store(
    'a refused command rejects',
    'if (reply instanceof ReplyError) throw new StoreRejectedError(String(args[0]), reply)',
    '',
  ),
  engine('a key ends at its time', 'if (endMs === undefined || endMs > this.nowMs) return false', 'return false'),
  engine('a sweep ends keys', 'if (endMs <= this.nowMs) {', 'if (false) {'),
  engine(
    'the next sweep looks at other hashes',
    'db.fieldEnds.delete(key)) db.fieldEnds.add(key)',
    'false) db.fieldEnds.add(key)',
  ),
  reads(
    'what a group has read is counted on from an entry that is there',
    'lastId >= (stream.first() as StreamId) && !hasGapsFrom',
    '!hasGapsFrom',
  ),
  groups(
    'a stream that its first group makes is a change',
    'client.put(key, stream)\n    client.engine.touched(client.db, key, client)',
    'client.put(key, stream)',
  ),
  client(
    'no change of groups fails a transaction',
    'this.engine.metadataChanged(this.db, key)',
    'this.engine.touched(this.db, key)',
    DIFFERENCES,
  ),
  transactions('a watched key that changed ends a transaction', 'if (client.dirty) return true', ''),
  transactions('so does one that ended', 'if (!expired && endMs !== undefined', 'if (false && endMs !== undefined'),
  meter('what is used goes last', 'if (!this.#byUse) return', 'return'),
  room('a key is weighed by what it takes now', 'this.total -= sizes.get(key) ?? 0', ''),
  room('a flush gives room', 'for (const size of sizes.values()) this.total -= size', ''),
  room('volatile-lru deletes what has an end', 'if (onlyEnding && !db.ends.has(key)) continue', ''),
  room('volatile-random deletes what has an end', 'onlyEnding ? [...db.ends.keys()] : names', 'names'),
  room('volatile-ttl deletes what ends first', 'if (endMs < bestEndMs)', 'if (!best)'),
  leaving('a client that leaves waits no more', 'this.waiters.leave(client)', ''),
  leaving('a client that leaves hears no channel', 'this.channels.leave(client)', ''),
  leaving('a client that leaves tracks nothing', 'this.tracking.leave(client)', ''),
  waiting('a client waits for one type', 'kind !== waiting.kind && !waiting.untilGone', 'false'),
  client('nothing waits in a transaction or a script', 'if (!this.mayWait) return NULL_ARRAY', ''),
  requests('words before a password are few', 'count > MAX_WORDS_UNKNOWN && !isKnown()', 'false'),
  requests('words before a password are short', 'bulk > MAX_BULK_UNKNOWN && !isKnown()', 'false'),
  scripts('a script does not wait', 'inner.mayWait = false', ''),
  scripts(
    'a script has the rights of its caller',
    'inner.user = caller.user',
    "inner.user = engine.users.get('default')",
  ),
  scripts('a script that reads does not write', 'inner.readOnly = readOnly ||', 'inner.readOnly = false &&'),
  scripts(
    'a runtime that broke is opened anew',
    "this.#runtime = undefined\n      return fail('ERR the script needed",
    "return fail('ERR the script needed",
  ),
  rights('a script runs no other script', "client.isScript && command.flags.has('noscript')", 'false'),
  loading(
    'libraries of functions are kept',
    '...[...engine.scripts.libraries.values()].map(dumpLibrary), ',
    '',
    LIBRARIES,
  ),
  functions(
    'a library that was loaded is a change',
    'others)\n    libraries.set(library.name, library)\n    client.engine.changes++',
    'others)\n    libraries.set(library.name, library)',
  ),
  functions(
    'libraries that were flushed are a change',
    'librariesOf(client).clear()\n    client.engine.changes++',
    'librariesOf(client).clear()',
  ),
  loading('what ended is not loaded', '(endMs !== null && endMs <= engine.nowMs)', 'false'),
  snapshot(
    'a torn snapshot is refused',
    'if (end < 0 || text.slice(0, end) !==',
    'if (false && text.slice(0, end) !==',
  ),
  snapshot('a snapshot is written beside the one before', '.tmp`\n', '.tmp`.slice(0, file.length)\n'),
  of('adapters/node/dev-options.ts', BOUNDS)(
    'an option of a development server is known',
    'if (!check) throw',
    'if (!check) return; if (!check) throw',
  ),
  of('adapters/node/dev-options.ts', BOUNDS)(
    'an option of a development server has its kind',
    'value !== undefined && !is(value)',
    'false',
  ),
  snapshot('a folder that is not there is told of at once', "closeSync(openSync(beside, 'w', 0o600))", 'void besideOf'),
  snapshot('trying whether it can be written leaves nothing', '    rmSync(beside)\n', ''),
  snapshot('a snapshot that failed leaves nothing', 'rmSync(beside, { force: true })', ''),
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
  embeddedTransport('a signal is one', '  checkSignal(call?.signal)\n', '', ['senseless-signal.test.ts']),
  words('a subcommand takes no word too many', 'if (args.length > (MOST_WORDS', 'if (0 > (MOST_WORDS'),
  words('COMMAND takes no unknown subcommand', " || command.name === 'command'", ''),
  ranges('REV is given once', '!options.backwards && word', 'word'),
  ranges('one of BYSCORE and BYLEX is given', " && options.by === 'rank'\n  for", '\n  for'),
  sorting('BY reads what its user may read', "if (by?.includes('*')) denied('BY')", ''),
  sorting('GET reads what its user may read', "if (gets.length > 0) denied('GET')", ''),
  sorting('a user of all keys may use both', " || pattern === '%R~*'", ''),
  server('WAIT takes a number', 'int(args[1])\n    if (int(args[2]', 'if (int(args[2]'),
  host(
    'an error that is a table ends a script with its text',
    'err: isUnknown ? message : value.err',
    'err: value.err',
  ),
  host('and with its line', 'line: Number(line) }', 'line: value.line }'),
  host(
    'an error that was caught does not end it',
    'line === undefined || !(isUnknown ||',
    'line === undefined || (false &&',
  ),
  host('a script says that its user lacks a right', 'if (denied) return', 'if (!denied) return'),
  guard('numbers of a script keep their digits', "return fmt('%.0f',v+0) end", 'return v end'),
  guard('fractions too', 'for p=14,17 do', 'for p=14,14 do'),
  guard('in a script that counts', 'COUNTS.test(', 'false && COUNTS.test('),
  guard('or that passes on what a command has counted', '["\']\\w*(INCR|DECR|BITFIELD)|', ''),
  guard('a field of bits too', '|BITFIELD)', ')'),
  guard('and a command that the code does not name', '|(?<!return\\s+)redis\\.p?call\\b(?!\\s*\\(\\s*["\'])', ''),
  guard('by another name of redis too', '|(?<![=~])=\\s*redis\\b(?!\\s*\\.)', ''),
  guard('and behind a block comment', '/--(?!\\[).*/g', '/--.*/g'),
  guard('the line of a call that a function ends with', 'nil or ` : all', '` : all'),
  guard('a text stays as it is', "'(?:\\\\[\\s\\S]|[^'\\\\])*'|(?:--)?", '(?:--)?'),
  guard('and what a function returns', '/function|load/.test(code)', '/load/.test(code)'),
  guard('also one that is compiled', '/function|load/.test(code)', '/function/.test(code)'),
  guard('its errors name their lines', "select(2,try(throw,'',5))", "''"),
  guard('its arguments are text or numbers', "elseif t~='string' then", 'elseif false then'),
  guard('an error reply keeps its own code', "find(e,' ',1,true) and e or 'ERR '..e", "'ERR '..e"),
  guard('pcall returns the text of an error', 'return flat(caught(...))', 'return caught(...)'),
  guard('xpcall gives its handler the table', 'return handled(h,caught(f))', 'return handled(h,p(f))'),
]
