import { HitherError } from 'hither'

/** A command as text, the way HTTP would carry it: `null` too. */
export type Args = readonly [name: string, ...rest: string[]]

type Texts = readonly unknown[]
type Fields = Readonly<Record<string, unknown>>

/** The methods that `@upstash/ratelimit` 2.2 and its analytics call, and what each sends. */
export const COMMANDS = {
  evalsha: (sha: string, keys: Texts, args: Texts): Args => textOf('EVALSHA', sha, keys.length, ...keys, ...args),
  eval: (script: string, keys: Texts, args: Texts): Args => textOf('EVAL', script, keys.length, ...keys, ...args),
  get: (key: string): Args => textOf('GET', key),
  set: (key: string, value: unknown, { px, ...others }: { px?: number } = {}): Args => {
    const [other] = Object.keys(others)
    if (other) throw new HitherError('UNSUPPORTED', `set takes px and no ${other}: give other code its own client`)
    return textOf('SET', key, value, ...(px === undefined ? [] : ['PX', px]))
  },
  del: (...keys: Texts): Args => textOf('DEL', ...keys),
  hset: (key: string, fields: Fields): Args => textOf('HSET', key, ...Object.entries(fields).flat()),
  zincrby: (key: string, by: number, member: string): Args => textOf('ZINCRBY', key, by, member),
  sadd: (key: string, ...members: Texts): Args => textOf('SADD', key, ...members),
  sdiffstore: (...keys: Texts): Args => textOf('SDIFFSTORE', ...keys),
  sunionstore: (...keys: Texts): Args => textOf('SUNIONSTORE', ...keys),
}

function textOf(name: string, ...rest: Texts): Args {
  return [name, ...rest.map(String)]
}

/** Where the keys of a command are, as a range of its arguments. */
export function keysOf(args: Args): readonly [start: number, end: number] {
  if (args[0].startsWith('EVAL')) return [3, 3 + Number(args[2])]
  return /^(DEL|S\w+STORE)$/.test(args[0]) ? [1, args.length] : [1, 2]
}
