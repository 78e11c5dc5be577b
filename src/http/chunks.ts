import { fromBase64, toBase64 } from '../protocol/base64.ts'
import type { AtomicStore, Call } from '../store/store.ts'
import type { Keys } from './keys.ts'

/** Stores bodies that are too large to be stored inline, as chunks under an id that no other body ever has. */
export interface Chunks {
  /** Most bytes of a chunk. */
  readonly size: number
  write(id: string, index: number, bytes: Uint8Array, lifeMs: number): Promise<void>
  /** Resolves to undefined when the chunk is gone. */
  read(id: string, index: number): Promise<Uint8Array | undefined>
  drop(id: string, count: number): Promise<unknown>
}

/** Runs a call of the store with a deadline. */
export type Ask = <T>(work: (call: Call) => Promise<T>) => Promise<T>

const CHUNK_BYTES = 262_144

export function createChunks(store: AtomicStore, keys: Keys, ask: Ask): Chunks {
  const { getBytes, setBytes } = store
  return {
    size: Math.min(CHUNK_BYTES, Math.floor((store.traits.maxValueBytes * 3) / 4)),
    write: (id, index, bytes, lifeMs) =>
      ask((call) =>
        setBytes
          ? setBytes.call(store, keys.chunk(id, index), bytes, lifeMs, call)
          : store.set(keys.chunk(id, index), toBase64(bytes), lifeMs, call),
      ),
    read: (id, index) =>
      ask(async (call) => {
        if (getBytes) return getBytes.call(store, keys.chunk(id, index), call)
        const text = await store.get(keys.chunk(id, index), call)
        return text === undefined ? undefined : fromBase64(text)
      }),
    async drop(id, count) {
      const chunks = [...Array(count).keys()].map((index) => keys.chunk(id, index))
      if (count > 0) await ask((call) => store.delete(chunks, call))
    },
  }
}
