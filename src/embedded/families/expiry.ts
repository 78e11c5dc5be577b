import type { Client, Family, Run } from '../contracts.ts'
import { exactInt } from '../numbers.ts'
import { fail, quoting, type Reply } from '../reply.ts'

/** Reads NX, XX, GT and LT of EXPIRE. Throws error replies, also for words that exclude one another. */
export function readConditions(words: readonly string[]): { nx: boolean; xx: boolean; gt: boolean; lt: boolean } {
  const given = { nx: false, xx: false, gt: false, lt: false }
  for (const word of words) {
    const name = word.toLowerCase()
    if (name in given) given[name as keyof typeof given] = true
    else fail(quoting`ERR Unsupported option ${word}`)
  }
  if (given.nx && (given.xx || given.gt || given.lt)) {
    fail('ERR NX and XX, GT or LT options at the same time are not compatible')
  }
  if (given.gt && given.lt) fail('ERR GT and LT options at the same time are not compatible')
  return given
}

function expire(factor: bigint, fromNow: boolean): Run {
  return (client, args) => {
    const key = args[1] as string
    const when = readConditions(args.slice(3))
    const amount = BigInt(exactInt(args[2]))
    const max = 2n ** 63n - 1n
    const ms = amount * factor + (fromNow ? BigInt(client.now) : 0n)
    const isBad = amount > max / factor || amount < (-max - 1n) / factor || ms > max || ms < -max - 1n
    if (isBad) fail(`ERR invalid expire time in '${(args[0] as string).toLowerCase()}' command`)
    if (client.find(key) === undefined) return 0
    const endMs = Math.max(Number(ms), 0)
    const old = client.db.ends.get(key)
    if (when.nx && old !== undefined) return 0
    if (when.xx && old === undefined) return 0
    if (when.gt && (old === undefined || endMs <= old)) return 0
    if (when.lt && old !== undefined && endMs >= old) return 0
    if (endMs <= client.now) {
      client.db.delete(key)
      client.changed(key, 'g', 'del')
      return 1
    }
    client.db.ends.set(key, endMs)
    client.changed(key, 'g', 'expire')
    return 1
  }
}

const left =
  (unitMs: number, fromNow: boolean): Run =>
  (client: Client, args): Reply => {
    const key = args[1] as string
    if (client.find(key) === undefined) return -2
    const endMs = client.db.ends.get(key)
    if (endMs === undefined) return -1
    const ms = fromNow ? Math.max(0, endMs - client.now) : endMs
    return unitMs === 1 ? ms : Math.floor((ms + (fromNow ? 500 : 0)) / 1000)
  }

export const expiry: Family = {
  expire: expire(1000n, true),
  pexpire: expire(1n, true),
  expireat: expire(1000n, false),
  pexpireat: expire(1n, false),
  ttl: left(1000, true),
  pttl: left(1, true),
  expiretime: left(1000, false),
  pexpiretime: left(1, false),
  persist(client, args) {
    const key = args[1] as string
    if (client.find(key) === undefined || !client.db.ends.delete(key)) return 0
    client.changed(key, 'g', 'persist')
    return 1
  },
}
