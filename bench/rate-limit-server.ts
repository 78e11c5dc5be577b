import type { Redis } from 'ioredis'
import { joinedOperation, scriptOf } from '../src/protocol/operation.ts'
import type { Algorithm } from '../src/rate-limit/algorithm.ts'
import { COMMANDS_AT_ONCE } from '../src/store/writes.ts'

/** An exact log as it is usually written: five commands, a single limit, and a reply of only the decision and the count. */
export const EXACT_LOG: string = `
local time = redis.call('TIME')
local now_us = time[1] * 1000000 + time[2]
redis.call('ZREMRANGEBYSCORE', KEYS[1], 0, string.format('%.0f', now_us - ARGV[2] * 1000))
local taken = redis.call('ZCARD', KEYS[1])
if taken >= tonumber(ARGV[1]) then return { 0, taken } end
redis.call('ZADD', KEYS[1], string.format('%.0f', now_us), ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return { 1, taken + 1 }`

/** A count by two commands, as hono-rate-limiter makes it. */
const COUNT = `
local count, left_ms = redis.call('INCR', KEYS[1]), redis.call('PTTL', KEYS[1])
if left_ms < 0 then
 redis.call('PEXPIRE', KEYS[1], ARGV[1])
 left_ms = tonumber(ARGV[1])
end
return { count, left_ms }`

interface Script {
  readonly lua: string
  /** How many keys one call has. */
  readonly keys: number
  readonly args: () => (string | number)[]
}

const IDS = 1000
const DECISIONS = 192

/**
 * A row for each script: microseconds of the server for an allowed decision, as `INFO commandstats` counts them. The figure is
 * the minimum of `rounds` short rounds, since other work of the machine can only add to it. Each round runs every script.
 */
export async function serverCost(client: Redis, algorithms: readonly Algorithm[], rounds = 150): Promise<string[]> {
  let count = 0
  const scripts: Record<string, Script> = {
    'a count of two commands': { lua: COUNT, keys: 1, args: () => [60_000] },
    'an exact log of five commands': { lua: EXACT_LOG, keys: 1, args: () => [10_000, 60_000, count++] },
  }
  for (const { name, steps, args } of algorithms) {
    const all = ['take', 1, ...args(undefined, false)]
    scripts[name] = { lua: scriptOf(steps[0]), keys: 1, args: () => all }
    scripts[`${name}, ${COMMANDS_AT_ONCE} keys`] = {
      lua: scriptOf(joinedOperation(steps[0])),
      keys: COMMANDS_AT_ONCE,
      args: () => all,
    }
  }
  const shas = new Map<string, string>()
  for (const [name, { lua }] of Object.entries(scripts)) shas.set(name, (await client.script('LOAD', lua)) as string)
  const least = new Map<string, number>()
  let next = 0
  for (let round = 0; round < rounds; round++)
    for (const [name, { keys, args }] of Object.entries(scripts)) {
      const call = (): Promise<unknown> => {
        const ids = Array.from({ length: keys }, () => `cost:${name}:${next++ % IDS}`)
        return client.evalsha(shas.get(name) as string, keys, ...ids, ...args())
      }
      await client.config('RESETSTAT')
      await Promise.all(Array.from({ length: DECISIONS / keys }, call))
      const usec = /cmdstat_evalsha:calls=\d+,usec=(\d+)/.exec(await client.info('commandstats'))?.[1]
      least.set(name, Math.min(least.get(name) ?? 1e9, Number(usec) / DECISIONS))
    }
  return [...least].map(([name, us]) => `| ${name} | ${us.toFixed(1)} |`)
}
