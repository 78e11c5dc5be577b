/**
 * What the benchmarks share. In each round all cases run one after another in one process, so that a disturbance of the machine
 * affects all of them. A figure is the median over the rounds of the ratio within a round.
 */
import { availableParallelism } from 'node:os'

export interface Case {
  readonly name: string
  /** Operations in one call of `run`. */
  readonly ops: number
  run(): Promise<unknown>
}

export interface Gate {
  /** Name of the case that is judged, and of the case with which it is compared. */
  readonly name: string
  readonly against: string
  /** Smallest median ratio of speeds that passes. If absent, the row is for information only. */
  readonly atLeast?: number
}

export interface Row {
  readonly name: string
  readonly against: string
  /** Median of this case, in operations a second. */
  readonly perSecond: number
  /** Median of the ratios of the rounds, and the 95 % interval of that median. */
  readonly ratio: number
  readonly low: number
  readonly high: number
  readonly atLeast: number | undefined
  /** `undefined` if the gate has no `atLeast`. */
  readonly passed: boolean | undefined
}

export interface RoundOptions {
  /** @default `BENCH_ROUNDS`, or 101 */
  readonly rounds?: number
  /** How many rounds to run before those that count. @default 5 */
  readonly warmUp?: number
}

/**
 * What a figure counts. By default this is wall-clock time. With `BENCH_BY=cpu` it is the processor time of this process, with
 * `BENCH_BY=thread` that of its main thread (for cases whose server is another thread). Other programs of the machine disturb
 * processor time less, but it does not include the work of other processes, such as a server.
 */
const BY = process.env.BENCH_BY

/** Milliseconds since some instant, of the kind of time that `BENCH_BY` chooses. */
function elapsedMs(): number {
  if (BY !== 'cpu' && BY !== 'thread') return performance.now()
  const { user, system } = BY === 'cpu' ? process.cpuUsage() : process.threadCpuUsage()
  return (user + system) / 1000
}

/** A case of `count` callers, each of which awaits one call of `op` after another, at least `ops` calls in all. */
export function callers(name: string, count: number, ops: number, op: (i: number) => Promise<unknown>): Case {
  const each = Math.ceil(ops / count)
  const caller = async (id: number): Promise<void> => {
    for (let i = 0; i < each; i++) await op(id + i * count)
  }
  return { name, ops: each * count, run: () => Promise.all(Array.from({ length: count }, (_, id) => caller(id))) }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const half = sorted.length >> 1
  const upper = sorted[half] as number
  return sorted.length % 2 === 1 ? upper : ((sorted[half - 1] as number) + upper) / 2
}

/** The 95 % confidence interval of the median, from order statistics, which assume no distribution. */
export function interval(values: readonly number[]): readonly [low: number, high: number] {
  const sorted = values.toSorted((a, b) => a - b)
  const n = sorted.length
  const reach = Math.max(0, Math.floor((n - 1.96 * Math.sqrt(n)) / 2))
  return [sorted[reach] as number, sorted[n - 1 - reach] as number]
}

/**
 * Runs every case once in each round, in rotating order. A gate passes if its median ratio is at least `atLeast` and the interval
 * lies within 10 % of the median, or if the whole interval is at least `atLeast`.
 */
export async function measure(
  cases: readonly Case[],
  gates: readonly Gate[],
  { rounds = Number(process.env.BENCH_ROUNDS ?? 101), warmUp = 5 }: RoundOptions = {},
): Promise<Row[]> {
  const speeds = new Map<string, number[]>(cases.map(({ name }) => [name, []]))
  for (let round = -warmUp; round < rounds; round++) {
    const turn = (round + warmUp) % cases.length
    for (const { name, ops, run } of [...cases.slice(turn), ...cases.slice(0, turn)]) {
      const start = elapsedMs()
      await run()
      if (round >= 0) speeds.get(name)?.push((ops / (elapsedMs() - start)) * 1000)
    }
  }
  return gates.map(({ name, against, atLeast }) => {
    const own = speeds.get(name)
    const other = speeds.get(against)
    if (!own || !other) throw new Error(`no case is called ${own ? against : name}`)
    const ratios = own.map((speed, i) => speed / (other[i] as number))
    const ratio = median(ratios)
    const [low, high] = interval(ratios)
    const steady = low >= ratio * 0.9 && high <= ratio * 1.1
    const passed = atLeast === undefined ? undefined : low >= atLeast || (ratio >= atLeast && steady)
    return { name, against, perSecond: median(own), ratio, low, high, atLeast, passed }
  })
}

/** Prints the rows as a Markdown table, and fails the process (exit status 1) if a gate did not pass. */
export function report(title: string, rows: readonly Row[]): void {
  const cells = rows.map(({ name, against, perSecond, ratio, low, high, atLeast, passed }) => [
    name,
    against,
    Math.round(perSecond).toLocaleString('en-US'),
    name === against ? '1' : ratio.toFixed(2),
    name === against ? '' : `${low.toFixed(2)}–${high.toFixed(2)}`,
    atLeast === undefined ? '' : `≥ ${atLeast}`,
    passed === undefined ? '' : passed ? 'pass' : 'FAIL',
  ])
  const head = ['case', 'against', BY ? 'per second of CPU' : 'per second', 'ratio', '95 % interval', 'gate', '']
  const widths = head.map((text, i) => Math.max(3, text.length, ...cells.map((row) => (row[i] as string).length)))
  const line = (row: readonly string[]): string =>
    `| ${row.map((text, i) => text.padEnd(widths[i] as number)).join(' | ')} |`
  console.log(`\n${title}\n${machine()}\n`)
  console.log(
    [line(head), `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`, ...cells.map(line)].join('\n'),
  )
  if (rows.some(({ passed }) => passed === false)) process.exitCode = 1
}

function machine(): string {
  return `${new Date().toISOString().slice(0, 10)}, ${availableParallelism()} cores, Node ${process.versions.node}`
}
