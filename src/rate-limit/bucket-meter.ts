import type { Meter } from './meter.ts'

/**
 * Numbers, for each bucket, oldest first: the last moment something was taken in it, and how much. A bucket leaves a window
 * after that moment. `extra`: buckets of a window; with one a microsecond this is the exact log.
 */
export const bucketMeter: Meter = {
  roll({ n, windowUs, us, top }) {
    let left = top
    for (let i = 0; i < n.length; i += 2) if ((n[i] as number) + windowUs > us) left -= n[i + 1] as number
    return left
  },
  wait(count, cost) {
    const { n, windowUs, us } = count
    let left = bucketMeter.roll(count)
    let i = 0
    for (; left < cost; i += 2) if ((n[i] as number) + windowUs > us) left += n[i + 1] as number
    return (n[i - 2] as number) + windowUs - us
  },
  add({ n, windowUs, keptUs, us, extra }, cost) {
    while ((n[0] as number) + keptUs <= us) n.splice(0, 2)
    const newest = n.at(-2) ?? 0
    const at = Math.max(us, newest)
    const bucket = (stamp: number): number => Math.floor(stamp / (windowUs / extra))
    if (cost > 0) {
      const same = bucket(newest) === bucket(at) ? (n.splice(-2)[1] ?? 0) : 0
      n.push(at, same + cost)
    }
    for (let left = -cost; left > 0 && n.length > 0; ) {
      const [stamp = 0, taken = 0] = n.splice(-2)
      if (taken > left) n.push(stamp, taken - left)
      left -= taken
    }
  },
}
