import { type Mutant, of } from '../mutants.ts'

const BY = ['command-store.test.ts']
const store = of('src/store/command-store.ts', BY)
const plan = of('src/store/plan-batch.ts', BY)
const answer = of('src/store/answer.ts', BY)
const resend = of('src/store/resend.ts', BY)
const join = of('src/store/join-scripts.ts', BY)
const writes = of('src/store/writes.ts', ['writes.test.ts'])
const sender = of('src/store/send-calls.ts', BY)
const permits = of('src/store/permits.ts', ['permits.test.ts'])
const tick = of('src/store/tick.ts', ['stall.test.ts'])
const url = of('src/store/redis-url.ts', ['redis-url.test.ts'])
const watch = of('src/store/redis-watch.ts', ['redis-watch.test.ts'])
const sum = of('src/store/sum-of.ts', ['sum-of.test.ts'])
const errors = of('src/errors.ts', ['command-store.test.ts'])
const resp = of('src/store/resp.ts', ['resp.test.ts'])
const endpoint = of('adapters/upstash/endpoint.ts', ['upstash.test.ts'])
const rest = of('adapters/upstash/transport.ts', ['upstash.test.ts'])
const body = of('adapters/upstash/read-text.ts', ['upstash.test.ts'])
const oneTimer = of('src/store/deadline-timer.ts', ['deadline-timer.test.ts'])
const pool = of('src/store/exclusive-pool.ts', ['exclusive-pool.test.ts'])
const clock = of('src/runtime/clock.ts', ['deadline-timer.test.ts'])

