import type { Arg, Operation, Reply } from '../protocol/operation.ts'
import { now } from '../runtime/clock.ts'
import { limitOf } from '../runtime/deadline.ts'
import { createKeyQueue } from '../runtime/key-queue.ts'
import type { AtomicStore, Call, Store } from './store.ts'

/** `<end in epoch milliseconds, base 36, 0: none> <value>` */
const FRAMED = /^([\da-z]{1,11}) ([^]*)$/

interface Opened {
  readonly text: string | undefined
  readonly endMs: number
}

function open(stored: string | undefined, nowMs: number = now()): Opened {
  const [, end = '', text] = FRAMED.exec(stored ?? '') ?? []
  const endMs = Number.parseInt(end, 36) || 0
  return endMs > 0 && endMs <= nowMs ? { text: undefined, endMs: 0 } : { text, endMs }
}

/**
 * Adds operations to a store that has none. Each operation reads, decides and writes. Within this process, operations on a key
 * run one at a time; another process may write in between. Each value is stored with the end of its lifetime, since such a
 * store rounds lifetimes or does not report them.
 */
export function withoutOperations(store: Store): AtomicStore {
  const queue = createKeyQueue()
  const put = (key: string, text: string, life: { endMs: number; nowMs: number }, call?: Call): Promise<void> =>
    store.set(key, `${life.endMs.toString(36)} ${text}`, life.endMs ? life.endMs - life.nowMs : undefined, call)
  return {
    ...store,
    get: (key, call) => queue.run([key], false, limitOf(call), async () => open(await store.get(key, call)).text),
    getMany: (keys, call) =>
      queue.run(keys, false, limitOf(call), async () => (await store.getMany(keys, call)).map((each) => open(each).text)),
    set(key, value, ttlMs, call) {
      const nowMs = now()
      return queue.run([key], true, limitOf(call), () => put(key, value, { endMs: ttlMs ? nowMs + ttlMs : 0, nowMs }, call))
    },
    delete: (keys, call) => queue.run(keys, true, limitOf(call), () => store.delete(keys, call)),
    run: <A extends readonly Arg[], R extends Reply>(operation: Operation<A, R>, key: string, args: A, call?: Call) =>
      queue.run([key], true, limitOf(call), async () => {
        const stored = await store.get(key, call)
        // The clock is read once: an entry that ended between two readings would be written with no lifetime left.
        const nowMs = now()
        const { text, endMs } = open(stored, nowMs)
        const leftMs = endMs ? endMs - nowMs : undefined
        const { next, ttl, reply } = operation.apply(text, args, { nowUs: nowMs * 1000, leftMs })
        if (next === undefined) {
          if (text !== undefined) await store.delete([key], call)
        } else if (next !== text || ttl !== 'keep') {
          const nextEndMs = ttl === 'keep' ? endMs : ttl === 'none' ? 0 : nowMs + ttl.ms
          await put(key, next, { endMs: nextEndMs, nowMs }, call)
        }
        return reply
      }),
  }
}
