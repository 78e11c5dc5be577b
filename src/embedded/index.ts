import { checkFunction, checkNames, checkWhole } from '../protocol/arguments.ts'
import type { CommandStore } from '../store/store.ts'
import { Engine, type EngineOptions } from './engine.ts'
import type { LuaLoader } from './script-host.ts'
import { storeOver } from './store.ts'

export { type Connection, createConnection, type Socket } from './connection.ts'
export { dumpEngine, type EngineDump, loadEngine } from './dump.ts'
export type { LuaHost, LuaLoader, LuaRuntime, LuaValue } from './script-host.ts'
export { storeOver } from './store.ts'
export { createTransport } from './transport.ts'
export { Engine, type EngineOptions }

export interface EmbeddedStoreOptions {
  /** About how many bytes keys and values may take. @default 67108864 */
  readonly maxBytes?: number
  /**
   * The policy of Redis for a write beyond `maxBytes`: `noeviction` refuses it; `allkeys-lru` and the other policies delete
   * keys. @default 'noeviction'
   */
  readonly evictionPolicy?: string
  /** Largest value in bytes of UTF-8. @default 8 MiB */
  readonly maxValueBytes?: number
  /** Longest key in bytes of UTF-8. @default 1024 */
  readonly maxKeyBytes?: number
  /** Epoch milliseconds; for tests. @default the wall clock */
  readonly now?: () => number
  /** Opens the Lua runtime when the first script runs: `lua` of `hither/lua`. @default none: EVAL is refused */
  readonly lua?: LuaLoader
}

const KNOWN: readonly string[] = ['maxBytes', 'evictionPolicy', 'maxValueBytes', 'maxKeyBytes', 'now', 'lua']

/**
 * A Redis-compatible store in this process: nothing to install, nothing shared. Data structures, channels and, with `lua`,
 * scripts work as on a server. Calls act at once, in call order. Throws `INVALID_ARGUMENT` for an unknown option or a value
 * that makes no sense. A write beyond `maxBytes` rejects with `STORE_REJECTED`, unless the policy makes room.
 */
export function embeddedStore(options: EmbeddedStoreOptions = {}): CommandStore {
  checkNames('embeddedStore', options, KNOWN)
  for (const name of ['maxBytes', 'maxValueBytes', 'maxKeyBytes'] as const) {
    const value = options[name]
    if (value !== undefined) checkWhole(value, name, 1)
  }
  for (const name of ['now', 'lua'] as const) checkFunction(options[name], name)
  const { maxBytes = 67_108_864, maxValueBytes, maxKeyBytes, ...rest } = options
  const engine = new Engine({ ...rest, maxBytes })
  return storeOver(engine, {
    ...(maxValueBytes === undefined ? {} : { maxValueBytes }),
    ...(maxKeyBytes === undefined ? {} : { maxKeyBytes }),
    onClose: () => engine.close(),
  })
}
