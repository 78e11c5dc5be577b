import { type Mutant, of } from '../mutants.ts'

const UNIT = ['http/cache.test.ts', 'http/security.test.ts', 'http/collapse.test.ts']
const SECURITY = ['http/security.test.ts']
const CACHE = ['http/cache.test.ts']
const COLLAPSE = ['http/collapse.test.ts']
const storable = of('src/http/storable.ts', SECURITY)
const fields = of('src/http/fields.ts', SECURITY)
const reuse = of('src/http/reuse.ts', CACHE)
const validate = of('src/http/validate.ts', CACHE)
const fetching = of('src/http/fetch.ts', CACHE)
const handle = of('src/http/handle.ts', UNIT)
const body = of('src/http/body.ts', COLLAPSE)
const unsafe = of('src/http/unsafe.ts', SECURITY)
const storage = of('src/http/storage.ts', CACHE)
const freshness = of('src/http/freshness.ts', SECURITY)
const operations = of('src/http/operations.ts', CACHE)

export const mutants: readonly Mutant[] = [
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
  ),
  storable(
    'safe stores nothing that a cookie selects',
    "if (vary.includes('cookie') || vary.includes('authorization')) return no('vary')",
    '',
  ),
  storable('what says nothing is not stored', "if (!isWanted) return no('no-freshness')", ''),
  storable('safe stores no cookie', "if (!policy.setCookie && headers.has('set-cookie')) return no('set-cookie')", ''),
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
    'return windowMs !== undefined && pastMs <= windowMs',
    'return windowMs !== undefined',
  ),
  reuse('no-cache is validated', "if (stored.noCache) return 'stale'", ''),
  reuse('s-maxage is never stale', "(directives.has('s-maxage') && !staleDespiteSMaxage)", 'false'),
  validate('a 304 is for the tag that is stored', ': tag === known)', ': true)'),
  fetching(
    'an error takes no place of a good answer',
    'if (fetching && verdict.store && !isWorse && isWanted) {',
    'if (fetching && verdict.store && isWanted) {',
    SECURITY,
  ),
  handle(
    'what was stored for all answers nobody in particular',
    'if (mayBeOne && !one.shared) return false',
    '',
    SECURITY,
  ),
  handle(
    'a flight’s answer is of the variant that is asked for',
    'if (answer && isUsable(engine, answer, plan)) return respond',
    'if (answer) return respond',
    COLLAPSE,
  ),
  body(
    'a body has the length that it says',
    'if (keeping.length !== undefined && collector.length() !== keeping.length) return lose()',
    '',
  ),
  body(
    'a body that was cut is not stored',
    '    } catch (error) {\n      lose()\n      throw error',
    '    } catch (error) {\n      await end()\n      throw error',
  ),
  body('a body has a bound', 'if (length > maxBytes) return false', ''),
  unsafe('an origin invalidates no other', 'if (other.origin === target.origin) urls.add', 'urls.add'),
  storage(
    'what was ended while it was fetched is not stored',
    'if (captured.some((text) => Number(text.slice(VERSION_LENGTH)) >= startUs)) return undefined',
    '',
  ),
  operations(
    'what was invalidated while it was fetched is not stored',
    'if (!record || record.invalidatedUs >= startUs) return refused',
    'if (!record) return refused',
  ),
]
