import type { Chance } from './history.ts'

/** A command as it is sent, and the command by whose rule its reply is compared. */
export interface Step {
  readonly args: readonly string[]
  readonly as: readonly string[]
}

const plain = (args: readonly string[]): Step => ({ args, as: args })
const pick = <T>(chance: Chance, items: readonly T[]): T => items[Math.floor(chance() * items.length)] as T

const SCRIPTS = [
  'return redis.call(unpack(ARGV))',
  'return redis.pcall(unpack(ARGV))',
  'redis.setresp(3) return redis.call(unpack(ARGV))',
  'redis.setresp(3) local reply = redis.pcall(unpack(ARGV)) return reply',
  "local reply = redis.pcall(unpack(ARGV)) if type(reply) == 'table' and reply.err then return {err = reply.err} end return reply",
]
/** Commands that are never sent in a script: they depend on chance, a script may not call them, or it would hide their name. */
const STAYS_PLAIN = /^(SPOP|DEL|MULTI|EXEC|DISCARD|WATCH|UNWATCH|SELECT|SWAPDB|HELLO|EVAL.*|SUBSCRIBE|PFCOUNT)$/i

/** Wraps some of the commands in scripts. */
function inScripts(chance: Chance, commands: readonly (readonly string[])[]): Step[] {
  return commands.map((args) => {
    if (chance() < 0.5 || args.length === 0 || STAYS_PLAIN.test(args[0] as string)) return plain(args)
    return { args: [chance() < 0.1 ? 'EVAL_RO' : 'EVAL', pick(chance, SCRIPTS), '0', ...args], as: args }
  })
}

/** Puts some of the commands into transactions, some with WATCH. */
function inTransactions(chance: Chance, commands: readonly (readonly string[])[]): Step[] {
  const steps: Step[] = []
  let isOpen = false
  for (const args of commands) {
    // SPOP leaves members by chance, and they would stay if the DEL after it did not run in a transaction.
    if (/^spop$/i.test(args[0] ?? '')) continue
    if (isOpen) {
      steps.push(plain(args))
      if (chance() < 0.25) {
        isOpen = false
        steps.push(plain([chance() < 0.1 ? 'DISCARD' : 'EXEC']))
      } else if (chance() < 0.03)
        steps.push(plain(pick(chance, [['MULTI'], ['WATCH', 's:1'], ['EXEC', 'x'], ['UNWATCH']])))
      continue
    }
    if (chance() < 0.2) {
      if (chance() < 0.4) steps.push(plain(['WATCH', pick(chance, ['s:1', 'h:1', 'l:1', 'z:1', 't:1', 'x:1', 'g:1'])]))
      steps.push(plain(args))
      if (chance() < 0.1) steps.push(plain(['UNWATCH']))
      steps.push(plain(['MULTI']))
      isOpen = true
      continue
    }
    steps.push(plain(args))
    if (chance() < 0.02) steps.push(plain([pick(chance, ['EXEC', 'DISCARD'])]))
  }
  return steps
}

/** Returns the commands of a history, unchanged, in scripts or in transactions. */
export function wrap(chance: Chance, commands: readonly (readonly string[])[]): Step[] {
  const style = chance()
  if (style < 0.15) return inScripts(chance, commands)
  if (style < 0.3) return inTransactions(chance, commands)
  return commands.map(plain)
}
