import { HitherError } from '../errors.ts'
import { publish as publishOver } from '../store/over-redis.ts'
import type { AtomicStore, Call, CommandStore } from '../store/store.ts'
import { type Listen, listenToEvents } from './events.ts'

/** How messages are published and received. */
export interface Way {
  publish(channel: string, message: string, call?: Call): Promise<number>
  readonly listen: Listen
}

/**
 * The way of a store. A store listens by its own `subscribe` or its transport's server-sent events, and publishes by its own
 * `publish` or a command. One that is not shared and has no `subscribe` delivers within this process. Throws `UNSUPPORTED` if it
 * lacks a way for one of the two.
 */
export function wayOf(store: AtomicStore): Way {
  if (typeof store?.run !== 'function') throw unsupported()
  const { publish, subscribe, transport } = store
  if (!store.traits.shared && !subscribe) return inProcess(store)
  const { events } = transport ?? {}
  const listen: Listen | undefined = subscribe
    ? (channel, onMessage, onGap) => subscribe.call(store, channel, onMessage, onGap)
    : events && listenToEvents((channel, signal) => events.call(transport, channel, signal))
  if (!listen) throw unsupported()
  if (publish) return { publish: (channel, message, call) => publish.call(store, channel, message, call), listen }
  const { command } = store as Partial<CommandStore>
  if (!command) throw unsupported()
  return {
    listen,
    publish: (channel, message, call) =>
      publishOver(({ args, effect }, call) => command([], args, effect, call), channel, message, call),
  }
}

function unsupported(): HitherError {
  return new HitherError('UNSUPPORTED', 'channels need a store that publishes and subscribes, or one in memory')
}

type Listener = (message: string) => void
const local = new WeakMap<AtomicStore, Map<string, Set<Listener>>>()

/** Delivers messages within this process, for a store that no other process shares. */
function inProcess(store: AtomicStore): Way {
  let channels = local.get(store)
  if (!channels) {
    channels = new Map()
    local.set(store, channels)
  }
  const all = channels
  return {
    async publish(channel, message, call) {
      // Rejects if the store was closed.
      await store.ready(call)
      const listeners = [...(all.get(channel) ?? [])]
      for (const listener of listeners) listener(message)
      return listeners.length
    },
    async listen(channel, onMessage) {
      await store.ready()
      const listener: Listener = (message) => onMessage(message)
      const listeners = all.get(channel) ?? new Set()
      all.set(channel, listeners.add(listener))
      return async () => {
        listeners.delete(listener)
        if (listeners.size === 0 && all.get(channel) === listeners) all.delete(channel)
      }
    },
  }
}
