import { type Mutant, of } from '../mutants.ts'

const UNIT = ['text-store.test.ts']

const calls = of('src/store/limited-call.ts', UNIT)
const without = of('src/store/without-operations.ts', ['local-leases.test.ts'])
const leases = of('src/store/local-leases.ts', ['local-leases.test.ts'])
const object = of('adapters/cloudflare/object-store.ts', ['object-store.test.ts'])
const reads = of('adapters/cloudflare/object-reads.ts', ['object-store.test.ts'])
const store = of('src/store/text-store.ts', UNIT)

export const mutants: readonly Mutant[] = [
  of('src/store/without-operations.ts', UNIT)(
    'the clock is read once',
    '        const nowMs = now()\n        const { text, endMs } = open(stored, nowMs)\n',
    '        const { text, endMs } = open(stored)\n        const nowMs = now()\n',
  ),
  without('a lease is not written', 'if (isLeaseStep(operation.name, args))', 'if (isLeaseStep(key, []))'),
  without('a delete ends a lease', 'leases.drop(keys)\n    return', 'return'),
  without('stores over one client share leases', 'sharedOver(clientOf(store))', 'sharedOver(store)'),
  without('a load without a value deletes the copy', "args[0] === 'gone' && hasBase", 'false'),
  without('a write of another process ends a lease', 'if (stored === base) leases.drop([key])', ''),
  leases('a lease ends with the text beneath it', '!kept || kept.mark !== markOf(base)', '!kept'),
  leases('a read ends no lease', 'markOf(base)) return base', 'markOf(base)) return leases.delete(key), base'),
  leases('a lease that left nothing takes no room', 'if (frame(text, endMs) === base) return', ''),
  leases('a lease keeps no value', 'text.slice(HEAD) === tailOf(base)', 'base === text'),
  of('src/store/local-leases.ts', ['leases-heap.test.ts'])(
    'a lease keeps no value alive',
    "return [...part].join('')",
    'return part',
  ),
  leases('leases take bounded room', 'leases.size <= MAX_LEASES && ', ''),
  leases('a lease that ended makes room', '(endMs === 0 || endMs > nowMs)', 'endMs !== nowMs'),
  of('adapters/vercel/runtime-cache-store.ts', UNIT)('a value is its key’s', ' && value.startsWith(mark)', ''),
  reads('a Durable Object is asked for what it left out', 'left = left.slice(entries.length)', 'left = []'),
  reads('a message to it has room for its keys', 'batch.count + keys.length > MAX_KEYS', 'MAX_KEYS < 0'),
  reads('a message that is full is sent before a write', 'batch?.send()', ''),
  reads('a small read comes first', 'a.keys.length - b.keys.length', '0'),
  reads('and waits for its own message only', 'next.last <= count', 'count === keys.size'),
  reads('an error reaches whom it concerns', 'waiting.slice(settled)', 'waiting.slice(settled, 0)'),
  object('a write does not overtake the reads before it', '      reads.flush(shard)\n', ''),
  object(
    'its writes of a key are in order',
    'calls.run([key], call, true, (limit) =>\n        write',
    'calls.run([key], call, false, (limit) =>\n        write',
  ),
  object('so are its deletes', 'calls.run(keys, call, true', 'calls.run(keys, call, false'),
  calls(
    'a call of another client ends at its limit',
    'const callOff = onLimit(limit, timedOut, reject)',
    'const callOff = timedOut',
  ),
  calls(
    'a write that is too late may have run',
    '{ retryable, maybeExecuted: writes })\n  return',
    '{ retryable })\n  return',
  ),
  calls('so may one that failed', '{ cause, retryable, maybeExecuted: writes }', '{ cause, retryable }'),
  calls('a call that is too late sends nothing', '    checkLimit(limit)\n', ''),
  calls('a closed store sends nothing', "if (closed) throw new HitherError('CLOSED', 'the store is closed')", ''),
  store('a key that no store takes is refused', 'checkKeys(keys, traits)', ''),
  store('so is one that the client does not take', 'keys.forEach(refuse)', ''),
  store('and a value', 'checkValue(value, traits)', ''),
  store('and a lifetime', 'checkTtl(ttlMs)', ''),
  store('what is written after a delete stays', 'calls.run(each, call, true', 'calls.run(each, call, false'),
]
