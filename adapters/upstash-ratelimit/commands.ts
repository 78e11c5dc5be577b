import { HitherError } from 'hither'

/** A command whose arguments are all text, `null` too, as they would be over HTTP. */
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

/** The range of a command's arguments that are keys. */
export function keysOf(args: Args): readonly [start: number, end: number] {
  if (args[0].startsWith('EVAL')) return [3, 3 + Number(args[2])]
  return /^(DEL|S\w+STORE)$/.test(args[0]) ? [1, args.length] : [1, 2]
}
