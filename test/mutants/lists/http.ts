import { type Mutant, of } from '../mutants.ts'

const UNIT = ['http/cache.test.ts', 'http/security.test.ts', 'http/collapse.test.ts']
const SECURITY = ['http/security.test.ts']
const CACHE = ['http/cache.test.ts']
const PASS = ['http/pass-through.test.ts']
const SAME_MOMENT = ['http/same-moment.test.ts']
const COLLAPSE = ['http/collapse.test.ts']
const EVICTED = ['http/evicted.test.ts']
const FLIGHTS = ['http/flights.test.ts']
const RENEWALS = ['http/renewals.test.ts']
const HANGING = ['http/hanging.test.ts']
const VARIANTS = ['http/variants.test.ts']
const ENCODED = ['http/encoded.test.ts']
const PERSONAL = ['hono/sessions-and-cache.test.ts']
const personal = of('adapters/hono/cache-response.ts', PERSONAL)
const cookie = of('adapters/hono/session.ts', PERSONAL)
const STACKS = ['hono/stacks.test.ts']
const client = of('adapters/hono/cache-response.ts', STACKS)
const QUERY_RULE = ['http/query-rule.test.ts']
const storable = of('src/http/storable.ts', SECURITY)
const fields = of('src/http/fields.ts', SECURITY)
const entry = of('src/http/entry.ts', SECURITY)
const reuse = of('src/http/reuse.ts', CACHE)
const validate = of('src/http/validate.ts', CACHE)
const fetching = of('src/http/fetch.ts', CACHE)
const handle = of('src/http/handle.ts', UNIT)
const looking = of('src/http/look.ts', SECURITY)
const body = of('src/http/body.ts', COLLAPSE)
const record = of('src/http/record-body.ts', COLLAPSE)
const recorder = of('src/http/record-body.ts', ['http/record-body.test.ts'])
const collect = of('src/http/collect-body.ts', COLLAPSE)
const inFront = of('adapters/hono/cache-response.ts', ['hono/fields-in-front.test.ts'])
const responses = of('adapters/hono/cache-response.ts', ['hono/cache-response.test.ts'])
const layers = of('src/http/create-http-cache.ts', ['http/layers.test.ts'])
const unsafe = of('src/http/unsafe.ts', SECURITY)
const storage = of('src/http/storage.ts', CACHE)
const freshness = of('src/http/freshness.ts', SECURITY)
const operations = of('src/http/operations.ts', CACHE)
const policy = (name: string) => of(`src/http/${name}.ts`, [`http/${name}.test.ts`])
const dates = policy('dates')
const directives = policy('directives')
const structured = policy('structured')
const ages = policy('freshness')
const fieldPolicy = policy('fields')
const vary = policy('vary')
const ranges = policy('ranges')
const terms = policy('reuse')
const validators = policy('validate')
const verdicts = policy('storable')
const tags = policy('tags')
const queries = policy('no-vary-search')
const plans = policy('plan')
const status = policy('cache-status')
const place = of('src/http/place.ts', ['http/keys.test.ts'])
const options = of('src/http/create-http-cache.ts', CACHE)

