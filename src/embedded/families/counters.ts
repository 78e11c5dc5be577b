import type { Client, Family } from '../contracts.ts'
import { addLongDoubles, formatLongDouble, parseLongDouble } from '../long-double.ts'
import { add, exactInt, type Int } from '../numbers.ts'
import { fail, type Reply } from '../reply.ts'

function increase(client: Client, key: string, by: Int): Reply {
  const old = exactInt(client.string(key) ?? '0')
  const sum = add(old, by) ?? fail('ERR increment or decrement would overflow')
  client.put(key, `${sum}`)
  client.changed(key, '$', 'incrby')
  return sum
}

/** The sum as INCRBYFLOAT and HINCRBYFLOAT write it. Throws error replies. */
export function addFloats(old: string, by: string, badOld: string, nan: string): string {
  const isInfinite = (text: string): boolean => /^[+-]?inf(inity)?$/i.test(text)
  const second = parseLongDouble(by) ?? (isInfinite(by) ? undefined : fail('ERR value is not a valid float'))
  const first = parseLongDouble(old) ?? fail(isInfinite(old) ? nan : badOld)
  if (!second) return fail(nan)
  return formatLongDouble(addLongDoubles(first, second))
}

const NAN = 'ERR increment would produce NaN or Infinity'

export const counters: Family = {
  incr: (client, args) => increase(client, args[1] as string, 1),
  decr: (client, args) => increase(client, args[1] as string, -1),
  incrby: (client, args) => increase(client, args[1] as string, exactInt(args[2])),
  decrby(client, args) {
    const by = exactInt(args[2])
    if (by === -(2n ** 63n)) fail('ERR decrement would overflow')
    return increase(client, args[1] as string, -by)
  },
  incrbyfloat(client, [, key = '', by = '']) {
    const value = addFloats(client.string(key) ?? '0', by, 'ERR value is not a valid float', NAN)
    client.put(key, value)
    client.changed(key, '$', 'incrbyfloat')
    return value
  },
}
