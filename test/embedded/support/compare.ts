import type { Engine } from '../../../src/embedded/index.ts'
import { seen } from './allowed.ts'
import type { Grammar } from './grammar.ts'
import { createChance, makeCommand } from './history.ts'
import { overEngine, overSocket, type Server } from './servers.ts'
import type { Typed } from './typed.ts'

export interface Difference {
  readonly seed: number
  readonly args: readonly string[]
  readonly engine: Typed
  readonly redis: Typed
  /** The commands on the same keys before it. */
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
/** Of these a reply or a state depends on chance or on the clock alone. */
const LEFT_OUT =
  /^(DUMP|SPOP|RANDOMKEY|OBJECT (FREQ|IDLETIME|REFCOUNT|ENCODING)|PFDEBUG|PFSELFTEST|XINFO.*|ZREMRANGEBYLEX|ZRANGESTORE|.* HELP)$/
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

/** The grammars that random histories are made of. */
export function comparable(grammars: readonly Grammar[], engine: Engine, group = ''): Grammar[] {
  return grammars.filter((grammar) => {
    const { words } = grammar
    if (!GROUPS.has(grammar.group) || (group && grammar.group !== group)) return false
    if (grammar.group === 'generic' && !GENERIC.has(words[0] as string)) return false
    if (LEFT_OUT.test(words.join(' '))) return false
    return engine.table.has((words[0] as string).toLowerCase())
  })
}

/** Runs `total` random commands on both, in histories that begin with nothing. */
export async function compare(
  url: string,
  engine: Engine,
  grammars: readonly Grammar[],
  options: { seed: number; total: number; most?: number },
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
      const history = [['FLUSHALL'], ['HELLO', chance() < 0.5 ? '2' : '3']]
      const pool = round % 4 === 0 ? grammars : family(grammars, chance)
      for (let i = 0; i < HISTORY; i++)
        history.push(makeCommand(chance, pool[Math.floor(chance() * pool.length)] as Grammar))
      const both = await Promise.all([redis, ours].map((server: Server) => server.ask(history)))
      const [theirs, own] = both as [Typed[], Typed[]]
      commands += HISTORY
      for (let i = 2; i < history.length; i++) {
        const args = history[i] as string[]
        const name = args[0]?.toUpperCase() as string
        perCommand.set(name, (perCommand.get(name) ?? 0) + 1)
        if (typeof theirs[i] === 'object' && theirs[i] !== null && 'err' in (theirs[i] as object)) errors++
        if (seen(args, theirs[i] as Typed) === seen(args, own[i] as Typed)) continue
        const keys = new Set(args.filter((arg) => /^[a-z]:\d$/.test(arg)))
        const before = history.slice(2, i).filter((one) => one.some((arg) => keys.has(arg)))
        differences.push({
          seed: seed + round,
          args,
          engine: own[i] as Typed,
          redis: theirs[i] as Typed,
          before: before.slice(-12),
        })
        // What follows may differ because of it.
        break
      }
    }
  } finally {
    redis.close()
    ours.close()
  }
  return { commands, errors, perCommand, differences }
}

/** The commands of one group, and those that fit every key. */
function family(grammars: readonly Grammar[], chance: () => number): readonly Grammar[] {
  const groups = [...new Set(grammars.map(({ group }) => group))]
  const group = groups[Math.floor(chance() * groups.length)]
  // Few that wait, which cost real time.
  const isRare = ({ words }: Grammar): boolean => /^B[LRZ]/.test(words[0] as string)
  return grammars.filter((one) =>
    one.group === group ? !isRare(one) || chance() < 0.05 : one.group === 'generic' && chance() < 0.3,
  )
}
