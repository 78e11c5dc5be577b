import fc from 'fast-check'
import { expect, it } from 'vitest'
import { SortedMap } from '../../../src/embedded/sorted-map.ts'
import { formatId, idAfter, idBefore, makeId, parseId } from '../../../src/embedded/stream.ts'

const names = fc.integer({ min: 0, max: 60 }).map((n) => String(n).padStart(2, '0'))
const steps = fc.array(fc.tuple(fc.constantFrom('set', 'set', 'delete', 'first'), names, fc.nat()), {
  minLength: 1,
  maxLength: 300,
  size: 'max',
})

it('holds what a plain map holds, in the order of its names', () => {
  fc.assert(
    fc.property(steps, names, names, (history, from, to) => {
      const own = new SortedMap<number>()
      const plain = new Map<string, number>()
      const inOrder = (): [string, number][] => [...plain].sort(([a], [b]) => (a < b ? -1 : 1))
      for (const [step, name, value] of history) {
        if (step === 'set') {
          own.set(name, value)
          plain.set(name, value)
        } else {
          // Deletes the first entry, as trimming a stream does, or one anywhere.
          const gone = step === 'first' ? (own.first() ?? name) : name
          expect(own.delete(gone)).toBe(plain.delete(gone))
        }
        expect([own.size, own.get(name), own.has(name)]).toEqual([plain.size, plain.get(name), plain.has(name)])
        expect([own.first(), own.last()]).toEqual([inOrder()[0]?.[0], inOrder().at(-1)?.[0]])
      }
      const between = inOrder().filter(([name]) => name >= from && name <= to)
      expect([...own.range(from, to)]).toEqual(between)
      expect([...own.rangeBackwards(from, to)]).toEqual(between.reverse())
    }),
  )
})

it('steps over ids exactly, at every edge of 32, 53 and 64 bits', () => {
  const edges = [0n, 1n, 255n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 64n - 1n]
  for (const ms of edges) {
    for (const sequence of edges) {
      const id = makeId(ms, sequence)
      expect(formatId(id)).toBe(`${ms}-${sequence}`)
      expect(parseId(`${ms}-${sequence}`)).toBe(id)
      const next = idAfter(id)
      const isLast = ms === 2n ** 64n - 1n && sequence === 2n ** 64n - 1n
      expect(next === undefined).toBe(isLast)
      if (next === undefined) continue
      expect(formatId(next)).toBe(sequence === 2n ** 64n - 1n ? `${ms + 1n}-0` : `${ms}-${sequence + 1n}`)
      expect(next > id).toBe(true)
      expect(idBefore(next)).toBe(id)
    }
  }
})
