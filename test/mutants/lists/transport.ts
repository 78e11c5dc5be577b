import { type Mutant, of } from '../mutants.ts'

const store = of('src/store/command-store.ts', ['command-store.test.ts'])
const tick = of('src/store/tick.ts', ['stall.test.ts'])
const url = of('src/store/redis-url.ts', ['redis-url.test.ts'])
const errors = of('src/errors.ts', ['command-store.test.ts'])
const resp = of('src/store/resp.ts', ['resp.test.ts'])
const clock = of('src/runtime/clock.ts', ['watch-all.test.ts'])

export const mutants: readonly Mutant[] = [
  store(
    'only reads of one hash are joined',
    "first.args[0] !== 'HGET' || first.args[1] !== unit.args[1]",
    "first.args[0] !== 'HGET'",
  ),
  store('only a whole HGET is joined', 'unit.args.length === 3 && first.args.length === 3', 'true'),
  // A Cluster behind one url
  store('keys that were refused together are asked for again', "word === 'CROSSSLOT' && units[1]", 'false'),
  store('a refused delete is done key by key', "error.reply !== 'CROSSSLOT' || !part[1]", 'true'),
  store('a transport that says it is a Cluster is believed', '!slotOf && transport.cluster === true', 'false'),
  store(
    'a script that another node may not have goes as text',
    'const there = !isApart() && loaded',
    'const there = loaded',
  ),

  // Too many requests, and the end
  store('a call that would wait is asked for again', 'if (hurried && unit.patient) return true', ''),
  store(
    'a request with a call that would not wait does not wait',
    'requests.every(({ units }) => isPatient(units))',
    'true',
  ),
  store('a pause before a resend ends with the store', 'for (const end of pauses) end()', ''),

  store('a key that is refused says nothing of scripts', '(?!ACL).*\\beval(sha)?\\b', ''),

  // Deadlines and a loop that was held up
  clock('a deadline leaves the loop a turn to read', 'cancel = setTimer(fn, Math.min(now() - dueMs, graceMs))', 'fn()'),
  tick('what came due before it was sent is given time', 'Math.max(unit.deadline, least)', 'unit.deadline'),
  tick('only a process that was held up is given time', 'STALL_GRACE_MS + HELD_UP_MS', '-1'),

  // What a url says
  url('no part of a url is ignored', "trimmed.includes('#')", 'false'),
  url('a parameter that is not known is refused', 'if (!form) {', 'if (!form) continue\n    if (!form) {'),
  url('a parameter that may be part of a password is not named', 'ELSEWHERE.test(name)', 'true'),
  url('a parameter is given once', ' || given[name] !== undefined', ''),
  url('a url names one database', 'Number(inPath) !== Number(given.db)', 'false'),
  url('a comma parts two urls only', '/,(?=\\s*(?:redis|valkey)s?:)/', "','"),

  // Replies
  resp('a number has a digit', 'start >= to || to', 'start === to || to'),
  errors(
    'a refusal shows nothing where an argument may follow',
    '(?!(?:for|keys?|user|with|in|of|named|option|argument)\\b)',
    '',
  ),
]
