import type { Arg, Operation, Reply } from '../../src/protocol/operation.ts'
import type { World } from './world.ts'

/** One command, as a node sends it. */
export type Command =
  | { readonly kind: 'get'; readonly key: string }
  | { readonly kind: 'set'; readonly key: string; readonly value: string; readonly ttlMs: number | undefined }
  /** `late`: it is the retry of a failed delete. */
  | { readonly kind: 'delete'; readonly keys: readonly string[]; readonly late?: Late | undefined }
  | { readonly kind: 'publish'; readonly channel: string; readonly message: string }
  | {
      readonly kind: 'run'
      readonly key: string
      readonly operation: Operation<readonly Arg[], Reply>
      readonly args: readonly Arg[]
      readonly late?: Late | undefined
    }

/** When the retry of a failed delete was sent, in history. */
export interface Late {
  readonly sentAt: number
}

/** The effect of a command on one key. */
export interface Effect {
  readonly key: string
  /** The name of an operation, or the kind of a command; `evict` for an eviction by the server. */
  readonly name: string
  readonly args: readonly Arg[]
  readonly before: string | undefined
  readonly after: string | undefined
  readonly reply: Reply
  /** The node that sent it; `''`: the server itself. */
  readonly from: string
  /** Set for the retry of a failed delete. */
  readonly late?: Late | undefined
}

/** A single-threaded store on the world's clock, which puts all effects into one order. */
export interface Server {
  execute(command: Command, from: string): unknown
  /** Returns the stored text of a key, unless its lifetime is over. */
  peek(key: string): string | undefined
  /** Returns the rest of the lifetime in milliseconds; `Infinity` without an end, 0 when absent. */
  leftMs(key: string): number
  keys(): string[]
  /** Evicts a key, as under memory pressure. */
  evict(key: string): void
}

export function createServer(
  world: World,
  onEffect: (effect: Effect) => void,
  onPublish: (channel: string, message: string, from: string) => number,
): Server {
  const slots = new Map<string, { readonly text: string; readonly endsMs: number }>()
  const find = (key: string) => {
    const slot = slots.get(key)
    if (slot && slot.endsMs <= world.time) {
      slots.delete(key)
      return undefined
    }
    return slot
  }
  const put = (key: string, text: string | undefined, endsMs: number): void => {
    if (text === undefined) slots.delete(key)
    else slots.set(key, { text, endsMs })
  }
  const server: Server = {
    execute(command, from) {
      const note = (key: string, name: string, before: string | undefined, reply: Reply, args: readonly Arg[] = []) => {
        const late = 'late' in command ? command.late : undefined
        onEffect({ key, name, args, before, after: find(key)?.text, reply, from, late })
        return reply
      }
      switch (command.kind) {
        case 'get':
          return find(command.key)?.text
        case 'set': {
          const before = find(command.key)?.text
          put(command.key, command.value, command.ttlMs ? world.time + command.ttlMs : Number.POSITIVE_INFINITY)
          note(command.key, 'set', before, null)
          return undefined
        }
        case 'delete': {
          let count = 0
          for (const key of command.keys) {
            const before = find(key)?.text
            if (slots.delete(key)) count++
            note(key, 'delete', before, null)
          }
          return count
        }
        case 'publish':
          return onPublish(command.channel, command.message, from)
        default: {
          const { key, operation, args } = command
          const slot = find(key)
          const leftMs = slot && slot.endsMs < Number.POSITIVE_INFINITY ? slot.endsMs - world.time : undefined
          const at = { nowUs: Math.round(world.time * 1000), leftMs }
          const { next, ttl, reply } = operation.apply(slot?.text, args, at)
          const kept = slot?.endsMs ?? Number.POSITIVE_INFINITY
          const endsMs = ttl === 'keep' ? kept : ttl === 'none' ? Number.POSITIVE_INFINITY : world.time + ttl.ms
          put(key, next, endsMs)
          return note(key, operation.name, slot?.text, reply, args)
        }
      }
    },
    peek: (key) => find(key)?.text,
    leftMs(key) {
      const slot = find(key)
      return slot ? slot.endsMs - world.time : 0
    },
    keys: () => [...slots.keys()].filter((key) => find(key)),
    evict(key) {
      const before = find(key)?.text
      if (slots.delete(key)) onEffect({ key, name: 'evict', args: [], before, after: undefined, reply: null, from: '' })
    },
  }
  return server
}
