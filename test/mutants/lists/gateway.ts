import { type Mutant, of } from '../mutants.ts'

const HARDENING = 'gateway-hardening.test.ts'
const answer = of('src/gateway/answer.ts', [HARDENING])
const run = of('src/gateway/run.ts', [HARDENING])
const plan = of('src/gateway/plan.ts', [HARDENING])
const slots = of('src/gateway/slots.ts', [HARDENING])
const json = of('src/gateway/parse-json.ts', [HARDENING])
const access = of('src/gateway/access.ts', [HARDENING])
const cors = of('src/gateway/cors.ts', [HARDENING])
const tokens = of('src/gateway/tokens.ts', [HARDENING])
const gateway = of('src/gateway/gateway.ts', [HARDENING])
const streams = of('src/gateway/streams.ts', [HARDENING])
const serve = of('adapters/node/serve.ts', ['full-servers.test.ts'])
const resp = of('adapters/node/resp-server.ts', ['full-servers.test.ts'])

export const mutants: readonly Mutant[] = [
  serve(
    'gateway: nothing runs of a connection that is refused',
    "if (!connections.has(socket)) return void incoming.resume().once('end', () => socket.destroySoon())",
    '',
  ),
  resp(
    'hither dev: a client that is refused and resets ends nobody else',
    "socket.on('error', () => {}).once('close'",
    "socket.once('close'",
  ),
  resp(
    'hither dev: a client that is refused leaves no socket',
    'setTimeout(() => socket.destroy(), REFUSED_MS)',
    'undefined',
  ),
  serve('gateway: a client that is refused leaves no socket', ".once('end', () => socket.destroySoon())", ''),
  answer(
    'gateway: an answer is bounded',
    'if (over || bytes + more > maxBytes) return false',
    'if (over) return false',
  ),
  answer('gateway: all answers are bounded', 'if (!budget.take(more)) {', 'if (!budget.take(more) && more < 0) {'),
  answer('gateway: a dropped answer gives its bytes back', '    budget.give(bytes)\n    bytes = 0', '    bytes = 0'),
  answer(
    'gateway: an answer that was read gives its bytes back',
    '    chunks.length = 0\n    release()',
    '    chunks.length = 0',
  ),
  answer('gateway: a cancelled answer gives its bytes back', 'cancel: end,', 'cancel() {},'),
  answer(
    'gateway: an answer that nobody reads is let go',
    'cancelTimer = setQuietTimer(expire, timeoutMs)',
    'cancelTimer = () => expire',
  ),
  answer(
    'gateway: a short answer gives its bytes back at once',
    '        budget.give(bytes)\n        return',
    '        return',
  ),
  run(
    'gateway: replies are taken as they come',
    '{ ...call, onReply: collector.onReply }',
    '{ ...call, onReply: (reply: Wire) => reply }',
  ),
  run('gateway: replies that come together are taken', 'if (!taken[at]) this.onReply', 'if (taken[at]) this.onReply'),
  run('gateway: replies by key are held', 'if (fits) kept.bytes += weight', ''),
  run('gateway: a full gateway says so', 'if (answer.overflowed()) throw overflow', 'if (!answer) throw overflow'),
  run(
    'gateway: what failed after the commands says that they ran',
    "'no answer', { maybeExecuted: true })",
    "'no answer', {})",
  ),
  run('gateway: types are bounded for a request', 'typesLeft -= ', 'typesLeft -= 0 * '),
  run('gateway: a refusal for slots is remembered', '    slots.learn()\n', ''),
  run('gateway: a transaction never goes by key', 'place.mayGoByKey && isCrossSlot(reply)', 'isCrossSlot(reply)'),
  plan(
    'gateway: a page of another site only reads',
    'return readsOnly && !reads ?',
    'return readsOnly && !reads && !args ?',
  ),
  plan('gateway: what sees one node is refused', '(cluster ? refusalOfNode(command.name) : undefined)', 'undefined'),
  slots('gateway: the question about slots is asked once', 'asked = true', ''),
  slots(
    'gateway: a key of another type is absent among several',
    "reply instanceof ReplyError && reply.word !== 'WRONGTYPE'",
    'reply instanceof ReplyError',
  ),
  json('gateway: the elements of a body are bounded', 'if (++elements > maxElements)', 'if (++elements < 0)'),
  json(
    'gateway: digits within text stay text',
    'if (unit === QUOTE) at = endOfString(text, at)',
    'if (unit === QUOTE) at += 0',
  ),
  json('gateway: a quote that is escaped ends no text', 'if (slashes % 2 === 0) return at', 'return at'),
  json(
    'gateway: what is no number is not put in quotes',
    'LONG.test(number) && NUMBER.test(number)',
    'LONG.test(number)',
  ),
  access('gateway: a token has its share', ' || own > most) return false', ') return false'),
  access(
    'gateway: a share is given back',
    '      if (own > 0) byToken.set(token, own)',
    '      if (own > 0) byToken.set(token, own + amount)',
  ),
  access(
    'gateway: a page of another site is told apart',
    "bearer === undefined && request.header('sec-fetch-site')",
    "request.header('sec-fetch-site')",
  ),
  cors(
    'gateway: a page needs a read-only token',
    'if (!grant.readOnly && allowedOrigin(request))',
    'if (!grant.readOnly && !request)',
  ),
  cors('gateway: only listed origins read', 'if (!origin || !(any || list.has(origin)) ||', 'if (!origin ||'),
  tokens('gateway: a token stands in the list once', '.size < known.length) throw', '.size < 0) throw'),
  gateway(
    'gateway: rights are known before the body is read',
    "if (!batch && path !== '/') checkName(path, grant)",
    '',
  ),
  gateway('gateway: a Redis that cannot save is healthy', "if (word === 'MISCONF')", "if (word === 'MISCONFIGURED')"),
  gateway('gateway: one that loads is not', "if (word === '' || word === 'NOPERM')", "if (word !== 'MISCONF')"),
  streams('gateway: one stream may not take all channels', 'if (names.length > maxChannels)', 'if (names.length < 0)'),
  streams(
    'gateway: what streams have not sent is bounded',
    'if (fits && mayGoOn() && count(event.byteLength))',
    'if (fits && mayGoOn())',
  ),
  streams('gateway: what a stream has sent is counted no more', '    counted = unread()\n', '    counted += 0\n'),
  streams(
    'gateway: a stream that ends gives its bytes back',
    '    budget.give(counted)\n    counted = 0',
    '    counted = 0',
  ),
  streams('gateway: a stream gives its share back', '          shares.give(caller.token, names.length)\n', ''),
  of('src/gateway/emulate.ts', [HARDENING])(
    'gateway: a SCAN with types is asked for fewer keys',
    'args: withFewerKeys(args.toSpliced(at, 1))',
    'args: args.toSpliced(at, 1)',
  ),
  of('src/gateway/types-of-keys.ts', [HARDENING])(
    'gateway: types are asked for in batches',
    'const BATCH = 1000',
    'const BATCH = 100_000',
  ),
  of('src/gateway/scripts.ts', ['script-flags.test.ts'])(
    'gateway: a script that a batch repeats is digested once',
    '      if (script.length <= MAX_TEXT_LENGTH) digests.set(script, known)\n',
    '',
  ),
  of('src/gateway/scripts.ts', ['script-flags.test.ts'])(
    'gateway: no long script is held for its digest',
    'if (script.length <= MAX_TEXT_LENGTH) digests',
    'digests',
  ),
]
