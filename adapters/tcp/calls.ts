import { HitherError } from '../../src/errors.ts'
import { NEVER, now } from '../../src/runtime/clock.ts'
import { inTransaction, readExec } from '../../src/store/over-redis.ts'
import type { BatchCall, Command, SendEach, Transport, Wire } from '../../src/store/transport.ts'
import { type Connection, type Entry, late } from './connection.ts'

/**
 * What is particular of a command: `never` would put a connection out of step, or change it for all who share it;
 * `own` concerns what the same connection did before; `waits` makes everything behind it wait, `may` if it says BLOCK.
 */
type Kind = 'never' | 'own' | 'waits' | 'may'
const words: readonly (readonly [Kind, string])[] = [
  ['never', 'SUBSCRIBE PSUBSCRIBE SSUBSCRIBE UNSUBSCRIBE PUNSUBSCRIBE SUNSUBSCRIBE MONITOR SYNC PSYNC'],
  ['never', 'HELLO AUTH SELECT RESET QUIT MULTI EXEC DISCARD'],
  ['own', 'WATCH UNWATCH WAIT WAITAOF'],
  ['waits', 'BLPOP BRPOP BLMOVE BRPOPLPUSH BLMPOP BZMPOP BZPOPMIN BZPOPMAX'],
  ['may', 'XREAD XREADGROUP CLIENT'],
]
const kinds = new Map<unknown, Kind>(words.flatMap(([kind, names]) => names.split(' ').map((name) => [name, kind])))

export interface Calls extends Pick<Transport, 'send' | 'sendMany' | 'transaction'> {
  readonly sendEach: SendEach
}

/** What is particular of a command; undefined for nearly all. */
export function kindOf(args: Command['args']): Kind | undefined {
  const kind = kinds.get(args[0])
  if (kind !== 'may') return kind
  if (args[0] === 'CLIENT') return /^REPLY$/i.test(String(args[1])) ? 'never' : undefined
  const streams = args.findIndex((arg) => /^STREAMS$/i.test(String(arg)))
  return args.slice(1, streams).some((arg) => /^BLOCK$/i.test(String(arg))) ? 'waits' : undefined
}

/** Calls on the connection that `pick` answers; it throws where there is none. */
export function createCalls(pick: (at: number) => Connection, shared: boolean): Calls {
  /** Throws where the connection may not be told a command. */
  const check = ({ args }: Command, together: boolean): void => {
    const kind = kindOf(args)
    if (!kind) return
    const say = (what: string): HitherError => new HitherError('UNSUPPORTED', `${args[0]} ${what}`)
    if (kind === 'never') throw say('is not for send: use subscribe, transaction, or the url')
    if (shared && kind === 'own') throw say('needs a connection of its own: use exclusive')
    if (shared && kind === 'waits' && together) throw say('waits, and everything behind it: send it alone')
  }
  /** Throws where nothing was entered. */
  const enter = <T>(
    commands: readonly Command[],
    call: BatchCall | undefined,
    replies: Wire[] | undefined,
    resolve: (reply: T) => void,
    reject: (error: unknown) => void,
  ): void => {
    const { signal, deadline = NEVER } = call ?? {}
    if (signal?.aborted) throw signal.reason
    const at = now()
    if (!(deadline > at)) throw late(false)
    const bytes = call?.bytes === true
    const entry: Entry = {
      commands,
      bytes,
      deadline,
      resolve: resolve as Entry['resolve'],
      reject,
      replies,
      left: commands.length,
      held: 0,
      onReply: call?.onReply,
      sent: false,
      over: false,
      moved: false,
    }
    pick(at).add(entry, signal)
  }
  const add = <T>(commands: readonly Command[], call: BatchCall | undefined, replies: Wire[] | undefined): Promise<T> =>
    new Promise((resolve, reject) => {
      enter<T>(commands, call, replies, resolve, reject)
    })
  return {
    send(command, call) {
      try {
        check(command, false)
      } catch (error) {
        return Promise.reject(error)
      }
      return add<Wire>([command], call, undefined)
    },
    async sendMany(commands, call) {
      for (const command of commands) check(command, true)
      return commands.length === 0 ? [] : add<Wire[]>(commands, call, [])
    },
    sendEach(commands, call, onReply, onError) {
      commands.forEach((command, at) => {
        try {
          enter<Wire>(
            [command],
            call,
            undefined,
            (reply) => onReply(at, reply),
            (error) => onError(at, error),
          )
        } catch (error) {
          onError(at, error)
        }
      })
    },
    async transaction(commands, call) {
      // Within a transaction nothing waits.
      for (const command of commands) check(command, false)
      const framed = inTransaction(commands)
      const result = readExec(framed, await add<Wire[]>(framed, call, []))
      if ('error' in result) throw result.error
      return result
    },
  }
}