export const mutants: readonly Mutant[] = [
  // Hosts, lengths and bodies that nobody reads
  of('src/http/plan.ts', SECURITY)(
    'a listed host may have the usual port',
    '(!port && hosts.has(',
    '(port && hosts.has(',
  ),
  of('src/http/plan.ts', SECURITY)(
    'a host is spelled as a URL spells it',
    'return new URL(url).hostname +',
    'return host.replace(/:\\d+$/, "") +',
  ),
  of('src/http/plan.ts', CACHE)('a host is no URL', '/[\\s/?#@*\\\\]/.test(host) || ', ''),
  of('src/http/keep.ts', COLLAPSE)('a length is a number', 'Number(stated) : Number.NaN', 'Number(stated) : undefined'),
  of('src/http/fetch.ts', PASS)('the body of a HEAD is ended', '  void response.body?.cancel().catch(() => {})\n', ''),
  // A body whose part was evicted
  of('src/http/answer.ts', EVICTED)(
    'a response is dropped whose body is gone',
    '    onGone()\n    return undefined',
    '    return undefined',
  ),
  of('src/http/answer.ts', EVICTED)('or a part of it', '          onGone()\n          throw', '          throw'),
  // What a No-Vary-Search field has stored under another query
  of('src/http/keep.ts', QUERY_RULE)(
    'what was ended while it was fetched is not stored under another query',
    '      if (invalidatedUs >= fetching.startUs) return undefined\n',
    '',
  ),
  of('src/http/fetch.ts', QUERY_RULE)(
    'what may not be used any more is dropped where it is',
    'await placeBy(engine, plan.place, queryRuleOf(stored))',
    'await placeBy(engine, plan.place, queryRuleOf({ ...stored, fields: [] }))',
  ),
  of('src/http/fetch.ts', PASS)('a request of Workers knows of its client', '...(cf ? { cf } : {}), ', ''),
  of('src/http/handle.ts', CACHE)(
    'what is stale is validated, and no other variant',
    "use ? 'stale' : looked.others",
    "use === 'stale' ? use : looked.others",
  ),
  of('src/http/handle.ts', CACHE)(
    'nothing is refreshed in vain',
    "if (!plan.directives.has('no-store')) refresh",
    'refresh',
  ),
  validators('a page of another origin may read a 304', '|^access-control-', ''),
  inFront('a response that was sent already is not sent again', 'if (c.res.bodyUsed) return', 'if (false) return'),
  of('src/http/unsafe.ts', PASS)('a rule for some fields may give a URL another key', 'mayHaveOthers || ', ''),
  // A renewal of what was ended
  of('src/http/operations.ts', RENEWALS)(
    'what was dropped is not renewed',
    'if (renews > 0 && !record',
    'if (false && !record',
  ),
  of('src/http/storage.ts', RENEWALS)(
    'what was ended by a version is not renewed',
    'if (versions.some(([key, version]) => (renewed.get(key) ?? version) !== version)) return undefined',
    '',
  ),
  // A request that hangs
  of('src/http/handle.ts', HANGING)(
    'the first that has waited stands in for one that hangs',
    'isFirst ? key : undefined, lease)',
    'undefined, lease)',
  ),
  of('src/http/handle.ts', HANGING)(
    'also where that is in another process',
    "isLate ? 'take' : lease",
    "isLate ? 'none' : lease",
  ),
  of('src/http/handle.ts', HANGING)(
    'and waits for no lease then',
    "variant === undefined ? 'take' : 'none'\n",
    "'ask'\n",
  ),
  of('src/http/handle.ts', HANGING)(
    'a client that has left takes nothing over',
    '      plan.request.signal.throwIfAborted()\n      const isFirst',
    '      const isFirst',
  ),
  of('src/http/operations.ts', HANGING)(
    'a response that may not be shared frees the lease that was taken of its request',
    '(alone === 0 && record.token !== token)',
    'record.token !== token',
  ),
  of('src/http/storage.ts', HANGING)(
    'a request that asks for no lease ends nobody’s wait',
    "lease === 'none' ? 'alone'",
    "lease === 'none' ? 'leads'",
  ),
  of('src/http/operations.ts', HANGING)(
    'the lease is taken of whoever has it',
    '(lease === 2 || (lease',
    '(false || (lease',
  ),
  of('src/http/handle.ts', ['http/collapse.test.ts'])(
    'a request that has waited leaves no timer',
    "answer.then(setTimer(() => resolve('late'), ms))",
    "setTimer(() => resolve('late'), ms)",
  ),
  // Variants that are asked for at once
  of('src/http/handle.ts', VARIANTS)(
    'those of one variant wait for one another',
    'return load(engine, alone, endMs, JSON.stringify(answer.selectors.map(([name]) => [name, headers.get(name)])))',
    'return lead(engine, alone)',
  ),
  of('src/http/handle.ts', VARIANTS)(
    'no variant waits for the lease of another',
    "variant === undefined ? 'ask' : 'none')",
    "'ask')",
  ),
  of('src/http/handle.ts', VARIANTS)(
    'what may not be shared is waited for once',
    'if (!answer || choose(engine, { responses: [answer] }, plan)) return',
    'if (!answer) return',
  ),
  // What requests of one process wait for
  of('src/http/keep.ts', FLIGHTS)(
    'a client that leaves stops nobody from waiting',
    "isAbandoned ? 'left' : failureOf(plan.request)",
    'failureOf(plan.request)',
  ),
  of('src/http/handle.ts', FLIGHTS)(
    'who has left as well does not',
    '      plan.request.signal.throwIfAborted()\n      return load(',
    '      return load(',
  ),
  of('src/http/keep.ts', FLIGHTS)(
    'nor one whose fetch ends amid its body',
    "isAbandoned ? 'left' : failureOf(plan.request)",
    "isAbandoned ? 'left' : undefined",
  ),
  of('src/http/fetch.ts', FLIGHTS)(
    'nor one whose fetch ends before there is an answer',
    'done(failureOf(request), true)',
    'done(undefined, true)',
  ),
  of('src/http/handle.ts', FLIGHTS)(
    'who waited for it asks together',
    "if (answer === 'left') {",
    "if (answer === 'left' && !answer) {",
  ),
  of('src/http/engine.ts', FLIGHTS)(
    'a flight lasts as long as its lease',
    'elapsedMs() - flight.startMs < LEASE_MS',
    'true',
  ),
  of('src/http/keep.ts', FLIGHTS)('nobody joins what is being stored', '    passing.onStoring?.()\n', ''),
  of('src/http/handle.ts', FLIGHTS)(
    'what was purged on its way is asked for together',
    "if (answer === 'again') return",
    "if (answer === 'again' && !answer) return",
  ),
  of('src/http/handle.ts', FLIGHTS)(
    'and not validated',
    "load(engine, { plan, stored: undefined, story: { fwd: 'uri-miss' } }, endMs)",
    'load(engine, forwarded, endMs)',
  ),
  entry('a stored body is base64', 'isBase64((body as', 'isText((body as'),
  storable('no-store is not stored', ": directives.has('no-store')) return", ': false) return'),
  storable('private is not stored', "if (isUnqualified(directives, 'private')) return no('private')", ''),
  storable(
    'an answer to Authorization is for others only where it says so',
    "if (asked.headers.has('authorization') && !isGranted) return no('authorization')",
    '',
  ),
  storable(
    'an answer to a cookie is for others only where it says so',
    "if (asked.hasIdentity && !isOpen && !control.targeted) return no('cookie')",
    '',
    ['http/storable.test.ts'],
  ),
  storable(
    'safe stores nothing that a cookie selects',
    "if (!policy.personal && (vary.includes('cookie') || vary.includes('authorization'))) return no('vary')",
    '',
  ),
  storable('what says nothing is not stored', "if (!isWanted) return no('no-freshness')", ''),
  storable('safe stores no cookie', "if (!policy.setCookie && headers.has('set-cookie')) return no('set-cookie')", ''),
  storable('a 416 is not stored', "|| status === 416) return no('status')", ") return no('status')", [
    'http/storable.test.ts',
  ]),
  storable('a stream of events is not stored', "return no('stream')", "void 'stream'"),
  fields('a field of one connection is not stored', 'if (HOP_BY_HOP.has(name) || left.has(name)) continue', ''),
  fields(
    'a field that is private is not stored',
    "for (const directive of ['private', 'no-cache']) {",
    'for (const directive of []) {',
  ),
  freshness('a clock that was set back makes nothing fresh', 'residentMs < -CLOCK_SKEW_MS ?', 'false ?'),
  reuse('a stale-while-revalidate window ends', '-leftMs <= stored.swrMs && stored.swrMs > 0', 'stored.swrMs > 0'),
  reuse(
    'a stale-if-error window ends',
    'return (windowMs !== undefined && pastMs <= windowMs)',
    'return windowMs !== undefined',
  ),
  reuse('no-cache is validated', "if (stored.noCache) return 'stale'", ''),
  reuse('s-maxage is never stale', "(directives.has('s-maxage') && !staleDespiteSMaxage)", 'false'),
  of('src/http/vary.ts', ['http/vary.test.ts'])(
    'a compressed response is selected by Accept-Encoding',
    "if (response.has('content-encoding')) unnamed.push('accept-encoding')",
    '',
  ),
  of('src/http/coding.ts', ENCODED)(
    'a body that says gzip and is not is not stored on workerd',
    "name === 'gzip' ? isGzip : () => true",
    '() => true',
  ),
  of('src/http/coding.ts', ENCODED)(
    'a body that says br is not stored on workerd',
    "if (name === 'br') return undefined",
    '',
  ),
  of('src/http/coding.ts', ENCODED)('where no body is recoded, all are stored', 'isRecoded ? coding', 'true ? coding'),
  of('src/http/answer.ts', STACKS)(
    'a part of another length is gone',
    'return bytes?.length === Math.min(size, length - index * size) ? { id, index, bytes } : undefined',
    'return bytes && { id, index, bytes }',
    EVICTED,
  ),
  of('src/http/fetch.ts', STACKS)(
    'a handler that runs once is asked for the whole if the body is gone',
    'return first ? { ...task, plan: { ...plan, first } } : { ...task, stored: undefined }',
    'return first ? { ...task, plan: { ...plan, first } } : task',
  ),
  of('src/http/fetch.ts', STACKS)(
    'the first part of the body is read before a handler that runs once',
    'first ? { ...task, plan: { ...plan, first } } :',
    'first ? task :',
  ),
  of('adapters/hono/cache-response.ts', STACKS)(
    'a 304 has the tag by which it was asked',
    "if (response.status === 304) nameAskedTag(headers, c.req.header('if-none-match'))",
    '',
  ),
  of('adapters/hono/cache-response.ts', STACKS)(
    'middleware in front finds the request of its client',
    'if (c.req.raw === request) c.req.raw = raw',
    '',
  ),
  of('adapters/hono/cache-response.ts', STACKS)(
    'nothing is stored of what a handler has sent itself',
    "if (headers.has('x-hono-already-sent')) headers.set('cache-control', 'no-store')",
    '',
  ),
  personal('a page that changes its session is not stored', 'if (saved) limits.push(() => false)', ''),
  personal('nor when it is refreshed', 'if (isPersonal && response.status >= 200) forbidStoring(response.headers)', ''),
  personal('its cookie is not stored with a 304', ', ...takeCookies(response)]', ']'),
  cookie('a cookie is sent with another response too', 'cookie = made ?? cookie', 'cookie = made'),
  cookie('a session that cannot be saved stops no purge', '.catch(fail)', ''),
  cookie('a session of a mounted application counts', 'isFailed || hasOne ||', 'isFailed ||'),
  personal('a personal page gets no lifetime', 'isAdded(field) && !isPersonal', 'isAdded(field)'),
  personal('a cookie that comes late is sent', '...saved.map(cookieField), ', ''),
  of('adapters/hono/cache-response.ts', STACKS)(
    'a mounted application finds that its cache waits for it',
    'asking.get(c) ?? asking.get(c.req.raw)',
    'asking.get(c)',
  ),
  of('adapters/hono/cache-response.ts', STACKS)(
    'a hit has no length that its response did not have',
    'readonly addLength = false',
    'readonly addLength = true',
  ),
  fetching('Cache-Status says why', "why = isWorse ? 'worse' : 'option'", "why = isWorse ? undefined : 'option'"),
  of('src/http/handle.ts', HANGING)(
    'a request does not wait for itself in a second cache',
    '!isPassedOn(engine, plan) && mayShare',
    'mayShare',
  ),
  of('src/http/handle.ts', HANGING)(
    'a refresh gets no stale response of a second cache',
    ' && !isPassedOn(engine, plan)) {',
    ') {',
  ),
  of('src/http/engine.ts', HANGING)('a Request may be used again', ' || by.engine === engine', ''),
  of('src/http/engine.ts', HANGING)(
    'caches of two stores have two leases',
    'store === other || (store.traits.shared && store.name === other.name)',
    'true',
  ),
  of('src/http/engine.ts', HANGING)(
    'two connections to a shared store have one',
    ' || (store.traits.shared && store.name === other.name)',
    '',
  ),
  fetching(
    'a Request may be used again in two caches',
    'if (!isPassedOn(engine, { ...plan, request: asked })) ',
    '',
    HANGING,
  ),
  of('adapters/hono/text-type.ts', STACKS)('the field is removed', "c.header('hither-none', undefined)", ''),
  of('adapters/hono/text-type.ts', STACKS)('in Hono 4.6 too', "c.header('hither-none', '')", ''),
  of('adapters/hono/text-type.ts', STACKS)(
    'c.text() states its Content-Type',
    "c.header('hither-none', '')\n  c.header('hither-none', undefined)",
    'void c',
  ),
  of('src/http/answer.ts', STACKS)(
    'nor has a large one',
    "if (asked.addsLength || isHead || part !== 'whole') headers.set",
    'headers.set',
  ),
  of('adapters/hono/cache-response.ts', STACKS)('a request may be reused', '        asking.delete(request)\n', ''),
  validate('a 304 is for the tag that is stored', ': tag === known)', ': true)'),
  fetching(
    'a 304 for the tag of the client renews nothing',
    '304 && !hasOwnConditions(request.headers, known)) {',
    '304) {',
  ),
  collect(
    'a reader of a body changes nothing that is stored',
    'pending.push(new Uint8Array(rest))',
    'pending.push(rest)',
  ),
  of('src/http/keep.ts', COLLAPSE)(
    'no body is shorter than it says',
    "if ((whole ?? 0) !== 0) return refuse('empty')",
    '',
  ),
  of('src/http/body.ts', ['http/abandoned.test.ts'])(
    'a body that never ends is given up',
    '    }, LEASE_MS)',
    '    }, 1e9)',
  ),
  directives('a quoted string is closed', "rest !== '' || !quoted[2]", "rest !== ''"),
  fetching(
    'an error takes no place of a good answer',
    'if (fetching && verdict.store && !isWorse && isWanted) {',
    'if (fetching && verdict.store && isWanted) {',
    SECURITY,
  ),
  fetching('nor does it end a good answer', 'stored && !isWorse && /^', 'stored && /^', SECURITY),
  fetching('a newer response that is not stored ends an older one', '|stale)$/.test(why', ')$/.test(why', SECURITY),
  storable('a part ends no whole response', "status === 206 ? 'no-freshness' : 'stale'", "'stale'"),
  of('src/http/storable.ts', ['http/storable.test.ts'])(
    'what has to be validated and cannot be is not stored',
    "!isUnqualified(directives, 'no-cache') && ",
    '',
  ),
  of('src/http/purge.ts', PASS)('null is no list of tags', 'checkTags(named)', 'checkTags(named ?? [])'),
  of('adapters/hono/stored-response.ts', ['hono/idempotency.test.ts'])(
    'a response that was sent already is not kept',
    "if (response.headers.has('x-hono-already-sent'))",
    "if (response.headers.has('x-hono-already-sent') && Date.now() < 0)",
  ),
  of('adapters/hono/idempotency.ts', ['hono/idempotency.test.ts'])(
    'a network error frees the key',
    ' || c.res.status === 0',
    '',
  ),
  fetching(
    'a 304 without a Vary leaves the stored one',
    'headers: response.status === 304 ? response.headers : withRule(engine, plan, response)',
    'headers: withRule(engine, plan, response)',
    ['http/layers.test.ts'],
  ),
  fetching(
    'what a 304 renews has the tags that it names',
    'const versionKeys = await versionKeysOf(engine.keys, plan, whole)',
    'const versionKeys = stored.versions.map(([key]) => key)',
    ['http/layers.test.ts'],
  ),
  fetching(
    'a cache in front is told the tags of a rule',
    'if (tagFields.length > 0) addTags(headers, ruleTags(rule, request, response), tagFields)',
    '',
    ['http/layers.test.ts'],
  ),
  layers(
    'a layer that did not purge is no success',
    "one.status === 'fulfilled' && (one.value as",
    '(true || one as any) && (one as any as',
  ),
  fetching('an answer that is not final is passed on', 'if (!isFinal(response)) {', 'if (false) {', PASS),
  handle('a switch of protocols is passed on', 'if (!isFinal(response)) return response', '', PASS),
  plans('no stored answer is for a switch of protocols', "return 'upgrade'", 'return undefined', PASS),
  validate(
    'a HEAD of another length drops what is stored',
    "(head.get('content-length')",
    "(new Headers().get('content-length')",
    PASS,
  ),
  fetching(
    'what a 304 does not confirm is validated by it once',
    'await drop(engine, plan, stored)\n      const instead',
    'const instead',
    ['hono/cache-response.test.ts'],
  ),
  validate('a HEAD without a validator renews nothing', 'validators.length > 0 || undefined', 'true'),
  validate(
    'a HEAD gives no stored response a validator',
    '=== stored.get(name))\n  if',
    '=== (stored.get(name) ?? head.get(name)))\n  if',
  ),
  looking('what was stored for all answers nobody in particular', 'if (mayBeOne && !one.shared) continue', ''),
  handle(
    'a flight’s answer is of the variant that is asked for',
    'if (answer && isUsable(engine, answer, plan)) return respond',
    'if (answer) return respond',
    COLLAPSE,
  ),
  recorder(
    'a body that was lost meanwhile is not stored',
    "      if (state !== 'open') return\n      state = 'whole'",
    "      state = 'whole'",
  ),
  recorder('nor lost twice', "if (state === 'whole') state = 'open'", "state = 'open'"),
  record(
    'a body has the length that it says',
    'if (recording.length !== undefined && collector.length() !== recording.length) return lose()',
    '',
  ),
  record(
    'a body that was cut is not stored',
    '      } catch (error) {\n        lose()\n        throw error',
    '      } catch (error) {\n        await end()\n        throw error',
  ),
  collect('a body has a bound', 'if (length > maxBytes) return false', ''),
  responses('a tag of any text can be purged', "names.map(fieldTag).join(', ')", "names.join(', ')"),
  layers(
    'a layer is purged by what its field has',
    'purgeLayers(layers, tags.map(fieldTag))',
    'purgeLayers(layers, tags)',
  ),
  of('src/http/tags.ts', ['http/layers.test.ts'])(
    'no tag of a rule breaks a field',
    '...more.map(fieldTag)',
    '...more',
  ),
  inFront('what middleware in front sets is not stored', 'headers.get(name) === value', 'false'),
  inFront('but for what holds for all', '.filter(([name]) => !SHARED.test(name))', ''),
  inFront(
    'nor taken from what keeps a response from being stored',
    "if (name !== 'set-cookie' && headers",
    'if (headers',
  ),
  inFront('each request has its own', 'headers.append(name, value)', "headers.has('')"),
  inFront('a field of the handler wins', ': !headers.has(name)', ': true'),
  inFront('a cookie is sent once', '!headers.getSetCookie().includes(value)', 'true'),
  inFront(
    'a refresh stores none of it',
    'const response = prepare(c, before, isPersonal)\n      if',
    'const response = prepare(c, [], isPersonal)\n      if',
  ),
  responses('a cache does not wait for itself', 'if (outer) {', 'if (!c) {'),
  responses(
    'what has another key is not stored under this one',
    'if (keyGenerator) outer.limits.push(() => false)',
    'outer.limits.push(() => true)',
  ),
  responses('a status that a later one does not store is not stored', 'if (limits.length > 0) {', 'if (!c) {'),
  responses('a CDN is not told to keep what a handler keeps from others', ' && !isClosed)', ')'),
  responses('a lifetime does not take the place of Expires', " && headers.has('expires')", ' && false'),
  responses('no answer but to GET and HEAD is told to last', 'const lasts = isRead && ', 'const lasts = '),
  verdicts('the ttl of a rule is for no error', '(isGood(status) ? asked.ttlMs : undefined)', 'asked.ttlMs'),
  responses('no error is told to last', '(mayStore ?? isGood)(response)', '(mayStore ?? (() => true))(response)'),
  unsafe('an origin invalidates no other', 'if (other.origin === target.origin) urls.add', 'urls.add'),
  storage('what was ended while it was fetched is not stored', 'if (captured.some(isLate)) return undefined', ''),
  storage('nor what was ended in the same moment', 'endOf(text) >= nowUs', 'endOf(text) > nowUs', SAME_MOMENT),
  storage('nor where the URL was purged just before', 'endOf(text) >= nowUs', 'endOf(text) >= startUs', SAME_MOMENT),
  operations('nor where its record was lost before a purge', 'lease === 3 ? 0 : nowUs', '0', ['http/evicted.test.ts']),
  of('src/http/keep.ts', ['http/query-rule.test.ts', 'http/no-vary-search.test.ts'])(
    'a response that goes to the place of another query began before that',
    "storage.begin(place, 'before')",
    'storage.begin(place)',
  ),
  storage('what began after an end of the same moment is stored', '&& !ended?.has(text)', '', SAME_MOMENT),
  body('a larger one where others wait', 'isNear()) await advance(controller)', 'false) await advance(controller)'),
  body('not without bound', '< AWAITED_BYTES', '< Infinity'),
  body('a small body is read ahead of its client', '{ highWaterMark: AHEAD_BYTES,', '{ highWaterMark: 0,'),
  body(
    'which has what came before it was cut',
    'if (failure && controller.desiredSize === AHEAD_BYTES)',
    'if (failure)',
  ),
  operations(
    'what another has stored since the look is answered with',
    'lease === 1 && record.lines.some(({ startUs }) => startUs > seenUs)',
    'false',
    COLLAPSE,
  ),
  operations(
    'an end comes after what began since the last one',
    'Math.max(nowUs, record.invalidatedUs + 1)\n    const next = format',
    'Math.max(nowUs, record.invalidatedUs)\n    const next = format',
    SAME_MOMENT,
  ),
  operations(
    'what was invalidated while it was fetched is not stored',
    'if (!record || record.invalidatedUs >= startUs) return refused',
    'if (!record) return refused',
  ),
  dates('a day is one that its month has', '&& new Date(ms).getUTCDate() === day', ''),
  dates('long text is no date', '|| text.length > LONGEST', '|| text.length > 28'),
  directives(
    'nothing in quotes is a directive',
    `text[equals + 1] === '"' ? QUOTED.exec(text) : null`,
    'null as RegExpExecArray | null',
  ),
  directives(
    'what stands behind a quoted argument makes it invalid',
    "quoted ? rest !== '' || !quoted[2] : !",
    '!quoted && !',
  ),
  directives('a list has an end', "if (count > MOST_DIRECTIVES) return directives.set('no-store', true)", ''),
  directives('of two values the stricter counts', 'return (b ?? 0) < (a ?? 0) ? value : before', 'return before'),
  directives('delta-seconds have a largest value', 'Math.min(Number(value), MOST_SECONDS)', 'Number(value)'),
  directives('what malformed text may forbid is forbidden', 'if (isMalformed) for', 'if (false) for'),
  directives('a malformed list of fields covers all', ' || !names.every(isToken)', ''),
  of('src/http/freshness.ts', PASS)('what names no field selects nothing', ' || !names.every(isToken)', ''),
  directives('an invalid lifetime is none', '(seconds(value) ?? 0)', 'seconds(value)'),
  directives('a targeted value of a wrong type is not coerced', '/^(no-|private|must)/.test(name)', 'true'),
  structured(
    'a list has a bound',
    'member(): Member {\n    if (++this.members > MAX_MEMBERS) throw',
    'member(): Member {\n    if (false) throw',
  ),
  ages('a heuristic has a bound', 'LONGEST_HEURISTIC_MS), explicit: false', 'Infinity), explicit: false'),
  ages(
    'a heuristic is a whole number',
    'const ms = Math.floor(Math.max(0, dateMs - lastModifiedMs) / 10)',
    'const ms = Math.max(0, dateMs - lastModifiedMs) / 10',
  ),
  ages(
    'only some statuses have a guessed lifetime',
    "if (!isHeuristic(status) && !directives.has('public')) return",
    'if (false) return',
  ),
  ages(
    'Expires counts for nothing beside a targeted field',
    "targeted ? null : headers.get('expires')",
    "headers.get('expires')",
  ),
  fieldPolicy(
    'a 304 leaves what describes the body',
    'update.filter(([name]) => !OF_THE_BODY.has(name))',
    '[...update]',
  ),
  vary(
    'a request that claims another host poisons no other',
    '[...request.keys()].filter((name) => OVERRIDE.test(name))',
    '([] as string[])',
  ),
  vary('of several the newest is selected', '!(best && one.dateMs <= best.dateMs)', '!best'),
  ranges('a weak tag cuts no range', "|| ifRange.startsWith('W/')", ''),
  ranges('a date that is not strong cuts no range', "if (!isTag && !isStrong) return 'whole'", ''),
  ranges('a part is not the whole', 'Number(first) === 0 && ', ''),
  terms('what was never fresh stands in for nothing', "(answer === 'none' && wasFresh ?", "(answer === 'none' ?"),
  terms(
    'what was never fresh is not used stale for a client’s asking',
    "stored.lifetimeMs > 0 ? asked.get('max-stale') : undefined",
    "asked.get('max-stale')",
  ),
  validators('tags come before dates', 'if (tags !== null) {', 'if (false) {'),
  validators('a list of tags has a bound', 'if (++count === MAX_TAGS) return false', ''),
  verdicts('a status that is not understood', "directives.has('must-understand') ? !isUnderstood :", ''),
  verdicts('a request may forbid it', "return no('request-no-store')", "void 'request-no-store'"),
  verdicts(
    'an error has a longest lifetime',
    'status >= 400 ? Math.min(lifetime.ms, LONGEST_NEGATIVE_MS) : lifetime.ms',
    'lifetime.ms',
  ),
  tags('a response has a bound of tags', 'tags.size > MAX_TAGS || ', ''),
  tags(
    'groups are of one origin',
    'groups.map((group) => keys.group(origin, group))',
    "groups.map((group) => keys.group('', group))",
  ),
  operations('a line may have any character but a newline', '(.*)$/s', '(.*)$/'),
  of('src/http/record-body.ts', ['http/streaming.test.ts'])(
    'text is no part of a stored body',
    '!ArrayBuffer.isView(bytes) || ',
    '',
  ),
  of('src/http/body.ts', ['http/streaming.test.ts'])(
    'text has a size in a queue',
    'byteLength ?? length',
    'byteLength ?? 0',
  ),
  of('src/http/record-body.ts', ['http/streaming.test.ts'])(
    'no text ends a body',
    'if (done) {',
    'if (done || !value) {',
  ),
  of('src/http/body.ts', ['http/streaming.test.ts'])('nor is it left out', 'if (bytes !== undefined)', 'if (bytes)'),
  of('src/http/fetch.ts', FLIGHTS)(
    'an error keeps nobody from waiting afterwards',
    'done(undefined, received.status >= 500)',
    'done(undefined)',
  ),
  of('src/http/operations.ts', FLIGHTS)(
    'nor does what was there before a stored response',
    'record.token === token || record.token === NOBODY ?',
    'record.token === token ?',
  ),
  of('src/http/answer.ts', CACHE)('no empty body without a type', 'if (bytes.byteLength === 0) return null', ''),
  of('src/http/fetch.ts', STACKS)(
    'a client that has the body needs no part of it',
    "headers.has('if-none-match') && isNotModified",
    'false && isNotModified',
  ),
  of('src/http/fetch.ts', STACKS)(
    'a client without the tag needs the first part',
    "headers.has('if-none-match') && isNotModified(headers, headersOf(stored.fields), 0)",
    "headers.has('if-none-match')",
  ),
  of('src/http/handle.ts', FLIGHTS)(
    'nobody waits for what is validated each time',
    ' && !(stored && isNeverFresh(stored))',
    '',
  ),
  of('src/http/handle.ts', FLIGHTS)(
    'nobody waits for what could not be shared',
    "if (lease !== 'none' && begun.fetching?.role === 'alone'",
    "if (false && begun.fetching?.role === 'alone'",
  ),
  of('src/http/handle.ts', FLIGHTS)('a stale response is waited for', "=== 'alone' && !begun.stored)", "=== 'alone')"),
  of('src/http/handle.ts', VARIANTS)('a known variant is waited for', "if (lease !== 'none' && begun", 'if (begun'),
  storage(
    'tags that no response has any more are no longer read',
    'hints.set(place.record, hinted)',
    'hints.set(place.record, [...extra, ...unread])',
  ),
  client(
    'a request that is validated is of its client',
    '      noteClient(request)\n      stateTextType(c)',
    '      stateTextType(c)',
  ),
  client('a request that refreshes is of its client', '        noteClient(request)\n        return', '        return'),
  queries(
    'a malformed rule changes nothing',
    'if (except !== undefined && (params ?? true) !== true) return search',
    '',
  ),
  queries('a list has strings alone', ' || !keys.every(isText)) return search', ') return search'),
  queries('a key is decoded as a query is', 'keys.map(nameOf)', 'keys'),
  plans('a request with a body passes', "return 'body'", 'return undefined'),
  plans('a cookie of a second line counts', 'text.split(/[;,]/)', "text.split(';')"),
  plans(
    'a cookie is compared by its whole name',
    ".split('=', 1)[0] as string).trim())",
    ".split('=', 1)[0] as string).trim().toLowerCase())",
  ),
  responses(
    'options of another kind are refused',
    'if (given !== undefined && !kinds',
    'if (given === check && !kinds',
  ),
  storage(
    'a response that is newer than the versions beside it stands',
    'if (store.traits.readsApart && ',
    'if (false && ',
    COLLAPSE,
  ),
  storage(
    'a store that ends no call hangs no request',
    'lastResort((nowMs) => work({ deadline: nowMs + timeoutMs }), now(), {})',
    'work({ deadline: now() + timeoutMs })',
  ),
  collect(
    'a body is in parts where the store takes small values',
    'pendingBytes * 8 <= chunks.size',
    'pendingBytes <= 32_768',
    CACHE,
  ),
  status('a hit was not forwarded', 'else if (story.fwd) {', 'if (story.fwd) {'),
  fetching('what stands in for an error was forwarded', '{ ...task.story, ...why }', '{ hit: true, ...why }'),
  handle(
    'a client that wants what is stored alone is not forwarded where the store is down',
    "error })\n    if (plan.directives.has('only-if-cached')) return gatewayTimeout(engine, { detail: 'store' })",
    'error })',
    CACHE,
  ),
  of('src/http/unsafe.ts', CACHE)(
    'a URL is dropped whatever name and password it has',
    'target.username = target.password = target.hash',
    'target.hash',
  ),
  of('src/http/answer.ts', CACHE)(
    'what is stored without Content-Type has none',
    "typeof body === 'string' ? new TextEncoder().encode(body) : body",
    'body',
  ),
  of('src/http/fetch.ts', CACHE)('an answer that nobody may give says so', '  tellStatus(headers, name, story)', ''),
  of('src/http/look.ts', CACHE)(
    'what is stored under a query of its own has variants',
    'return { plan, stored, others }\n  const else',
    'return { plan, stored, others: false }\n  const else',
  ),
  ranges('a range has a number of any length', '(\\d*)-(\\d*)', '(\\d{0,15})-(\\d{0,15})'),
  terms('a client allows only what was fresh', 'wasFresh && seconds(asked', 'seconds(asked'),
  terms('and what is stale', '(pastMs > 0 && pastMs <= askedMs)', 'pastMs <= askedMs'),
  storage(
    'what this process ended before counts as before',
    ' && !((ownEnds.get(idOf(text)) as number) <= known)',
    '',
    SAME_MOMENT,
  ),
  storage(
    'and what it ended since does not',
    '((ownEnds.get(idOf(text)) as number) <= known)',
    'ownEnds.has(idOf(text))',
    SAME_MOMENT,
  ),
  unsafe(
    'a URL is dropped by its own rule',
    'engine.rules, new Request(target, headers && { headers })',
    '[], new Request(url)',
    CACHE,
  ),
  place('an empty query is another URL than none', "(/^[^#?]*\\?/.test(url) ? '?' : '')", "''", SECURITY),
  place(
    'a key is text',
    "if (typeof name.extra !== 'string' || (hasKey && typeof key !== 'string')) throw invalid('a key is text')",
    '',
    SECURITY,
  ),
  place('a long URL is not remembered', 'if (name.length < MAX_KNOWN_LENGTH) known', 'known'),
  options(
    'names are lists of text',
    "if (!isTexts(list)) throw invalid('vary, tags, ignoreQuery and cookies are lists of names')",
    '',
  ),
  options(
    'negative is of errors',
    "if (!(Number(status) >= 400)) throw invalid('negative has lifetimes by the status of an error')",
    '',
  ),
  options('negative has lifetimes', "toMs(duration, 'negative')", ''),
  options('layers have a purge', "layer?.purge === 'function'", "layer?.purge !== 'x'"),
]
