import { HitherError, StoreRejectedError } from '../../src/errors.ts'
import { NEVER, now } from '../../src/runtime/clock.ts'
import type { Call } from '../../src/store/store.ts'
import { type Command, ReplyError, type Transport, type Wire } from '../../src/store/transport.ts'
import { type Connection, type Entry, late } from './connection.ts'

/** Commands that would put a connection out of step, or change it for all who share it. */
const NEVER_SENT = new Set(
  'SUBSCRIBE PSUBSCRIBE SSUBSCRIBE UNSUBSCRIBE PUNSUBSCRIBE SUNSUBSCRIBE MONITOR SYNC PSYNC HELLO AUTH SELECT RESET QUIT MULTI EXEC DISCARD'.split(
    ' ',
  ),
)
/** Commands that concern what the same connection did before. */
const EXCLUSIVE = new Set('WATCH UNWATCH WAIT WAITAOF'.split(' '))
const WAITING = new Set('BLPOP BRPOP BLMOVE BRPOPLPUSH BLMPOP BZMPOP BZPOPMIN BZPOPMAX'.split(' '))

const MULTI: Command = { args: ['MULTI'], effect: 'read' }
const EXEC: Command = { args: ['EXEC'], effect: 'once' }

export type Calls = Pick<Transport, 'send' | 'sendMany' | 'transaction'>

/** Whether a command makes the server wait, and so everything behind it on its connection. */
export function waits(args: Command['args']): boolean {
  const name = args[0] as string
  if (name !== 'XREAD' && name !== 'XREADGROUP') return WAITING.has(name)
  const streams = args.findIndex((arg) => /^STREAMS$/i.test(String(arg)))
  return args.slice(1, streams).some((arg) => /^BLOCK$/i.test(String(arg)))
}

/** Calls on the connection that `pick` answers; it throws where there is none. */
export function createCalls(pick: (at: number) => Connection, shared: boolean): Calls {
  const check = ({ args }: Command): void => {
    const name = args[0] as string
    if (NEVER_SENT.has(name) || (name === 'CLIENT' && /^REPLY$/i.test(String(args[1])))) {
      throw new HitherError('UNSUPPORTED', `${name} is not for send: use subscribe, transaction, or the url`)
    }
    if (shared && EXCLUSIVE.has(name)) {
      throw new HitherError('UNSUPPORTED', `${name} needs a connection of its own: use exclusive`)
    }
  }
  const add = <T>(commands: readonly Command[], call: Call | undefined, replies: Wire[] | undefined): Promise<T> =>
    new Promise((resolve, reject) => {
      const { signal, deadline = NEVER } = call ?? {}
      if (signal?.aborted) throw signal.reason
      const at = now()
      if (!(deadline > at)) throw late(false)
      const bytes = call?.bytes === true
      const entry: Entry = {
        commands,
        bytes,
        deadline,
        resolve,
        reject,
        replies,
        sent: false,
        over: false,
        moved: false,
      }
      pick(at).add(entry, signal)
    })
  const several = async (commands: readonly Command[], call?: Call): Promise<readonly Wire[]> => {
    for (const command of commands) {
      check(command)
      if (shared && waits(command.args)) {
        throw new HitherError('UNSUPPORTED', `${command.args[0]} waits, and everything behind it: send it alone`)
      }
    }
    return commands.length === 0 ? [] : add<Wire[]>(commands, call, [])
  }
  return {
    send(command, call) {
      try {
        check(command)
      } catch (error) {
        return Promise.reject(error)
      }
      return add<Wire>([command], call, undefined)
    },
    sendMany: several,
    async transaction(commands, call) {
      for (const command of commands) check(command)
      const framed = [MULTI, ...commands, EXEC]
      const replies = await add<Wire[]>(framed, call, [])
      const result = replies.at(-1)
      if (Array.isArray(result)) return result
      const at = replies.findIndex((reply) => reply instanceof ReplyError)
      const cause = replies[at]
      if (!(cause instanceof ReplyError)) throw new StoreRejectedError('EXEC', 'null')
      // MULTI itself refused: what followed ran one by one.
      throw new StoreRejectedError(String(framed[at]?.args[0]), cause.word, { maybeExecuted: at === 0 })
    },
  }
}
