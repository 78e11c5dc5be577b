import { HitherError } from '../../src/errors.ts'
import { NEVER, now } from '../../src/runtime/clock.ts'
import type { Call } from '../../src/store/call.ts'
import { inTransaction, readExec } from '../../src/store/over-redis.ts'
import type { BatchCall, Command, Transport, Wire } from '../../src/store/transport.ts'
import { timedOut } from './errors.ts'
import type { Connection, Entry } from './wiring.ts'

/**
 * Why a command needs care. `never`: it would put a connection out of step, or change it for all who share it. `own`: it refers
 * to what the same connection did before. `waits`: it makes everything behind it wait. `may`: it depends on the arguments (BLOCK
 * waits, CLIENT REPLY is `never`).
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

/** The replies of a transaction, or why it was refused. */
export type Executed = ReturnType<typeof readExec>

export interface Calls extends Pick<Transport, 'send' | 'sendMany' | 'transaction'> {
  /** As `send`, without a promise. Never throws. */
  one(command: Command, call: Call | undefined, onReply: (reply: Wire) => void, onError: (error: unknown) => void): void
  /** As `transaction`, with a refusal as a value. `before`: commands to send just before it, on the same connection. */
  exec(commands: readonly Command[], call?: Call, before?: readonly Command[]): Promise<Executed>
}

/** Throws where a command may not be sent on a connection that others share. */
export function checkShared(command: Command, together: boolean): void {
  check(command, true, together)
}

function check({ args }: Command, shared: boolean, together: boolean): void {
  const kind = kindOf(args)
  if (!kind) return
  const say = (what: string): HitherError => new HitherError('UNSUPPORTED', `${args[0]} ${what}`)
  if (kind === 'never') throw say('is not for send: use subscribe, transaction, or the url')
  if (shared && kind === 'own') throw say('needs a connection of its own: use exclusive')
  if (shared && kind === 'waits' && together) throw say('waits, and everything behind it: send it alone')
}

/** Why a command needs care; undefined for nearly all commands. */
export function kindOf(args: Command['args']): Kind | undefined {
  const kind = kinds.get(args[0])
  if (kind !== 'may') return kind
  if (args[0] === 'CLIENT') return /^REPLY$/i.test(String(args[1])) ? 'never' : undefined
  const streams = args.findIndex((arg) => /^STREAMS$/i.test(String(arg)))
  return args.slice(1, streams).some((arg) => /^BLOCK$/i.test(String(arg))) ? 'waits' : undefined
}

/** Makes calls on the connection that `pick` returns. `pick` throws if there is none. */
export function createCalls(pick: (at: number) => Connection, shared: boolean): Calls {
  /** Adds the commands of a call to the connection. If it throws, nothing was added. */
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
    if (!(deadline > at)) throw timedOut(false)
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
    }
    pick(at).add(entry, signal)
  }
  const add = <T>(commands: readonly Command[], call: BatchCall | undefined, replies: Wire[] | undefined): Promise<T> =>
    new Promise((resolve, reject) => {
      enter<T>(commands, call, replies, resolve, reject)
    })
  const exec: Calls['exec'] = async (commands, call, before = []) => {
    // Inside a transaction no command waits.
    for (const command of commands) check(command, shared, false)
    const framed = inTransaction(commands)
    const replies = await add<Wire[]>([...before, ...framed], call, [])
    return readExec(framed, replies.slice(before.length))
  }
  return {
    exec,
    send(command, call) {
      try {
        check(command, shared, false)
      } catch (error) {
        return Promise.reject(error)
      }
      return add<Wire>([command], call, undefined)
    },
    one(command, call, onReply, onError) {
      try {
        enter<Wire>([command], call, undefined, onReply, onError)
      } catch (error) {
        onError(error)
      }
    },
    async sendMany(commands, call) {
      for (const command of commands) check(command, shared, true)
      return commands.length === 0 ? [] : add<Wire[]>(commands, call, [])
    },
    async transaction(commands, call) {
      return ran(await exec(commands, call))
    },
  }
}

/** The replies of a transaction. Throws `STORE_REJECTED` for one that was refused. */
export function ran(result: Executed): readonly Wire[] {
  if ('error' in result) throw result.error
  return result
}
