import type { Count, Meter } from './meter.ts'

/**
 * Numbers, for each bucket, oldest first: the last moment something was taken in it, and how much. A bucket leaves a window
 * after that moment. `extra`: buckets of a window. `exact`: each moment is a bucket; `extra`: milliseconds it is kept.
 */
export function bucketMeter(exact: boolean): Meter {
  const add = ({ n, windowUs, us, extra, top }: Count, cost: number): number => {
    const [sizeUs, keptUs] = exact ? [1, extra * 1000] : [windowUs / extra, windowUs]
    while ((cost > 0 || !exact) && (n[0] as number) + keptUs <= us) n.splice(0, 2)
    const newest = n.at(-2) ?? 0
    const at = Math.max(us, newest)
    if (cost > 0) {
      const same = Math.floor(newest / sizeUs) === Math.floor(at / sizeUs) ? (n.splice(-2)[1] ?? 0) : 0
      n.push(at, same + cost)
    }
    for (let left = -cost; left > 0 && n.length > 0; ) {
      const [stamp = 0, taken = 0] = n.splice(-2)
      if (taken > left) n.push(stamp, taken - left)
      left -= taken
    }
    return n.reduce((left, taken, i) => (i % 2 && (n[i - 1] as number) + windowUs > us ? left - taken : left), top)
  }
  return {
    size: 2,
    add,
    wait(count, cost) {
      const { n, windowUs, us } = count
      let left = add(count, 0)
      let i = 0
      for (; left < cost; i += 2) if ((n[i] as number) + windowUs > us) left += n[i + 1] as number
      return (n[i - 2] as number) + windowUs - us
    },
  }
}
