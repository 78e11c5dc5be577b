/** Run with `--expose-gc`: prints what a thousand leases over copies of 100 kB take in the heap, in bytes each. */
import { createLocalLeases, frame } from '../../src/store/local-leases.ts'

const { gc } = globalThis as unknown as { gc(): void }
const used = (): number => {
  gc()
  gc()
  return process.memoryUsage().heapUsed
}
const leases = createLocalLeases()
const keep = (i: number): void => {
  // As a client returns it: one text in memory, not the parts it was made of.
  const base = Buffer.from(frame(`${i}`.padStart(150, '0') + 'x'.repeat(100_000), 7)).toString('latin1')
  leases.keep(`${i}`, { text: 'h'.repeat(104) + base.slice(106), endMs: 0, base }, 1)
}
keep(0)
const before = used()
for (let i = 1; i <= 1000; i++) keep(i)
console.log((used() - before) / 1000)
leases.drop(['0'])
