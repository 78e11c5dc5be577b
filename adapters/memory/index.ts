import { entryTable } from '../../src/cache/steps/entry.ts'
import { HitherError } from '../../src/errors.ts'
import { checkFunction, checkNames, checkSignal, checkWhole, ownOf } from '../../src/protocol/arguments.ts'
import type { Arg, Operation, Reply } from '../../src/protocol/operation.ts'
import { utf8Length } from '../../src/protocol/text.ts'
import { elapsedMs, NEVER, now as wallClock } from '../../src/runtime/clock.ts'
import { passed } from '../../src/runtime/deadline.ts'
import { checkArgs, checkKey, checkKeys, checkTtl, checkValue } from '../../src/store/checks.ts'
import type { AtomicStore, Call, StoreTraits } from '../../src/store/store.ts'

export interface MemoryStoreOptions {
  /** Most entries kept; the least recently used is evicted first. @default 100_000 */
  readonly maxEntries?: number
  /** Most bytes kept, counting keys, values and 64 bytes per entry. @default 64 MiB */
  readonly maxBytes?: number
  /** Largest value in bytes of UTF-8. @default 8 MiB */
  readonly maxValueBytes?: number
  /** Longest key in bytes of UTF-8. @default 1024 */
  readonly maxKeyBytes?: number
  /** Epoch milliseconds; a test passes its own. @default the wall clock */
  readonly now?: () => number
}

const KNOWN: { readonly [K in keyof MemoryStoreOptions]-?: 1 } = {
  maxEntries: 1,
  maxBytes: 1,
  maxValueBytes: 1,
  maxKeyBytes: 1,
  now: 1,
}

interface Slot {
  readonly value: string | Uint8Array
  /** End of the lifetime, by `lifetimeClock`; `Infinity` without an end. */
  readonly endsMs: number
  readonly bytes: number
}

const text = (slot: Slot | undefined): string | undefined =>
  slot && (typeof slot.value === 'string' ? slot.value : new TextDecoder().decode(slot.value))

const OVERHEAD_BYTES = 64
const SWEPT_PER_WRITE = 4
const READS_PER_SWEEP = 1024

/**
 * A store in this process: nothing to install, nothing shared. Bounded by entries and bytes; the least recently used entry is
 * evicted first. A read checks the lifetime of its entry, and each write removes expired ones among the next few entries, so
 * no key has a timer. Calls act at once, in call order. Rejects as `Store` says; a call checks its deadline before it acts.
 */
