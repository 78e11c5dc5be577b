/** Opens stores over real servers that are made to refuse what other systems refuse. */
import { type AtomicStore, HitherError, type Operation } from 'hither'
import { tcpStore } from 'hither/tcp'
import { createCommandStore } from '../../src/store/command-store.ts'
import { joinScripts } from '../../src/store/join-scripts.ts'
import { ReplyError } from '../../src/store/transport.ts'

/** Commands that ElastiCache restricts. */
export const ADMIN: readonly string[] =
  'BGREWRITEAOF BGSAVE CONFIG DEBUG MIGRATE REPLICAOF SAVE SLAVEOF SHUTDOWN SYNC'.split(' ')

/** Arguments that make a server not know these commands. */
export const without = (commands: readonly string[]): string[] =>
  commands.flatMap((command) => ['--rename-command', command, ''])

/** A line put before each script, which makes `redis.call` refuse a key that is not in `KEYS`, as DragonflyDB does. */
const DECLARED_ONLY = `local redis = (function(real, keys)
local declared = {}
for _, key in ipairs(keys) do declared[key] = true end
local guard = function(call)
return function(...)
local name, key = ...
if string.upper(name) ~= 'TIME' and not declared[key] then error('script tried accessing undeclared key') end
return call(...)
end
end
return setmetatable({ call = guard(real.call), pcall = guard(real.pcall) }, { __index = real })
end)(redis, KEYS)
`.replaceAll(/\n(?!$)/g, ' ')

const UNDECLARED: Operation<readonly [], number> = {
  name: 'undeclared',
  effect: 'repeat',
  lua: `return redis.call('EXISTS', 'undeclared')`,
  apply: () => ({ next: undefined, ttl: 'none', reply: 0 }),
}

async function expectRefused(what: string, work: Promise<unknown>): Promise<void> {
  const refused = await work.then(
    (reply) => reply instanceof ReplyError,
    (error: unknown) => error instanceof HitherError && error.code === 'STORE_REJECTED',
  )
  if (!refused) throw new Error(`${what} is not refused: the rule is not in force`)
}

/** A store under the rules of DragonflyDB, over a server without FUNCTION. */
export async function dragonfly(url: string): Promise<AtomicStore> {
  const { transport, traits, scan, subscribe, publish } = tcpStore(url)
  const scripted = createCommandStore({ name: 'tcp', transport, traits, joinScripts, prelude: DECLARED_ONLY })
  await expectRefused('a key that is not declared', scripted.run(UNDECLARED, 'a', []))
  await expectRefused('FUNCTION', transport.send({ args: ['FUNCTION', 'LIST'], effect: 'read' }))
  return {
    ...scripted,
    ...(scan ? { scan } : {}),
    ...(subscribe ? { subscribe } : {}),
    ...(publish ? { publish } : {}),
  }
}

/** A store under the rules of ElastiCache Serverless, over a Cluster without the commands in `ADMIN`. */
export async function elastiCache(urls: string[]): Promise<AtomicStore> {
  const store = tcpStore(urls)
  await expectRefused('CONFIG', store.transport.send({ args: ['CONFIG', 'GET', 'maxmemory'], effect: 'read' }))
  return store
}
