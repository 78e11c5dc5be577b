import { type Mutant, of } from '../mutants.ts'

const counter = of('src/counter/operations.ts', ['counter/counter.test.ts'])
const options = of('src/counter/create-counter.ts', ['counter/counter.test.ts'])
const TOKENS = ['counter/once-and-tokens.test.ts']
const token = of('src/token/create-tokens.ts', TOKENS)
const take = of('src/token/operations.ts', TOKENS)
const digest = of('src/protocol/digest.ts', TOKENS)
const once = of('src/once/operations.ts', TOKENS)
const idempotency = of('src/idempotency/create-idempotency.ts', TOKENS)
const record = of('src/idempotency/operations.ts', ['hono/idempotency.test.ts'])
const session = of('adapters/hono/session.ts', ['hono/session.test.ts'])
const middleware = of('adapters/hono/idempotency.ts', ['hono/idempotency.test.ts'])
const response = of('adapters/hono/stored-response.ts', ['hono/idempotency.test.ts'])
const argument = of('src/protocol/arguments.ts', ['counter/counter.test.ts'])

export const mutants: readonly Mutant[] = [
  middleware('a response too large for the store was one', "error.code === 'VALUE_TOO_LARGE'", 'false'),
  middleware('one that gave up and threw keeps the key', 'if (!hasGivenUp(error)) await', 'await'),
  session(
    'a cookie that the handler has sent is not sent again',
    "if (!isSent) c.header('set-cookie'",
    "c.header('set-cookie'",
  ),
  session('also with other attributes', "cookie.split(';', 1)[0]", 'cookie'),
  idempotency('an abort does not wait for the store', 'limitOf({ signal })', 'limitOf({})'),
  idempotency('and releases behind the claim', 'asking.then(release, release)', 'release()'),
  idempotency(
    'a wait does not follow the wall clock',
    'import { elapsedMs, sleep }',
    'import { now as elapsedMs, sleep }',
  ),
  response('a response without a body is sent again without one', " && !(base64 && body === '')", ''),
  response('a body that is empty is one', "  if (!response.body) return stored('', 1)\n", ''),
  session('a session is opened by its deadline', 'signal: c.req.raw.signal, ...call', 'signal: c.req.raw.signal'),
  session('a request that passes two has one session', "if (openedBy.get(c.get('session')) === all) return next()", ''),
  session('others of a request have their own', "(c.get('session')) === all", "(c.get('session'))"),
  middleware('a request that passes two is carried out once', 'if (others.has(own)) return next()', ''),
  middleware('each scope has its own', 'JSON.stringify([owner, key])', 'key'),
  session('and saved by it', 'opened.save(call)', 'opened.save()'),
  session('the cookie of a save() of the handler is sent', 'cookie = made ?? cookie', 'cookie = made'),
  session(
    'no option of the middleware is dropped',
    'for (const name of Object.keys(others)) {',
    'for (const name of [] as string[]) {',
  ),
  session(
    'the middleware takes sessions',
    "typeof sessions !== 'function' && typeof sessions?.open !== 'function'",
    'false',
  ),
  // Counters
  counter('a count does not pass its max', "if (max !== '' && by > 0 && next > Number(max)) return null", ''),
  counter('a count that is above its max can go down', "max !== '' && by > 0 &&", "max !== '' &&"),
  counter('a count does not pass its min', "if (min !== '' && by < 0 && next < Number(min)) return null", ''),
  counter('a count stays exact', "Math.abs(next) > Number.MAX_SAFE_INTEGER ? 'OVERFLOW' : undefined", 'undefined', [
    'counter/counter.test.ts',
  ]),
  counter('a long count is no number, which a client rounds', 'Math.abs(count) < 1e15 ? count', 'count < 1e17 ? count'),
  counter('text that is no count counts nothing', '/^-?\\d{1,16}$/.test(text)', 'true'),
  counter('a count keeps the end of its first', "count !== undefined ? 'keep'", "false ? 'keep'"),
  counter('a part of a window leaves it', 'other - bucket >= -buckets', 'true'),
  counter('a part of a window leaves it late, not early', 'other - bucket >= -buckets', 'other - bucket > -buckets'),
  counter('a window counts in its newest part', 'const isSame = newest >= bucket', 'const isSame = newest === bucket'),
  counter('text of another form is no window', '|| !/^(\\d{1,16} -?\\d{1,16};)*$/.test(text)', ''),
  counter('text of more parts is no window', '|| text.length > 36 * (buckets + 1)', ''),
  options('a ttl is no shorter than the window', 'if (windowMs && lifeMs && lifeMs < windowMs)', 'if (false)'),
  options('min is not above max', 'min !== undefined && min > max', 'false'),
  options('buckets need a window', '!windowMs && given !== undefined', 'false'),
  options('keys are a list', 'if (!Array.isArray(keys)) throw', 'if (false) throw'),
  options('a count is a whole number', "checkWhole(by, 'a count') * sign", 'by * sign'),
  options('a key is text', "if (typeof key === 'string' && key !== '')", 'if (true)'),
  argument('a store has operations', "if (typeof store?.run !== 'function')", 'if (false)'),
  argument('a whole number is within its bounds', ' && value >= least && value <= most', ''),
  argument('no option is dropped in silence', 'if (!known.includes(name)) throw', 'if (false) throw'),
  // Tokens and once
  digest('what is hashed in one tick goes on in one', '  await run.done\n', ''),
  token("a token's data is encoded when issue is called", '(data, key)) : plain', '(data, key)) : encode(data)'),
  token(
    'only the hash of a token is stored',
    'const key = prefix + (await digest(token))',
    'const key = prefix + token',
  ),
  token('a token has data', 'if (data === undefined) throw', 'if (false) throw'),
  token('what is no token reaches no store', "typeof token === 'string' && /^[\\w-]{43}$/.test(token)", 'true'),
  token('text of another codec is not decoded', 'mark === codec.mark ?', 'true ?'),
  take('a token is gone with its first answer', 'next: undefined', 'next: current'),
  once('only the first is first', 'reply: current === id ? 1 : 0', 'reply: 1'),
  once('who asks again is first still', 'reply: current === id ? 1 : 0', 'reply: 0'),
  // Idempotency
  idempotency(
    'no option of a request is dropped',
    "checkNames('begin', options, ['scope', 'fingerprint', 'signal'])",
    '',
  ),
  idempotency('a scope is text', "if (typeof text !== 'string') throw", 'if (false) throw'),
  idempotency('scope and key are kept apart', 'JSON.stringify([scope, key])', 'scope + key'),
  idempotency('a claim that may have run is given back', 'asking.then(release, release).catch(() => {})', ''),
  idempotency('a key lasts as long as its request may', 'Math.max(lifeMs, holdMs)', 'lifeMs'),
  idempotency('what was aborted asks no store', 'signal?.throwIfAborted()', ''),
  record('another request with the key is a mismatch', 'if (text.slice(32, 75) !== fingerprint) return same(2)', ''),
  record(
    'a key that is held is not taken over',
    'Number(text.slice(17, 32)) > nowMs ? 3 : 4',
    'Number(text.slice(17, 32)) > nowMs ? 3 : 1',
  ),
  record('a duplicate is told that the first is at work', 'Number(text.slice(17, 32)) > nowMs ? 3 : 4', '4'),
  record('only its holder completes or frees a key', 'if (!isHeld) return same(0)', '', [
    'counter/idempotency-steps.test.ts',
  ]),
  record('what is done is not freed', 'return isDone ? same(0)', 'return false ? same(0)', [
    'counter/idempotency-steps.test.ts',
  ]),
  record('text of another form is no record', '/^[pd][\\w-]{16}\\d{15}[\\w-]{43}/.test(current)', 'true', [
    'counter/idempotency-steps.test.ts',
  ]),
  middleware('a handler that throws frees the key', 'c.error || ', ''),
  middleware(
    'a body that breaks off frees the key',
    '      await settle(attempt.release())\n      throw error\n    })',
    '      throw error\n    })',
  ),
  middleware('a body is known that was read before', '(request.bodyUsed ?', '(!request ?'),
  middleware('a body that is gone is told', '.catch(bodyIsGone)', ''),
  middleware('a form is the same with another boundary', '? withoutBoundary(body) : body', '? body : body'),
  middleware('a handler that was given up on keeps the key', '^(408|504)$', '^x$'),
  middleware('a 5xx frees the key', ' || c.res.status >= 500', ''),
  middleware('a key has a form', "?? (BARE.test(text) ? text : '')", '?? text'),
  middleware('a key has a length', ' && key.length <= MAX_KEY', ''),
  middleware('a scope is text', "if (typeof owner !== 'string' || owner === '')", 'if (false)'),
  middleware('what only reads passes', 'if (SAFE.test(c.req.method)) return next()', ''),
  middleware('the body is part of a request', 'btoa(String.fromCharCode(...hash))', "''"),
  middleware('the query is part of a request', 'pathname + search, btoa', 'pathname, btoa'),
  middleware('the method is part of a request', '[request.method, pathname', '[pathname'),
  response('a cookie is for one client', '|set-cookie|', '|'),
  response('a body is kept up to a limit', 'if (length > maxBytes)', 'if (false)'),
  response('a body that is no text is kept', '{ fatal: true, ignoreBOM: true }', '{ ignoreBOM: true }'),
]