export const mutants: readonly Mutant[] = [
  // A clock that is set back
  clock('what a timer was set for is over when it fires', 'return dueMs - at > 1000 ? dueMs : at', 'return at'),
  clock('a timer that is early ends nothing', 'dueMs - at > 1000 ? dueMs : at', 'dueMs > at ? dueMs : at', [
    'stall.test.ts',
  ]),
  oneTimer('makes no call of a tick longer', 'firedAt(next)', 'now()'),
  oneTimer('nor where others are sent', 'if (backMs > SET_BACK_MS)', 'if (false)'),
  oneTimer('and shortens none of those', 'if (!calls.includes(call)) ', ''),
  tick('nor one with a timer of its own', 'firedAt(next)', 'now()', ['deadline-timer.test.ts']),
  // A response over REST
  endpoint(
    'and a name on Object.prototype is none',
    'ownOf(given) as UpstashOptions',
    '(given ?? {}) as UpstashOptions',
  ),
  endpoint('a client may have no sync token', "session.upstashSyncToken || ''", 'session.upstashSyncToken'),
  pool('a pool that is closed lends nothing', '      checkOpen()\n      const free', '      const free'),
  pool('and opens nothing', '      checkOpen()\n      return', '      return'),
  pool('nobody waits for it', 'for (const leave of waiting.splice(0)) leave(undefined)', ''),
  pool('what it has cut was closed', "isClosed && error.code === 'STORE_UNAVAILABLE'", 'false'),
  pool(
    'what was cut before was not',
    "isClosed && error.code === 'STORE_UNAVAILABLE'",
    "error.code === 'STORE_UNAVAILABLE'",
  ),
  pool('a refusal is one after close too', "isClosed && error.code === 'STORE_UNAVAILABLE'", 'isClosed'),
  rest('nothing is sent past its deadline', '    checkLimit(limit)\n', ''),
  rest('nor after close', '    checkOpen()\n    const limit', '    const limit'),
  rest('nor is subscribed then', '      checkOpen()\n', ''),
  rest('a refused certificate was sent nothing', '|CERT|_LEAF_', ''),
  rest('the error of a lost request names its code', 'code ? ` (', 'false ? ` ('),
  resend('a call that ends at its deadline says what failed before', 'call.failure = error', ''),
  resend(
    'so does one whose transport sees the deadline first',
    "known.code === 'TIMEOUT' && call.failure",
    'undefined',
  ),
  tick('so does one that ends while it waits', '...(failure ? { cause: failure } : {}),', '', BY),
  body('a response without an end is cancelled', 'size += value.length', ''),
  body('before it is read, where its length says so', '> most ? most + 1 : 0', '> most ? 0 : 0'),
  body('nobody sends on what nobody reads', 'reader.cancel().catch(() => {})', ''),
  sum('of a write in parts one may have run', 'hasRun && reason ?', 'reason ?'),
  sum('an error that says so already is passed on', 'if (maybeExecuted !== false) return error', ''),
  sum('a part that was refused keeps its reply', 'error instanceof StoreRejectedError', 'false'),
  sum('and its code', '{ code, message })', '{})'),
  sum('a part in doubt may have run', ' || part.reason?.maybeExecuted)', ')'),
  errors('a server that loads is down', '/^(LOADING|CLUSTERDOWN', '/^(CLUSTERDOWN'),
  errors('so is a Cluster that says so', '|CLUSTERDOWN(?!.*only accepts read))', ')'),
  errors('but not one that serves reads', '(?!.*only accepts read)', ''),
  errors('which another try may find up', 'retryable: isDown, ', ''),
  errors('a command ran whose reply was too large', "maybeExecuted: word === 'TOOLARGE', ", '', ['upstash.test.ts']),
  plan(
    'only reads of one hash are joined',
    "first.args[0] !== 'HGET' || first.args[1] !== call.args[1]",
    "first.args[0] !== 'HGET'",
  ),
  plan('only a whole HGET is joined', 'call.args.length !== 3 || first.args.length !== 3', 'false'),
  // Requests under way over REST
  permits('what finds no permit waits for one', 'if (taken < most) start()', 'if (taken >= 0) start()'),
  permits('where all are silent one more leaves', '        taken--\n        lent++', '        lent += 0'),
  permits('a permit that was lent is given back', 'if (lent > 0) lent--', 'if (lent < 0) lent--'),
  sender('ticks that wait leave together', '    if (together) {', '    if (together && calls.length < 0) {', [
    'permits.test.ts',
  ]),
  sender('a tick waits for a permit', 'if (!permits.isSpent()) return', 'if (permits) return', ['permits.test.ts']),
  sender(
    'a lost request gives its permit back before its calls wait',
    '    const fail = (error: unknown): void => {\n      permits.give()',
    '    const fail = (error: unknown): void => {\n      setTimeout(() => permits.give(), 3000)',
    ['permits.test.ts'],
  ),
  // A Cluster behind one url
  store('its reads are answered apart', ' || placement.hasSlots || placement.isApart()', ''),
  answer('keys that were refused together are asked for again', "word === 'CROSSSLOT' && second", 'false'),
  store('a refused delete is done key by key', "error.reply !== 'CROSSSLOT' || !part[1]", 'true'),
  plan('a transport that says it is a Cluster is believed', '!slotOf && transport.cluster === true', 'false'),
  plan(
    'a script that another node may not have goes as text',
    'const isLoaded = !isApart() && loaded',
    'const isLoaded = loaded',
  ),

  // Operations that are joined
  join('only operations with the same arguments are joined', 'if (args[i] !== others[i]) return false', ''),
  writes('the first write of a large batch is half of it', 'count / 2', '0'),
  writes('and of scripts for 32 keys', "verb === 'EVALSHA' ? Number(keys) / COMMANDS_AT_ONCE : share", 'share'),
  writes('a write that is full has room again', '  room = 1\n    return true', '  return true'),
  join('joined operations are few', ' || count === COMMANDS_AT_ONCE', ''),
  answer(
    'a key that is refused does not refuse others',
    "if (word === 'NOPERM' && second &&",
    'if (second && false &&',
  ),
  answer('nor other reads', 'call.isApart = true', 'call.isApart = false'),
  answer('HGETs have one key', " && verb !== 'HMGET'", ''),
  answer(
    'a reply is each key’s own',
    'const part = isWhole ? reply[i] : reply',
    'const part = isWhole ? reply[0] : reply',
  ),

  resend('an error of another kind is what the options make of it', 'toOutage(error)', 'error'),
  plan(
    'a script alone in its tick goes by digest',
    'scripts.commandFor(script, args, true), effect',
    'scripts.commandFor(script, args, false), effect',
  ),

  // Too many requests, and closing
  resend('a call that would wait is asked for again', 'if (hurried && call.patient) return true', ''),
  sender('a request with a call that would not wait does not wait', 'patient &&= call.patient', ''),
  resend('a pause before a resend ends with the store', 'for (const end of pauses) end()', ''),

  answer('a key that is refused says nothing of scripts', '(?!ACL).*\\beval(sha)?\\b', ''),

  // Deadlines and a loop that was held up
  clock('a deadline leaves the loop a turn to read', 'cancel = setTimer(fn, Math.min(now() - dueMs, graceMs))', 'fn()'),
  tick('what came due before it was sent is given time', 'Math.max(call.deadline, least)', 'call.deadline'),
  tick('only a process that was held up is given time', 'STALL_GRACE_MS + HELD_UP_MS', '-1'),

  // The parts of a url
  url('no part of a url is ignored', "trimmed.includes('#')", 'false'),
  url('a parameter that is not known is refused', 'if (!form) {', 'if (!form) continue\n    if (!form) {'),
  url('a parameter that may be part of a password is not named', 'ELSEWHERE.test(name)', 'true'),
  url('a parameter is given once', ' || given[name] !== undefined', ''),
  url('a url names one database', 'Number(inPath) !== Number(given.db)', 'false'),
  url('a comma parts two urls only', '/,(?=\\s*(?:redis|valkey)s?:)/', "','"),

  // Replies
  resp('a number has a digit', 'start >= to || to', 'start === to || to'),
  watch('ready takes no refused key for a refused user', 'KEY_DENIED.test(error.message)', 'false'),
  watch('and no refused user for a refused key', ' && KEY_DENIED.test(error.message)', ''),
  watch('nor a refused command', 'KEY_DENIED.test(error.message)', "error.reply === 'NOPERM'"),
  errors('a refused key is told from a refused command', 'keys?(?!$)', 'keys?', ['redis-watch.test.ts']),
  errors('by a server of Redis 6 too', 'user(?! has )', 'user', ['redis-watch.test.ts']),
  errors('a key that is named is not shown', 'keys?(?!$)', 'keysx'),
  errors('a script may not run a command, and the user is not refused', 'denied || ', ''),
  errors(
    'a refusal shows nothing where an argument may follow',
    '(?!(?:for|keys?(?!$)|user(?! has )|with|in|of|named|option|argument)\\b)',
    '',
  ),
]
