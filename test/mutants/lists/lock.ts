import { type Mutant, of } from '../mutants.ts'

const LOCKS = ['lock/locks.test.ts']
const STEPS = ['lock/operations.test.ts']

const step = of('src/lock/operations.ts', STEPS)
const lock = of('src/lock/held-lock.ts', LOCKS)
const replicas = of('src/lock/replicas.ts', LOCKS)
const locks = of('src/lock/create-locks.ts', LOCKS)

export const mutants: readonly Mutant[] = [
  replicas('replicas confirm at the node of the name', 'await lend(limit, key)', 'await lend(limit)'),
  replicas('a name that has moved is followed', "error.reply === 'MOVED')", 'false)'),
  locks('no option of a semaphore is dropped', "checkNames('semaphore', options ?? null, ['permits'])", ''),
  // The steps on one name
  step('a token rises by the clock, not by counting', 'last = Math.max(nowUs, last + 1)', 'last = last + 1', LOCKS),
  step('a token is above the last', 'last = Math.max(nowUs, last + 1)', 'last = nowUs', LOCKS),
  step('a lock is held by one', '(holders.length === 0 || joins)', 'true'),
  step('a lease that has ended holds nothing', 'who !== id && till > ms', 'who !== id'),
  step('a lost reply recognises its own lock', 'if (claimed && own.fence > 0) return same(own.fence)', '', LOCKS),
  step('a lock that was given back is not taken by a late command', 'if (freed) return same(0)', '', LOCKS),
  step('who waits is before who comes', '(claimed || claims.length === 0) &&', ''),
  step('a writer that waits keeps readers out', 'claims.every(({ limit }) => most <= limit)', 'true'),
  step('holders agree on how many they are', 'Math.min(most, ...holders.map(({ limit }) => limit))', 'most', LOCKS),
  step('claims are bounded', '(!claimed && claims.length >= MAX_CLAIMS)', 'false'),
  step('a lock may be had without a claim', 'claimMs === 0 || ', ''),
  step('only a lease that lasts is extended', ' || own.till <= ms) return same(0)', ') return same(0)'),
  step('a claim is not extended', '|| own.fence === 0 ||', '||'),
  step('an extension never shortens', 'ends = Math.max(ends, own.till)', '', LOCKS),
  step('a lease is no shorter at the store', 'let ends = ms + lease + 1', 'let ends = ms + lease', LOCKS),
  step('a release finds itself done', 'same(Number(freed))', 'same(0)'),
  step('a release ends the lease', 'next: text.replace(own.whole, ', 'next: text || (own.whole, '),
  step('a last token outlives its lease', 'Math.max(ends, latest) - ms + REMEMBERED_MS', 'ends - ms', LOCKS),
  step(
    'a longer lease keeps its key',
    'Math.max(ends, latest) - ms + REMEMBERED_MS',
    'ends - ms + REMEMBERED_MS',
    LOCKS,
  ),
  // One lock
  lock('a lock is lost before it has a timer', 'let cancel = (): void => {}', 'let cancel: () => void'),
  lock('a lease counts from before the send', 'let deadline = sentAt + ttlMs', 'let deadline = elapsedMs() + ttlMs'),
  lock('the deadline is compared at each look', 'if (elapsedMs() >= deadline) lose()', ''),
  lock(
    'an extension counts from before the send',
    'Math.max(deadline, at + leaseMs)',
    'Math.max(deadline, elapsedMs() + leaseMs)',
  ),
  lock('an extension does not shorten the deadline', 'Math.max(deadline, at + leaseMs)', 'at + leaseMs'),
  lock('one failed renewal is forgiven', '++failures > 1', '++failures > 0'),
  lock('two failed renewals are the loss', '++failures > 1', '++failures > 2'),
  lock('failures count in a row', 'failures = 0\n    } else', '} else'),
  lock('a lease that is gone is the loss', '} else lose()', '}'),
  lock('a renewal has a deadline', '{ deadline: now() + third }', '{}'),
  lock('a renewal waits for its third', 'if (at >= renewAt)', 'if (renew)'),
  lock('a second release is false', 'if (released) return false\n    const late', 'const late'),
  lock('a release ends renewals', 'released = true\n    cancel()', 'released = true'),
  lock('a lost lock was not released', '(await free()) > 0 && !late', 'await free()'),
  lock('a release after a loss does not reject', 'if (late) return false\n', ''),
  lock('a lost lock is not extended', 'if (isLost() || released) return false\n    const at', 'const at'),
  lock('a released lock is not held', 'if (isLost() || released) throw', 'if (isLost()) throw'),
  lock('a release aborts no signal', 'if (lost || released) return', 'if (lost) return'),
  lock('dispose hides no error', 'await this.release().catch(() => {})', 'await this.release()'),
  lock('a loss tells who listens', 'controller?.abort(lost)', ''),
  lock('a signal that comes late is aborted', 'if (isLost()) controller.abort(reason())', ''),
  replicas(
    'a server without scripts or WAIT is UNSUPPORTED',
    'if (!/unknown command|NOPERM (?!ACL|.*access)|without a Lua|scripting support/i.test(reply.message))',
    '',
  ),
  replicas('a right that a script lacks says nothing of it', 'NOPERM (?!ACL|.*access)', 'NOPERM'),
  replicas('and is UNAUTHORIZED', '`, reply)', '`, reply.word)'),
  replicas('a user of locks may follow a name', "['GET', key]", "['EXISTS', key]"),
  // Acquiring
  locks('a late reply is a failed try', 'reply > 0 && elapsedMs() < sentAt + ttlMs', 'reply > 0'),
  locks('a late lock is given back', 'await freeAs(id).catch(ignore)\n', ''),
  locks('a try after a give-back has its own id', 'id = randomId()\n          left', 'left'),
  locks('what a lost call took is given back', 'background.add(freeAs(id).catch(ignore), undefined, ignore)', ''),
  locks('without a wait there is one try', 'if (!(left > 0)) return undefined', 'if (!(left > -99)) return undefined'),
  locks('a crowd tries more rarely', 'reply < 0 ? 1 : Math.max(1, waiting / CROWD)', '1', [
    'lock/crowd.test.ts > of very many callers loads the store no more than that of some',
  ]),
  locks('an aborted signal sends nothing', '    checkSignal(signal)\n', ''),
  locks('the store hears of the signal', 'signal && { signal }', 'undefined'),
  locks('who gives up leaves no claim', '|| (claims && !(left > 0))', '', ['lock/giving-up.test.ts']),
  locks('run releases', 'await lock[Symbol.asyncDispose]()', ''),
  locks('a store without operations is refused', "if (typeof store?.run !== 'function')", 'if (!store)'),
  locks('options of locks are known', "checkNames('createLocks', options ?? null, OPTIONS)", ''),
  locks('options of a call are known', "checkNames('acquire', options, ACQUIRE)", ''),
  locks('holders are bounded', "'permits', 1, MAX_HOLDERS", "'permits', 1"),
]
