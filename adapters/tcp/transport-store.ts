import { checkNames } from '../../src/protocol/arguments.ts'
import { checkLimits } from '../../src/store/checks.ts'
import { createCommandStore } from '../../src/store/command-store.ts'
import { publish } from '../../src/store/over-redis.ts'
import { withWatch } from '../../src/store/redis-watch.ts'
import { createScriptGuard } from '../../src/store/script-guard.ts'
import type { CommandStore, StoreEvent } from '../../src/store/store.ts'
import type { Transport } from '../../src/store/transport.ts'

export interface TransportStoreOptions {
  /** Longest key, in bytes of UTF-8. @default 1024 */
  readonly maxKeyBytes?: number
  /** Largest value, in bytes of UTF-8. @default 8388608 */
  readonly maxValueBytes?: number
  /** Deadline of a call that names none, in milliseconds. @default 5000 */
  readonly timeoutMs?: number
  readonly onEvent?: (event: StoreEvent) => void
}

/**
 * A store over your own transport to a server that speaks Redis commands. The calls of one tick are one `sendMany`. If the
 * server refuses scripts, operations reject with `UNSUPPORTED`, unless the transport has `exclusive`: they then run under WATCH,
 * with the operation's own `apply`. `close()` closes the transport. Throws `INVALID_ARGUMENT`.
 */
export function transportStore(transport: Transport, options: TransportStoreOptions = {}): CommandStore {
  checkNames('transportStore', options, ['maxKeyBytes', 'maxValueBytes', 'timeoutMs', 'onEvent'])
  checkLimits(options)
  const { maxKeyBytes = 1024, maxValueBytes = 8 * 1024 * 1024, timeoutMs, onEvent } = options
  const { exclusive, subscribe } = transport
  const guard = createScriptGuard(transport.send, exclusive)
  const store = createCommandStore({
    name: 'transport',
    traits: { shared: true, ttlStepMs: 1, maxKeyBytes, maxValueBytes, clock: 'server', consistency: 'strong' },
    transport,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    guard,
    onEvent,
  })
  return {
    ...withWatch(store, { acquire: exclusive, timeoutMs, guard, onEvent }),
    ...(subscribe ? { subscribe } : {}),
    publish: (channel, message, call) => publish(transport.send, channel, message, call),
  }
}
