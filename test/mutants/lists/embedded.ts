import { type Mutant, of } from '../mutants.ts'

const TESTS = ['embedded/guards.test.ts']
const engine = of('src/embedded/engine.ts', TESTS)
const transactions = of('src/embedded/families/transactions.ts', TESTS)
const meter = of('src/embedded/memory-meter.ts', TESTS)
const dispatch = of('src/embedded/dispatch.ts', TESTS)
const reader = of('src/embedded/request-reader.ts', TESTS)

export const mutants: readonly Mutant[] = [
  engine('a key ends at its time', 'if (endMs === undefined || endMs > this.nowMs) return false', 'return false'),
  engine('a sweep ends keys', 'if (endMs <= this.nowMs) {', 'if (false) {'),
  transactions('a watched key that changed ends a transaction', 'if (client.dirty) return true', ''),
  transactions('so does one that ended', 'if (!expired && endMs !== undefined', 'if (false && endMs !== undefined'),
  meter('what is used goes last', 'if (!this.#byUse) return', 'return'),
  dispatch('a password is asked for', "if (!client.user && !command.flags.has('no_auth')) fail(NO_AUTH)", ''),
  dispatch('a bound refuses', '!engine.meter.makeRoom()', 'false'),
  reader('an inline request ends at its NUL', "text.split('\\0', 1)[0] as string", 'text'),
]