export function memoryStore(given?: MemoryStoreOptions): AtomicStore {
  checkNames('memoryStore', given, Object.keys(KNOWN))
  const options: MemoryStoreOptions = ownOf(given)
  const { now, wallMs } = lifetimeClock(options.now ?? wallClock)
  const maxEntries = checkWhole(options.maxEntries ?? 100_000, 'maxEntries', 1)
  const maxBytes = checkWhole(options.maxBytes ?? 67_108_864, 'maxBytes', 1)
  const traits: StoreTraits = {
    shared: false,
    ttlStepMs: 1,
    maxKeyBytes: checkWhole(options.maxKeyBytes ?? 1024, 'maxKeyBytes', 1),
    maxValueBytes: checkWhole(options.maxValueBytes ?? 8_388_608, 'maxValueBytes', 1),
    clock: 'server',
    consistency: 'strong',
    ...(options.now && { ownClock: options.now }),
  }
  const slots = new Map<string, Slot>()
  let heldBytes = 0
  let closed = false
  let sweep = slots.entries()
  let reads = 0

  const remove = (key: string): boolean => {
    const slot = slots.get(key)
    if (!slot) return false
    heldBytes -= slot.bytes
    return slots.delete(key)
  }
  /** Removes the next entry if it has expired. Returns false at the end of a sweep. */
  const sweepNext = (): boolean => {
    const next = sweep.next()
    if (next.done) sweep = slots.entries()
    else if (next.value[1].endsMs <= now()) remove(next.value[0])
    return !next.done
  }
  const find = (key: string): Slot | undefined => {
    const slot = slots.get(key)
    if (!slot) return undefined
    if (slot.endsMs <= now()) {
      remove(key)
      return undefined
    }
    slots.delete(key)
    slots.set(key, slot)
    // V8 makes a new table for the Map now and then, and an iterator that is not moved keeps all tables since its own.
    if (++reads % READS_PER_SWEEP === 0) sweepNext()
    return slot
  }
  const put = (key: string, value: string | Uint8Array, endsMs: number): void => {
    const bytes = OVERHEAD_BYTES + utf8Length(key) + (typeof value === 'string' ? utf8Length(value) : value.byteLength)
    if (bytes > maxBytes) throw new HitherError('VALUE_TOO_LARGE', `this store holds ${maxBytes} bytes in all`)
    remove(key)
    if (endsMs <= now()) return
    slots.set(key, { value, endsMs, bytes })
    heldBytes += bytes
    for (let i = 0; i < SWEPT_PER_WRITE && sweepNext(); i++);
    for (const oldest of slots.keys()) {
      if (slots.size <= maxEntries && heldBytes <= maxBytes) break
      remove(oldest)
    }
  }
  const enter = (call: Call | undefined): void => {
    checkSignal(call?.signal)
    if (closed) throw new HitherError('CLOSED', 'the store is closed')
    if (call && !((call.deadline ?? NEVER) > wallClock())) throw passed()
  }

  return {
    name: 'memory',
    traits,
    async get(key, call) {
      checkKey(key, traits)
      enter(call)
      return text(find(key))
    },
    async getMany(keys, call) {
      checkKeys(keys, traits)
      enter(call)
      return keys.map((key) => text(find(key)))
    },
    async set(key, value, ttlMs, call) {
      checkKey(key, traits)
      checkValue(value, traits)
      checkTtl(ttlMs)
      enter(call)
      put(key, value, ttlMs === undefined ? Number.POSITIVE_INFINITY : now() + ttlMs)
    },
    async delete(keys, call) {
      checkKeys(keys, traits)
      enter(call)
      let count = 0
      for (const key of keys) if (find(key) && remove(key)) count++
      return count
    },
    async run<A extends readonly Arg[], R extends Reply>(
      operation: Operation<A, R>,
      key: string,
      args: A,
      call?: Call,
    ) {
      checkKey(key, traits)
      checkArgs(args, traits)
      enter(call)
      const slot = find(key)
      const at = now()
      const leftMs = slot && slot.endsMs !== Number.POSITIVE_INFINITY ? slot.endsMs - at : undefined
      const current = text(slot)
      const apply = (entryTable[operation.name] ?? operation.apply) as typeof operation.apply
      const { next, ttl, reply } = apply(current, args, { nowUs: Math.round(wallMs() * 1000), leftMs })
      if (next === undefined) remove(key)
      else {
        const endsMs =
          ttl === 'keep'
            ? (slot?.endsMs ?? Number.POSITIVE_INFINITY)
            : ttl === 'none'
              ? Number.POSITIVE_INFINITY
              : at + ttl.ms
        // Bytes whose text the operation did not change stay bytes, even if that text does not encode back to them.
        if (current !== next || slot?.endsMs !== endsMs) {
          checkValue(next, traits)
          put(key, next, endsMs)
        }
      }
      return reply
    },
    async ready(call) {
      enter(call)
    },
    async close() {
      closed = true
      slots.clear()
      heldBytes = 0
    },
    async getBytes(key, call) {
      checkKey(key, traits)
      enter(call)
      const value = find(key)?.value
      return typeof value === 'string' ? new TextEncoder().encode(value) : value?.slice()
    },
    async setBytes(key, value, ttlMs, call) {
      checkKey(key, traits)
      checkTtl(ttlMs)
      if (value.byteLength > traits.maxValueBytes) {
        throw new HitherError('VALUE_TOO_LARGE', `a value may have ${traits.maxValueBytes} bytes`)
      }
      enter(call)
      put(key, value.slice(), ttlMs === undefined ? Number.POSITIVE_INFINITY : now() + ttlMs)
    },
  }
}

/**
 * The clock of lifetimes. It keeps running if the wall clock is set back, so that no entry outlives its lifetime. `wallMs`
 * returns the wall clock as it was read last.
 */
function lifetimeClock(wall: () => number): { now(): number; wallMs(): number } {
  checkFunction(wall, 'now')
  let lastMs = Number.NEGATIVE_INFINITY
  let lastElapsedMs = 0
  let backMs = 0
  return {
    now() {
      const at = wall()
      const elapsed = wall === wallClock ? elapsedMs() : 0
      if (at < lastMs) backMs += lastMs - at + elapsed - lastElapsedMs
      lastMs = at
      lastElapsedMs = elapsed
      return at + backMs
    },
    wallMs: () => lastMs,
  }
}
