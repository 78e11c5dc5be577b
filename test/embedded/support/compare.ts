import type { Engine } from '../../../src/embedded/index.ts'
import { isSame } from './allowed.ts'
import type { Grammar } from './grammar.ts'
import { createChance, makeCommand, ONE_SCORE } from './history.ts'
import { overEngine, overSocket, type Server } from './servers.ts'
import { makeTalk } from './talk.ts'
import type { Typed } from './typed.ts'
import { type Step, wrap } from './wrapped.ts'

export interface Difference {
  readonly seed: number
  readonly args: readonly string[]
  readonly engine: Typed
  readonly redis: Typed
  /** Up to 12 commands of the history before it that use one of its keys. */
  readonly before: readonly (readonly string[])[]
}

export interface Comparison {
  readonly commands: number
  readonly errors: number
  readonly perCommand: ReadonlyMap<string, number>
  readonly differences: readonly Difference[]
}

const HISTORY = 100

const GENERIC = new Set(
  'COPY DEL DUMP EXISTS EXPIRE EXPIREAT EXPIRETIME KEYS OBJECT PERSIST PEXPIRE PEXPIREAT PEXPIRETIME PTTL RANDOMKEY RENAME RENAMENX SCAN SORT SORT_RO TOUCH TTL TYPE UNLINK'.split(
    ' ',
  ),
)
/** Commands whose reply depends only on how a server stores a value, or on the clock. */
const LEFT_OUT = /^(OBJECT (FREQ|IDLETIME|REFCOUNT|ENCODING)|PFDEBUG|PFSELFTEST|.* HELP)$/
const GROUPS = new Set([
  'string',
  'bitmap',
  'hash',
  'list',
  'set',
  'sorted-set',
  'stream',
  'generic',
  'hyperloglog',
  'geo',
])

/** Returns the grammars from which random histories are made. */
export function comparable(grammars: readonly Grammar[], engine: Engine, group = ''): Grammar[] {
  return grammars.filter((grammar) => {
    const { words } = grammar
    if (!GROUPS.has(grammar.group) || (group && grammar.group !== group)) return false
    if (grammar.group === 'generic' && !GENERIC.has(words[0] as string)) return false
    if (LEFT_OUT.test(words.join(' '))) return false
    return engine.table.has((words[0] as string).toLowerCase())
  })
}

/** Runs `total` random commands on both servers, in histories that start with an empty database. */
export async function compare(
  url: string,
  engine: Engine,
  grammars: readonly Grammar[],
  options: { seed: number; total: number; most?: number; talks?: boolean },
): Promise<Comparison> {
  const { seed, total, most = 20 } = options
  const redis = await overSocket(url)
  const ours = overEngine(engine)
  const perCommand = new Map<string, number>()
  const differences: Difference[] = []
  let commands = 0
  let errors = 0
  try {
    for (let round = 0; commands < total && differences.length < most; round++) {
      const chance = createChance(seed + round)
      const pool =
        options.talks && (seed + round) % 8 === 1 ? [] : (seed + round) % 4 === 0 ? grammars : family(grammars, chance)
      const history = makeHistory(chance, pool)
      const sent = history.map(({ args }) => args)
      const both = await Promise.all([redis, ours].map((server: Server) => server.ask(sent)))
      const [theirs, own] = both as [Typed[], Typed[]]
      commands += HISTORY
      const queue: (readonly string[])[] = []
      for (let i = START.length; i < history.length; i++) {
        const { args, as } = history[i] as Step
        const [reply, ownReply] = [theirs[i] as Typed, own[i] as Typed]
        const name = as[0]?.toUpperCase() as string
        perCommand.set(name, (perCommand.get(name) ?? 0) + 1)
        if (typeof reply === 'object' && reply !== null && 'err' in reply) errors++
        const isAlike = name === 'EXEC' ? isSameOfAll(queue, reply, ownReply) : isSame(as, reply, ownReply)
        if (isQueued(reply)) queue.push(as)
        if (isAlike) {
          if (/^(EXEC|DISCARD)$/.test(name)) queue.length = 0
          continue
        }
        const keys = new Set(as.filter((arg) => /^[a-z]:\w+$/.test(arg)))
        const before = sent.slice(START.length, i).filter((one) => one.some((arg) => keys.has(arg)))
        const shown = name === 'EXEC' ? [...args, ...queue.flatMap((one) => [';', ...one])] : args
        differences.push({ seed: seed + round, args: shown, engine: ownReply, redis: reply, before: before.slice(-12) })
        // Later replies may differ because of this difference.
        break
      }
    }
  } finally {
    redis.close()
    ours.close()
  }
  return { commands, errors, perCommand, differences }
}

const START = [
  ['RESET'],
  ['FLUSHALL'],
  ['SCRIPT', 'FLUSH'],
  ['FUNCTION', 'FLUSH'],
  ['RPUSH', 'p:list', 'a'],
  [
    'ZADD',
    ONE_SCORE,
    ...['', 'a', 'aa', 'ab', 'b', 'c', 'd', 'e', 'foo', '\xff\0', 'A', '1'].flatMap((name) => ['0', name]),
  ],
  ['HELLO', '2'],
].map((args): Step => ({ args, as: args }))

/** Makes the commands of a history, which starts with an empty database. */
function makeHistory(chance: () => number, pool: readonly Grammar[]): Step[] {
  const commands: (readonly string[])[] = []
  for (let i = 0; i < HISTORY; i++) {
    const args =
      pool.length === 0 ? makeTalk(chance) : makeCommand(chance, pool[Math.floor(chance() * pool.length)] as Grammar)
    if (args.length === 0) continue
    commands.push(args)
    // SPOP leaves members by chance, so the rest of the set is deleted.
    if (/^spop$/i.test(args[0] as string) && args.length > 1) commands.push(['DEL', args[1] as string])
  }
  const start = chance() < 0.5 ? START : [...START.slice(0, -1), { args: ['HELLO', '3'], as: ['HELLO', '3'] }]
  // Commands that change the connection itself are not wrapped.
  return [...start, ...(pool.length === 0 ? commands.map((args) => ({ args, as: args })) : wrap(chance, commands))]
}

const isQueued = (reply: Typed): boolean =>
  typeof reply === 'object' && reply !== null && 'ok' in reply && reply.ok === 'QUEUED'

/** Whether two replies to EXEC of the same commands are the same. */
function isSameOfAll(queue: readonly (readonly string[])[], a: Typed, b: Typed): boolean {
  if (!Array.isArray(a) || !Array.isArray(b)) return isSame(['EXEC'], a, b)
  return a.length === b.length && queue.every((args, i) => isSame(args, a[i] as Typed, b[i] as Typed))
}

/** Returns the commands of one random group, and some generic ones, which fit every key. */
function family(grammars: readonly Grammar[], chance: () => number): readonly Grammar[] {
  const groups = [...new Set(grammars.map(({ group }) => group))]
  const group = groups[Math.floor(chance() * groups.length)]
  // Commands that wait are rare, since they take real time.
  const isRare = ({ words }: Grammar): boolean => /^B[LRZ]/.test(words[0] as string)
  return grammars.filter((one) =>
    one.group === group ? !isRare(one) || chance() < 0.05 : one.group === 'generic' && chance() < 0.3,
  )
}
