import type { Count, Meter } from './meter.ts'

/**
 * Numbers: a pair for each bucket, oldest first: the last moment when something was taken in the bucket, and how much was taken
 * in it. A bucket leaves the window one window after that moment. `extra`: how many buckets a window has. `exact`: each moment
 * is a bucket, and `extra` is how many milliseconds it is kept. `mostNumbers`: two for each bucket there can be.
 */
export function bucketMeter(exact: boolean, mostNumbers: number): Meter {
  const add = ({ numbers, windowUs, nowUs, extra, most }: Count, cost: number): number => {
    const [bucketUs, keptUs] = exact ? [1, extra * 1000] : [windowUs / extra, windowUs]
    let gone = 0
    while ((cost > 0 || !exact) && (numbers[gone] as number) + keptUs <= nowUs) gone += 2
    if (gone > 0) numbers.splice(0, gone)
    const newestUs = numbers.at(-2) ?? 0
    const atUs = Math.max(nowUs, newestUs)
    if (cost > 0) {
      const isSame = Math.floor(newestUs / bucketUs) === Math.floor(atUs / bucketUs)
      const taken = isSame ? (numbers.splice(-2)[1] ?? 0) : 0
      numbers.push(atUs, taken + cost)
    }
    for (let left = -cost; left > 0 && numbers.length > 0; ) {
      const [stamp = 0, taken = 0] = numbers.splice(-2)
      if (taken > left) numbers.push(stamp, taken - left)
      left -= taken
    }
    return numbers.reduce(
      (left, taken, i) => (i % 2 && (numbers[i - 1] as number) + windowUs > nowUs ? left - taken : left),
      most,
    )
  }
  return {
    size: mostNumbers,
    pairs: true,
    add,
    wait(count, cost) {
      const { numbers, windowUs, nowUs } = count
      let left = add(count, 0)
      let i = 0
      for (; left < cost && i < numbers.length; i += 2)
        if ((numbers[i] as number) + windowUs > nowUs) left += numbers[i + 1] as number
      return (numbers[i - 2] as number) + windowUs - nowUs
    },
  }
}
