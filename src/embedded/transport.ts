import { HitherError, StoreRejectedError } from '../errors.ts'
import { checkSignal } from '../protocol/arguments.ts'
import { onAbort } from '../runtime/abort.ts'
import { NEVER, now, setDeadline } from '../runtime/clock.ts'
import type { Call } from '../store/call.ts'
import { type Command, type Exclusive, ReplyError, type Transport, type Wire } from '../store/transport.ts'
import { fromBytes, fromText } from './bytes.ts'
import type { Client, Engine } from './contracts.ts'
import { type Push, type Reply, toWire } from './reply.ts'

/** The words of a command as strings with one unit a byte. */
const words = (args: Command['args']): string[] =>
  args.map((arg) => (typeof arg === 'string' ? fromText(arg) : typeof arg === 'number' ? `${arg}` : fromBytes(arg)))

/** A client whose replies settle promises, in the order of its commands. */
interface Caller {
  readonly client: Client
  send(args: readonly string[], call: Call | undefined): Promise<Reply>
}

/** `waits` has, for each call without a reply yet, a function that ends it. */
function createCaller(engine: Engine, waits: Set<(reason: unknown) => void>): Caller {
  const waiting: ((reply: Reply) => void)[] = []
  const client = engine.connect({
    reply: (reply) => waiting.shift()?.(reply),
    push() {},
  })
  // Code that holds the engine itself needs no password.
  client.user = engine.users.get('default')
  return {
    client,
    send(args, call) {
      return new Promise((settle, reject) => {
        let isDone = false
        let forget: (() => void) | undefined
        let cancel: (() => void) | undefined
        /** Whether this is the first outcome. */
        const finish = (): boolean => {
          if (isDone) return false
          isDone = true
          waits.delete(end)
          forget?.()
          cancel?.()
          return true
        }
        const end = (reason: unknown): void => {
          if (finish()) reject(reason)
        }
        waiting.push((reply) => {
          if (finish()) settle(reply)
        })
        client.submit(args)
        if (isDone) return
        waits.add(end)
        const late = (): void => end(timedOut())
        const { signal, deadline } = call ?? {}
        if (signal) {
          forget = onAbort(signal, () => end(signal.reason))
        }
        if (deadline !== undefined) cancel = setDeadline(late, deadline - now())
      })
    },
  }
}

const timedOut = (): HitherError =>
  new HitherError('TIMEOUT', 'the command did not end before its deadline', { retryable: true, maybeExecuted: true })

const storeClosed = (maybeExecuted = false): HitherError =>
  new HitherError('CLOSED', 'the store is closed', { maybeExecuted })

const check = (call: Call | undefined): void => {
  checkSignal(call?.signal)
  if (call && !((call.deadline ?? NEVER) > now())) {
    throw new HitherError('TIMEOUT', 'the deadline had passed before the call', { retryable: true })
  }
}

/** The engine as a server that is called without a network. A command runs when it is sent. */
export function createTransport(engine: Engine): Transport & { close(): Promise<void> } {
  const waits = new Set<(reason: unknown) => void>()
  const shared = createCaller(engine, waits)
  let closed = false
  const enter = (call: Call | undefined): void => {
    if (closed) throw storeClosed()
    check(call)
  }
  /** Whether a command needs a separate client, because it may wait or changes the state of its connection. */
  const needsOwn = (args: readonly string[]): boolean => {
    const command = engine.table.get((args[0] as string).toLowerCase())
    return !!command && (command.flags.has('blocking') || command.group === 'connection' || command.group === 'pubsub')
  }
  const sendRaw = async (command: Command, call: Call | undefined): Promise<Reply> => {
    const args = words(command.args)
    if (!needsOwn(args)) return shared.send(args, call)
    const own = createCaller(engine, waits)
    try {
      return await own.send(args, call)
    } finally {
      engine.disconnect(own.client)
    }
  }
  const send = async (command: Command, call?: Call): Promise<Wire> => {
    enter(call)
    return toWire(await sendRaw(command, call), call?.bytes === true)
  }
  const transactionOn = async (caller: Caller, commands: readonly Command[], call?: Call): Promise<readonly Wire[]> => {
    enter(call)
    const framed = [['MULTI'], ...commands.map(({ args }) => words(args)), ['EXEC']]
    const replies = await Promise.all(framed.map((args) => caller.send(args, call)))
    const last = toWire(replies.at(-1) as Reply, call?.bytes === true)
    if (Array.isArray(last)) return last
    const at = replies.findIndex((reply, i) => i > 0 && i < framed.length - 1 && reply instanceof ReplyError)
    const refused = at < 0 ? last : (replies[at] as ReplyError)
    throw new StoreRejectedError(
      String(framed[at < 0 ? framed.length - 1 : at]?.[0]),
      refused instanceof ReplyError ? refused : 'null',
    )
  }
  const own = <T>(work: (caller: Caller) => Promise<T>): Promise<T> => {
    const caller = createCaller(engine, waits)
    return work(caller).finally(() => engine.disconnect(caller.client))
  }
  return {
    send,
    async sendMany(commands, call) {
      enter(call)
      const replies = commands.map((command) => sendRaw(command, call))
      return Promise.all(
        replies.map(async (reply, at) => {
          const wire = toWire(await reply, call?.bytes === true)
          return call?.onReply ? call.onReply(wire, at) : wire
        }),
      )
    },
    transaction: (commands, call) => own((caller) => transactionOn(caller, commands, call)),
    async subscribe(channel, onMessage) {
      enter(undefined)
      const name = fromText(channel)
      const client = engine.connect({
        reply() {},
        push: ({ items }: Push) => {
          if (items[0] === 'message') onMessage(toWire(items[2] as Reply, false) as string)
        },
      })
      client.resp = 3
      client.user = engine.users.get('default')
      client.submit(['SUBSCRIBE', name])
      return async () => engine.disconnect(client)
    },
    async listen(command, onReply) {
      enter(undefined)
      const hand = (reply: Reply): void => onReply(toWire(reply, false))
      const client = engine.connect({ reply: hand, push: hand })
      client.resp = 3
      client.user = engine.users.get('default')
      // The engine replies before this call returns. Waits a tick, so that the caller can take the reply.
      await undefined
      client.submit(words(command.args))
      return {
        tell: (more) => client.submit(words(more.args)),
        end: () => engine.disconnect(client),
      }
    },
    async exclusive(call): Promise<Exclusive> {
      enter(call)
      const caller = createCaller(engine, waits)
      return {
        async send(command, callOf) {
          enter(callOf)
          return toWire(await caller.send(words(command.args), callOf), callOf?.bytes === true)
        },
        transaction: (commands, callOf) => transactionOn(caller, commands, callOf),
        release: () => engine.disconnect(caller.client),
      }
    },
    async close() {
      closed = true
      engine.disconnect(shared.client)
      // A blocking command would otherwise keep its caller waiting.
      for (const end of waits) end(storeClosed(true))
    },
  }
}
