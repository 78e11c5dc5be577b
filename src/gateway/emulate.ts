import type { Command, Wire } from '../store/transport.ts'

type Args = Command['args']

/** About the most keys that one `SCAN … WITHTYPE` asks for. */
const MAX_TYPED = 1000

export interface Emulated {
  readonly args: Args
  /** The reply, if the server need not be asked. */
  readonly reply?: Wire
  /** Whether each key of the reply is followed by its type. */
  readonly withTypes?: boolean
}

/**
 * Where Upstash differs from Redis: `COPY k k` replies 0 and not an error, `SCAN … WITHTYPE` adds the types, and XTRIM and XADD
 * with `~` trim to about one entry more, where Redis may leave a hundred.
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

/** Index of WITHTYPE among the options of SCAN; each other option has one value. -1: not there. */
function optionAt(args: Args): number {
  for (let i = 2; i < args.length; i += 2) if (isWord(args[i], 'WITHTYPE')) return i
  return -1
}

/** Lowers COUNT, since each key costs one more command. COUNT is a hint, so the server may return fewer keys. */
function withFewerKeys(args: Args): Args {
  return args.map((arg, i) =>
    isWord(args[i - 1], 'COUNT') && i % 2 === 1 && Number(arg) > MAX_TYPED ? MAX_TYPED : arg,
  )
}

/** Replaces `~` by `=`. Not before LIMIT, which needs `~`. */
function trimExactly(args: Args, at: number): Args {
  const about = /^(MAXLEN|MINID)$/i.test(String(args[at])) && args[at + 1] === '~' && !isWord(args[at + 3], 'LIMIT')
  return about ? args.with(at + 1, '=') : args
}

function isWord(arg: Args[number] | undefined, word: string): boolean {
  return typeof arg === 'string' && arg.toUpperCase() === word
}
