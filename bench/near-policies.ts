/** The eviction policies that `bench/near.ts` compares. Keys are numbers, and only hits are counted. */

export type Policy = (capacity: number) => (key: number) => boolean

/** The hits of `trace` at the offline optimum (Belady), which knows the future and evicts the key that is used last. */
export function belady(trace: Uint32Array, capacity: number): number {
  const never = trace.length
  const next = new Uint32Array(trace.length)
  const seen = new Map<number, number>()
  for (let i = trace.length - 1; i >= 0; i--) {
    next[i] = seen.get(trace[i] as number) ?? never
    seen.set(trace[i] as number, i)
  }
  // A heap of (next use, key), furthest first. A pair is out of date once its key was used again.
  const heap: [at: number, key: number][] = []
  const push = (pair: [number, number]): void => {
    let i = heap.push(pair) - 1
    for (let up = (i - 1) >> 1; i > 0 && (heap[up] as [number, number])[0] < pair[0]; up = (i - 1) >> 1) {
      heap[i] = heap[up] as [number, number]
      i = up
    }
    heap[i] = pair
  }
  const pop = (): [number, number] => {
    const top = heap[0] as [number, number]
    const last = heap.pop() as [number, number]
    let i = 0
    for (let down = 1; down < heap.length; down = 2 * i + 1) {
      if (down + 1 < heap.length && (heap[down + 1] as [number, number])[0] > (heap[down] as [number, number])[0])
        down++
      if ((heap[down] as [number, number])[0] <= last[0]) break
      heap[i] = heap[down] as [number, number]
      i = down
    }
    if (heap.length > 0) heap[i] = last
    return top
  }
  const held = new Map<number, number>()
  let hits = 0
  for (let i = 0; i < trace.length; i++) {
    const key = trace[i] as number
    const at = next[i] as number
    if (held.has(key)) hits++
    else if (held.size >= capacity) {
      for (;;) {
        const [when, victim] = pop()
        if (held.get(victim) !== when) continue
        held.delete(victim)
        break
      }
    }
    held.set(key, at)
    push([at, key])
  }
  return hits
}

/** S3-FIFO (SOSP '23): a small queue of a tenth, a main queue, and a ghost queue as long as the main one. Counts go up to 3. */
export const s3fifo: Policy = (capacity) => {
  const smallSize = Math.max(1, Math.floor(capacity / 10))
  const counts = new Map<number, number>()
  const small: Set<number> = new Set()
  const main: Set<number> = new Set()
  const ghost: Set<number> = new Set()
  const oldest = (queue: Set<number>): number => {
    const key = queue.values().next().value as number
    queue.delete(key)
    return key
  }
  const evictMain = (): void => {
    for (;;) {
      const key = oldest(main)
      const count = counts.get(key) as number
      if (count === 0) {
        counts.delete(key)
        return
      }
      counts.set(key, count - 1)
      main.add(key)
    }
  }
  const evict = (): void => {
    while (small.size >= smallSize && small.size > 0) {
      const key = oldest(small)
      if ((counts.get(key) as number) > 1) {
        counts.set(key, 0)
        main.add(key)
        if (main.size <= capacity - smallSize) continue
        evictMain()
        return
      }
      counts.delete(key)
      ghost.add(key)
      if (ghost.size > capacity - smallSize) oldest(ghost)
      return
    }
    evictMain()
  }
  return (key) => {
    const count = counts.get(key)
    if (count !== undefined) {
      counts.set(key, Math.min(3, count + 1))
      return true
    }
    if (small.size + main.size >= capacity) evict()
    counts.set(key, 0)
    ;(ghost.delete(key) ? main : small).add(key)
    return false
  }
}

/** Draws `count` keys of 0 to `keys` - 1 by Zipf's law, from a seed. Which key is how frequent is shuffled. */
export function zipf(keys: number, count: number, exponent: number, seed: number): Uint32Array {
  const random = generator(seed)
  const sums = new Float64Array(keys)
  let sum = 0
  for (let i = 0; i < keys; i++) sums[i] = sum += 1 / (i + 1) ** exponent
  const names = Uint32Array.from({ length: keys }, (_, i) => i)
  for (let i = keys - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    ;[names[i], names[j]] = [names[j] as number, names[i] as number]
  }
  return Uint32Array.from({ length: count }, () => {
    const at = random() * sum
    let [low, high] = [0, keys - 1]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((sums[middle] as number) < at) low = middle + 1
      else high = middle
    }
    return names[low] as number
  })
}

/** Random numbers by Mulberry32, the same in every run. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
