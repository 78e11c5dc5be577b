import type { Arg, Operation, Reply } from '../../src/protocol/operation.ts'
import type { AtomicStore, Call } from '../../src/store/store.ts'
import type { Chance } from './chance.ts'
import type { Command, Late, Server } from './server.ts'
import type { Machine, World } from './world.ts'

type HitherErrorClass = typeof import('../../src/errors.ts').HitherError

/** How a node reaches the server. Its faults can be changed while the simulation runs. */
export interface Link {
  /** Mean delay of one way, in milliseconds, exponentially distributed. */
  delayMs: number
  /** Probability that a request, or a reply, is lost. */
  loss: number
  /** Probability of a message that takes seconds. */
  stall: number
  /** Probability that a step that may run again does, at some later moment. */
  ghost: number
  /** `lost`: messages vanish. `refused`: they fail at once. */
  cut: 'no' | 'lost' | 'refused'
  /** One connection, which keeps the order; else each request travels alone. */
  readonly inOrder: boolean
}

/** The subscribers. Messages reach them at most once, late, and out of order. */
export interface Bus {
  readonly subscribers: Set<Subscriber>
  publish(channel: string, message: string): number
}

export interface Subscriber {
  readonly channel: string
  readonly machine: Machine
  readonly link: Link
  readonly onMessage: (message: string) => void
  readonly onGap: () => void
}

export function createBus(world: World, chance: Chance): Bus {
  const subscribers = new Set<Subscriber>()
  return {
    subscribers,
    publish(channel, message) {
      let count = 0
      for (const each of subscribers) {
        if (each.channel !== channel || each.machine.dead) continue
        count++
        if (each.link.cut !== 'no' || chance.hit(each.link.loss)) continue
        world.after(0.05 + chance.about(each.link.delayMs), () => each.onMessage(message), each.machine)
      }
      return count
    },
  }
}

export interface Watch {
  /** A call of the store was sent. */
  sent(what: string): void
  /** A change of these keys is sent (1), or its call ends (-1). */
  changing(keys: readonly string[], by: 1 | -1, text: string): void
  /** For a delete that no call of the cache made: the retry of a failed one; undefined: a call made it. */
  late(keys: readonly string[]): Late | undefined
  /** The log of changes was read; the argument is when the request was sent. */
  pulled(sentMs: number): void
  /** A plain value was sent, and its arrival is unknown. */
  lost(value: string): void
  /** The store failed one call of this node. */
  failed(): void
  /** A message is lost or late: a caller with less time than the call that sent it gives up before the call fails. */
  silent(): void
}

interface Waiting {
  readonly command: Command
  readonly effect: 'read' | 'repeat' | 'once'
  readonly settle: (reply: { readonly value: unknown } | { readonly fault: 'lost' | 'refused' }) => void
}

/**
 * A node's store: commands of one run of microtasks leave as one request and act in order; requests and replies are
 * delayed, overtake one another and get lost. Sends again what may be sent again, as the transports do.
 */
