import type { AtomicStore, Operation } from 'hither'
import { isCount, readState, step } from './step.ts'

/** The retention of analytics that the package sets: 90 days. */
const RETENTION_MS = 90 * 24 * 3_600_000

type Scores = Record<string, number>

function read(text: string | undefined): Scores {
  const scores: Scores = Object.create(null)
  for (const [event, score] of Object.entries(readState(text))) if (isCount(score)) scores[event] = score
  return scores
}

/** Adds to the score of an event in its hour. */
export const countEvent: Operation<readonly [by: number, event: string], number> = step(
  'count-event',
  (current, [by, event], nowMs) => {
    const scores = read(current)
    scores[event] = (scores[event] ?? 0) + by
    return { next: JSON.stringify(scores), endsMs: nowMs + RETENTION_MS, reply: scores[event] }
  },
)

/** The events of these keys, one key an hour, with their summed scores, lowest first. */
async function union(store: AtomicStore, keys: readonly string[]): Promise<[event: string, score: number][]> {
  const sums = new Map<string, number>()
  for (const text of await store.getMany(keys)) {
    for (const [event, score] of Object.entries(read(text))) sums.set(event, (sums.get(event) ?? 0) + score)
  }
  return [...sums].sort(([a, m], [b, n]) => m - n || (a < b ? -1 : 1))
}

const hours = (prefix: string, first: number, step: number, count: number): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}:${first - i * step}`)

/** How often each value of a field occurs in one hour. */
export async function countBy(store: AtomicStore, key: string, field: string): Promise<(string | number | null)[][]> {
  const counts = new Map<string | number | null, number>()
  for (const [event, score] of await union(store, [key])) {
    const value = readState(event)[field]
    if (typeof value !== 'string' && typeof value !== 'boolean' && typeof value !== 'number') continue
    // As a script replies them: true is 1, false is null.
    const name = value === true ? 1 : value === false ? null : value
    counts.set(name, (counts.get(name) ?? 0) + score)
  }
  return [...counts]
}

export async function usage(
  store: AtomicStore,
  prefix: string,
  [first, step, count]: readonly number[],
): Promise<string[]> {
  const all = await union(store, hours(prefix, first as number, step as number, count as number))
  return all.flatMap(([event, score]) => [event, String(score)])
}

/** The most frequent events, as one list each for allowed, refused and denied: `[score, event]`, highest score first. */
export async function most(
  store: AtomicStore,
  prefix: string,
  [first, step, count, top, atMost]: readonly number[],
): Promise<(string | number)[][][]> {
  const all = await union(store, hours(prefix, first as number, step as number, count as number))
  const seen = all.slice(-(atMost as number) || all.length).reverse()
  return ['success":true', 'success":false', 'success":"denied'].map((mark) =>
    seen
      .filter(([event, score]) => score > 0 && event.includes(mark))
      .slice(0, top)
      .map(([event, score]) => [score, event]),
  )
}
