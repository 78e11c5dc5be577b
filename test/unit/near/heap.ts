/** Run with `--expose-gc`: prints for each shape the size that `isolate` estimates, and what copies of it take in the heap. */
import { isolate } from '../../../src/near/isolate.ts'
import { decodeJson, encodeJson } from '../../../src/protocol/codec.ts'

const row = (i: number): object => ({
  id: i,
  name: `Ada Lovelace ${i}`,
  mail: `ada${i}@example.org`,
  roles: ['a', 'b'],
  on: true,
  score: i + 0.5,
})
const many = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i))
const shapes: Readonly<Record<string, (i: number) => unknown>> = {
  'an object of six fields': row,
  'an object of sixty fields': (i) => Object.fromEntries(many(60, (n) => [`field${n}`, i + n])),
  'a list of rows': (i) => many(100, (n) => row(i * 100 + n)),
  'a list of empty objects': () => many(1000, () => ({})),
  'a list of empty lists': () => many(1000, () => []),
  'a long text': (i) => `${i}${'lorem ipsum '.repeat(100)}`,
  'a long text of another script': (i) => `${i}${'Война и мир '.repeat(100)}`,
  'short texts': (i) => many(200, (n) => `item ${i} ${n}`),
  'whole numbers': (i) => many(1000, (n) => i + n),
  fractions: (i) => many(1000, (n) => i + n / 7),
  points: (i) => many(200, (n) => ({ x: i + n / 7, y: n / 3 })),
  'mixed numbers': (i) => many(500, (n) => [n, n / 7, null][(i + n) % 3]),
  'a record of a thousand names': (i) => Object.fromEntries(many(1000, (n) => [`name ${i} ${n}`, n])),
  'a Map of texts': (i) => new Map(many(200, (n) => [`key ${i} ${n}`, n])),
  'a Map of objects': (i) => new Map(many(100, (n) => [n, row(i * 100 + n)])),
  'a Set of numbers': () => new Set(many(200, (n) => n)),
  'small Maps': (i) => many(50, (n) => new Map([[n, i]])),
  dates: (i) => many(100, (n) => new Date(i + n)),
  'short bytes': (i) => many(20, (n) => new Uint8Array(32).fill(i + n)),
  'long bytes': (i) => new Uint8Array(100_000).fill(i),
  'big integers': (i) => many(100, (n) => BigInt(i + n) ** 20n),
  'lists within lists': (i) => many(20, (n) => many(10, (m) => [[i + n + m]])),
  'a tree': (i) => ({
    left: { left: row(i), right: null },
    right: { left: row(i), right: { left: [], right: row(i) } },
  }),
}
const { gc } = globalThis as unknown as { gc(): void }
const used = (): number => {
  gc()
  gc()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
for (const [shape, make] of Object.entries(shapes)) {
  const decoded = (i: number): unknown => {
    const { payload, mark } = encodeJson(make(i))
    return decodeJson(payload, mark)
  }
  const { bytes } = isolate(decoded(0), false)
  const count = Math.ceil(4_000_000 / bytes)
  const kept: unknown[] = new Array(count)
  decoded(1)
  const before = used()
  let sum = 0
  for (let i = 0; i < count; i++) {
    kept[i] = decoded(i + 10)
    sum += isolate(kept[i]).bytes
  }
  const taken = used() - before
  console.log(
    JSON.stringify({ shape, estimated: Math.round(sum / kept.length), taken: Math.round(taken / kept.length) }),
  )
}