export function connect(
  world: World,
  chance: Chance,
  machine: Machine,
  server: Server,
  bus: Bus,
  link: Link,
  HitherError: HitherErrorClass,
  watch: Watch,
): AtomicStore {
  let queue: Waiting[] = []
  let lastArrival = 0
  let lastReply = 0

  const travel = (last: number): number => {
    const usualMs = 0.05 + chance.about(link.delayMs)
    const stallMs = chance.hit(link.stall) ? chance.between(100, 3000) : 0
    if (stallMs > 0) watch.silent()
    const ms = usualMs + stallMs
    // A connection keeps the order.
    return link.inOrder ? Math.max(world.time + ms, last + 0.001) : world.time + ms
  }
  const isLost = (): boolean => {
    const lost = link.cut !== 'no' || chance.hit(link.loss)
    if (lost) watch.silent()
    return lost
  }

  const send = (batch: readonly Waiting[], again: boolean): void => {
    if (machine.dead) return
    if (link.cut === 'refused') {
      const refuse = (): void => {
        for (const { settle } of batch) settle({ fault: 'refused' })
      }
      world.after(0.1, refuse, machine)
      return
    }
    /** The connection breaks: commands that may be sent again are sent again. */
    const breaks = (): void => {
      if (chance.hit(0.5)) return
      world.after(
        chance.between(1, 40),
        () => {
          const resent = again ? [] : batch.filter(({ effect }) => effect !== 'once')
          for (const item of batch) if (!resent.includes(item)) item.settle({ fault: 'lost' })
          if (resent.length > 0) send(resent, true)
        },
        machine,
      )
    }
    if (isLost()) {
      breaks()
      return
    }
    lastArrival = travel(lastArrival)
    world.after(lastArrival - world.time, () => {
      const replies = batch.map(({ command }) => server.execute(command, machine.name))
      for (const { command, effect } of batch) {
        if (effect === 'repeat' && command.kind === 'run' && chance.hit(link.ghost))
          world.after(chance.about(500), () => server.execute(command, machine.name))
      }
      if (isLost()) {
        breaks()
        return
      }
      lastReply = travel(lastReply)
      const answer = (): void => {
        for (const [i, { settle }] of batch.entries()) settle({ value: replies[i] })
      }
      world.after(lastReply - world.time, answer, machine)
    })
  }

  const ask = <T>(what: string, command: Command, effect: Waiting['effect'], call: Call | undefined): Promise<T> =>
    new Promise((resolve, reject) => {
      const { signal, deadline } = call ?? {}
      const fail = (error: unknown): void => {
        watch.failed()
        if (command.kind === 'set') watch.lost(command.value)
        reject(error)
      }
      if (signal?.aborted) return reject(signal.reason)
      watch.sent(what)
      const sentMs = world.time
      const changes =
        effect === 'read' || command.kind === 'publish' ? [] : 'keys' in command ? command.keys : [command.key]
      const text = command.kind === 'set' ? command.value : command.kind === 'run' ? String(command.args.at(-1)) : ''
      watch.changing(changes, 1, text)
      let over = false
      const end = (): void => {
        over = true
        watch.changing(changes, -1, text)
        signal?.removeEventListener('abort', aborted)
      }
      const aborted = (): void => {
        end()
        if (command.kind === 'set') watch.lost(command.value)
        reject(signal?.reason)
      }
      signal?.addEventListener('abort', aborted)
      const maybeExecuted = effect !== 'read'
      if (deadline !== undefined) {
        const timedOut = (): void => {
          if (over) return
          end()
          fail(new HitherError('TIMEOUT', 'no reply in time', { retryable: true, maybeExecuted }))
        }
        world.after(deadline - machine.now(), timedOut, machine)
      }
      if (queue.length === 0) {
        queueMicrotask(() => {
          const batch = queue
          queue = []
          send(batch, false)
        })
      }
      queue.push({
        command,
        effect,
        settle(reply) {
          if (over) return
          end()
          if ('value' in reply) {
            if (command.kind === 'run' && command.operation.name === 'feed.pull') watch.pulled(sentMs)
            resolve(reply.value as T)
          } else {
            const maybe = maybeExecuted && reply.fault === 'lost'
            fail(
              new HitherError('STORE_UNAVAILABLE', 'the connection broke', { retryable: true, maybeExecuted: maybe }),
            )
          }
        },
      })
    })

  return {
    name: 'simulated',
    traits: {
      shared: true,
      ttlStepMs: 1,
      maxKeyBytes: 1024,
      maxValueBytes: 8_388_608,
      clock: 'server',
      consistency: 'strong',
    },
    get: (key, call) => ask(`get ${key}`, { kind: 'get', key }, 'read', call),
    getMany: (keys, call) =>
      Promise.all(keys.map((key) => ask<string>(`get ${key}`, { kind: 'get', key }, 'read', call))),
    set: (key, value, ttlMs, call) => ask(`set ${key}`, { kind: 'set', key, value, ttlMs }, 'once', call),
    delete: (keys, call) => ask(`delete ${keys}`, { kind: 'delete', keys, late: watch.late(keys) }, 'repeat', call),
    run: <A extends readonly Arg[], R extends Reply>(
      operation: Operation<A, R>,
      key: string,
      args: A,
      call?: Call,
    ): Promise<R> => {
      const late = args[0] === 'bury' ? watch.late([key]) : undefined
      const command = { kind: 'run' as const, key, operation: operation as never, args, late }
      return ask(`${args[0]} ${key}`, command, operation.effect, call)
    },
    publish: (channel, message, call) => ask('publish', { kind: 'publish', channel, message }, 'once', call),
    async subscribe(channel, onMessage, onGap = () => {}) {
      await ask('subscribe', { kind: 'get', key: channel }, 'read', { deadline: machine.now() + 1000 })
      const subscriber: Subscriber = { channel, machine, link, onMessage, onGap }
      bus.subscribers.add(subscriber)
      return async () => void bus.subscribers.delete(subscriber)
    },
    async ready() {},
    async close() {},
  }
}
