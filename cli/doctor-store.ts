import { type Arg, type AtomicStore, type Call, isHitherError, type Operation, type Reply } from 'hither'

/** A store that remembers which keys were written, so that they can be deleted at the end. */
export interface Watched {
  readonly store: AtomicStore
  /** Waits up to 5 s for the calls under way, then deletes every key. Rejects as the store does. */
  clean(): Promise<void>
  /** Returns the error of the last call that failed, and forgets it; undefined: no call has failed since. */
  takeFault(): unknown
  /** From now on every call rejects with `reason`. */
  stop(reason: unknown): void
}

const PATIENCE_MS = 5000

/** `store` with a list of its keys. Calls that a feature makes in the background are counted as well. */
export function watched(store: AtomicStore): Watched {
  const keys = new Set<string>()
  const running = new Set<Promise<unknown>>()
  let stopped: { readonly reason: unknown } | undefined
  let fault: unknown
  const call = <T>(touched: readonly string[], run: () => Promise<T>): Promise<T> => {
    if (stopped) return Promise.reject(stopped.reason)
    for (const key of touched) keys.add(key)
    const promise = run()
      .catch((error: unknown) => {
        fault = error
        throw error
      })
      .finally(() => running.delete(promise))
    running.add(promise)
    return promise
  }
  /** Deletes keys one by one: the user may lack the right to one of them. */
  const oneByOne = async (error: unknown): Promise<never> => {
    if (isHitherError(error) && error.code === 'UNAUTHORIZED') {
      await Promise.allSettled([...keys].map((key) => store.delete([key])))
    }
    throw error
  }
  const { getBytes, setBytes, publish, subscribe } = store
  return {
    store: {
      name: store.name,
      traits: store.traits,
      get: (key, limits) => call([], () => store.get(key, limits)),
      getMany: (many, limits) => call([], () => store.getMany(many, limits)),
      set: (key, value, ttlMs, limits) => call([key], () => store.set(key, value, ttlMs, limits)),
      delete: (many, limits) => call([], () => store.delete(many, limits)),
      run: <A extends readonly Arg[], R extends Reply>(
        operation: Operation<A, R>,
        key: string,
        args: A,
        limits?: Call,
      ): Promise<R> => call([key], () => store.run(operation, key, args, limits)),
      ready: (limits) => call([], () => store.ready(limits)),
      close: async () => {},
      ...(getBytes ? { getBytes: (key, limits) => call([], () => getBytes.call(store, key, limits)) } : {}),
      ...(setBytes
        ? {
            setBytes: (key, value, ttlMs, limits) => call([key], () => setBytes.call(store, key, value, ttlMs, limits)),
          }
        : {}),
      ...(publish ? { publish: publish.bind(store) } : {}),
      ...(subscribe ? { subscribe: subscribe.bind(store) } : {}),
    },
    takeFault() {
      const taken = fault
      fault = undefined
      return taken
    },
    stop(reason) {
      stopped = { reason }
    },
    async clean() {
      stopped ??= { reason: new Error('the checks are over') }
      const late = new Promise<void>((resolve) => setTimeout(resolve, PATIENCE_MS).unref())
      await Promise.race([Promise.allSettled([...running]), late])
      if (keys.size > 0) await store.delete([...keys]).catch(oneByOne)
    },
  }
}
