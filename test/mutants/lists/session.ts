import { type Mutant, of } from '../mutants.ts'

const UNIT = ['session/hostile.test.ts', 'session/session.test.ts']
const cookie = of('src/session/cookie.ts', UNIT)
const stores = of('src/session/check-store.ts', UNIT)
const expressSession = of('adapters/express-session/index.ts', ['session/libraries.test.ts'])
const honoSession = of('adapters/hono-session/index.ts', ['session/libraries.test.ts'])
const create = of('src/session/create-sessions.ts', UNIT)
const end = of('src/session/end.ts', UNIT)
const entries = of('src/session/hashed-entries.ts', UNIT)
const fields = of('src/session/fields.ts', UNIT)
const operation = of('src/session/operations.ts', UNIT)
const session = of('src/session/session.ts', UNIT)
const save = of('src/session/save.ts', UNIT)

export const mutants: readonly Mutant[] = [
  session('a rotation keeps what was changed in place', 'if (kept) noteChangedInPlace(state)\n', '\n'),
  save('nor takes it to another subject', "field && !('isStored' in field)", 'field'),
  session('but not of a session that another has ended', 'if (kept) noteChangedInPlace', 'noteChangedInPlace'),
  fields('without its codec a value is none', 'CODED + JSON.stringify(text)', 'JSON.stringify(text)'),
  fields(
    'the first form of a coded value stays readable',
    'text.startsWith(CODED) ? text.slice(1) : text',
    'text.slice(1)',
  ),
  expressSession('what has no cookie is no session of express', 'data?.cookie ? data : null', 'data'),
  expressSession(
    'what is no JSON is no session of express',
    '  } catch {\n    return null',
    '  } catch (error) {\n    throw error',
  ),
  expressSession(
    'a lifetime that is undefined is the default',
    "options?.ttl === undefined ? '1d' : options.ttl",
    'options?.ttl',
  ),
  honoSession('as it is with Hono', "options?.ttl === undefined ? '1d' : options.ttl", 'options?.ttl'),
  expressSession('a cookie may last for ever', ', LONGEST_MS)', ', 1 / 0)'),
  honoSession('what is no object is no session of Hono', "typeof data === 'object' && !Array.isArray(data)", 'data'),
  honoSession(
    'what is no JSON is no session of Hono',
    '  } catch {\n    return null',
    '  } catch (error) {\n    throw error',
  ),
  cookie('lone surrogates have a digest of their own', 'text.isWellFormed() ?', 'text ?'),
  cookie('which is not that of their JSON', 'hmacSha256(NO_TEXT)(JSON', 'sha256(JSON'),
  cookie('a cookie is signed', 'if (id && hashes.some(', 'if (id || hashes.some('),
  cookie('every character of a signature counts', 'i < a.length; i++', 'i < a.length - 1; i++'),
  cookie('a namespace’s cookies are its own', 'ession $' + '{namespace} $', 'ession $'),
  cookie('a secret is long enough', '|| bytes.length < SECRET_BYTES', ''),
  cookie('a secret is bytes, and no count of zeros', 'secret.BYTES_PER_ELEMENT === 1', 'true'),
  create('a cookie is given its prefix', '(?!__(host|secure)-)', ''),
  create('no option is dropped in silence', "checkNames('createSessions', options ?? null, Object.keys(KNOWN))", ''),
  create(
    'what is opened is a request, or has its headers',
    "typeof headers?.get !== 'function'",
    "headers && typeof headers.get !== 'function'",
  ),
  entries(
    'no option of entries is dropped',
    "checkNames('hashedEntries', options ?? null, ['store', 'namespace', 'codec', 'ttl'])",
    '',
  ),
  entries('text that is no count counts as none', '/^[1-9]\\d{0,14}$/.test(current) ?', 'current ?'),
  stores('sessions need a store with operations', "if (typeof store?.run !== 'function')", 'if (!store)'),
  stores('and one whose reads see every write', "if (store.traits?.consistency === 'eventual')", 'if (false)'),
  create('a store of sessions is one', '  checkStore(store)\n', ''),
  entries('a store of entries is one', '  checkStore(store)\n', ''),
  create('a subject that was ended ends its sessions', 'if (subject && current !== held) return undefined', ''),
  create('insecure is for this machine', 'if (!LOOPBACK.test(host))', 'if (false)'),
  create('a url that is a path names no host', 'url && URL.canParse(url)', 'url'),
  fields('a schema judges what is read', 'if (result?.issues) return undefined', ''),
  fields(
    'a schema judges what is saved',
    "if (result?.issues) {\n        throw new HitherError('INVALID_VALUE', 'the schema",
    "if (false) {\n        throw new HitherError('INVALID_VALUE', 'the schema",
  ),
  fields(
    'a schema gets what is stored',
    "Object.hasOwn(field, 'raw') ? (field as OpenField).raw : field.value",
    'field.value',
  ),
  fields('a name is kept as it is', 'return kind + encodeURIComponent(name)', 'return kind + name'),
  operation(
    'a session that ended is not made again',
    'if (mode === 1 ? isMark(current) : !before) return kept',
    'if (mode === 1 && isMark(current)) return kept',
  ),
  operation(
    'nor one that was rotated, by its save',
    'if (mode === 1 ? isMark(current) : !before) return kept',
    'if (mode !== 1 && !before) return kept',
  ),
  operation(
    'a save whose reply was lost is made up for',
    'mode === 1 ? isMark(current)',
    'mode === 1 ? current !== undefined',
  ),
  operation('what keeps a session from being made stays', 'if (isMark(current)) return', 'if (current[2]) return'),
  operation('where a session goes on stays', 'if (isMark(current)) return', "if (current === 'r1') return"),
  end('destroy ends what another has rotated', 'while (/^r1./.test(text))', 'while (false)'),
  end(
    'destroy keeps what is rotated from being stored',
    "sessionKey(text.slice(2)), ['', idleMs], call)",
    "sessionKey(text.slice(2)), ['', 0], call)",
  ),
  operation(
    'a session that ended is not touched',
    'if (!record || left <= 0) return',
    'if (record && left <= 0) return',
  ),
  operation('a session ends at its absolute end', 'const left = Math.min(idleMs, ends - nowMs)', 'const left = idleMs'),
  operation(
    'another’s binding is not overwritten unseen',
    'before.generation !== expected && before.generation !== generation',
    'false',
  ),
  operation('a session is bounded', 'if (isTooLarge(next)) return', 'if (false) return'),
  operation('a generation’s life never gets shorter', 'Math.max(lifeMs, leftMs)', 'lifeMs'),
  session(
    'rotate ends the old id',
    'parseRecord(await store.run(rotateSession, place.key, args, call))',
    'parseRecord(await store.get(place.key, call))',
  ),
  session(
    'rotate takes nothing that was ended',
    'if (!record || !kept) return',
    'if (!record || !kept) return void (state.stored = found?.fields ?? new Map())',
  ),
  session(
    'an empty session is not stored for a rotation of what another has ended',
    'if (!record || !kept) return\n    state.nextId = nextId',
    'state.nextId = nextId\n    if (!record || !kept) return',
  ),
  session(
    'an empty session is not stored for a rotation',
    'const { place } = state\n    if (!place) return\n',
    'const { place } = state\n    if (!place) state.nextId = newId()\n    if (!place) return\n',
  ),
  session(
    'a session that is rotated twice has an old id',
    'const { place } = state\n    if (!place) return\n',
    'const { place } = state\n    if (!place) state.nextId = String()\n    if (!place) return\n',
  ),
  save('a change renews the cookie', 'return maker.cookies.write({ id, subject: state.subject })', 'return undefined'),
  save('a renewed cookie names the subject', 'write({ id, subject: state.subject })', "write({ id, subject: '' })"),
  save(
    'what is only read is served by a server that is full',
    "if (error?.code !== 'STORE_REJECTED') throw error",
    'throw error',
  ),
  save('and by none that does not answer', "    if (error?.code !== 'STORE_REJECTED') throw error\n", ''),
  save('what ended elsewhere is not saved', 'if (state.endedElsewhere) return undefined', ''),
  save(
    'binding anew does not revive what destroyAll ended',
    'return { bound: { subject, generation }, ended: hadEnded || isNew }',
    'return { bound: { subject, generation }, ended: hadEnded }',
  ),
  save(
    'nor where it was ended between look and write',
    '  await maker.store.delete([key], call)\n  return true',
    '  return false',
  ),
  save(
    'what is set during a save is kept',
    'if (state.changed.get(name) === field) state.changed.delete(name)',
    'state.changed.clear()',
  ),
  save(
    'who is bound during a save is kept',
    'if (state.newSubject === newSubject) state.newSubject',
    'state.newSubject',
  ),
  session(
    'so is one of what was read back before the save',
    'const value = (changed.has(name) ? changed : state.stored).get(name)?.value',
    'if (changed.has(name)) return changed.get(name)?.value\n    const value = state.stored.get(name)?.value',
  ),
  save('a change in place is found after a save too', 'if (current.has(name)) state.snapshots.set(name, text)', 'text'),
  save('what is too large says so', 'if (reply === TOO_LARGE) throw tooLarge()\n  // A rotated', '// A rotated'),
]
