import type { Command, Wire } from '../store/transport.ts'

type Args = Command['args']

/** Most keys that one `SCAN … WITHTYPE` asks for, about. */
const MAX_TYPED = 1000

export interface Emulated {
  readonly args: Args
  /** The answer, where nothing needs to be asked. */
  readonly reply?: Wire
  /** Each key of the reply gets its type behind it. */
  readonly withTypes?: boolean
}

/**
 * What Upstash answers otherwise than Redis: `COPY k k` is 0 and no error, `SCAN … WITHTYPE` names the types, and
 * XTRIM and XADD with `~` trim to about an entry, where Redis may leave a hundred.
 */
export function emulate(args: Args): Emulated {
  const [name, key, second, option] = args
  if (name === 'COPY') {
    const bare = args.length === 3 || (args.length === 4 && isWord(option, 'REPLACE'))
    return bare && String(key) === String(second) ? { args, reply: 0 } : { args }
  }
  if (name === 'SCAN') {
    const at = optionAt(args)
    return at < 0 ? { args } : { args: withFewerKeys(args.toSpliced(at, 1)), withTypes: true }
  }
  if (name === 'XTRIM') return { args: trimExactly(args, 2) }
  if (name === 'XADD') return { args: trimExactly(args, isWord(second, 'NOMKSTREAM') ? 3 : 2) }
  return { args }
}

/** Where WITHTYPE stands among the options of SCAN, each of which has one value. */
function optionAt(args: Args): number {
  for (let i = 2; i < args.length; i += 2) if (isWord(args[i], 'WITHTYPE')) return i
  return -1
}

/** Each key costs a command more: COUNT is a hint, of which a server may take less. */
function withFewerKeys(args: Args): Args {
  return args.map((arg, i) =>
    isWord(args[i - 1], 'COUNT') && i % 2 === 1 && Number(arg) > MAX_TYPED ? MAX_TYPED : arg,
  )
}

/** LIMIT needs the `~` before it. */
function trimExactly(args: Args, at: number): Args {
  const about = /^(MAXLEN|MINID)$/i.test(String(args[at])) && args[at + 1] === '~' && !isWord(args[at + 3], 'LIMIT')
  return about ? args.with(at + 1, '=') : args
}

function isWord(arg: Args[number] | undefined, word: string): boolean {
  return typeof arg === 'string' && arg.toUpperCase() === word
}
