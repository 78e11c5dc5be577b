/**
 * `npm run plot:limits` draws `docs/rate-limits.svg`: how many calls of one hostile load each algorithm admits, at a limit of
 * 100 a second, summed over the second that ends at each moment. The decisions are made by `apply` on a simulated clock, so that
 * every run draws the same. `--check` fails (exit status 1) if the file differs from the drawing.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import {
  type Algorithm,
  fixedWindow,
  gcra,
  slidingBuckets,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from '../src/rate-limit/index.ts'

const LIMIT = 100
const END_MS = 4000
const STEP_MS = 10
const START_US = 1_795_000_000_000_000

/** The milliseconds of the calls: one, then a burst before and one after the edge of a window, then five times the limit. */
const load: readonly number[] = [
  200,
  ...Array.from({ length: 200 }, () => 1199),
  ...Array.from({ length: 200 }, () => 1200),
  ...Array.from({ length: 1400 }, (_, i) => 1202 + 2 * i),
].filter((ms) => ms < END_MS)

function admitted({ steps: [once], args }: Algorithm): number[] {
  let text: string | undefined
  return load.filter((ms) => {
    const { next, reply } = once.apply(text, ['take', 1, ...args(undefined, false)], {
      nowUs: START_US + ms * 1000 - 200_000,
      leftMs: undefined,
    })
    text = next
    return reply.startsWith('1 ')
  })
}

const limits = { limit: LIMIT, window: '1s' } as const
const panels: readonly (readonly [title: string, algorithm: Algorithm])[] = [
  ['fixedWindow', fixedWindow(limits)],
  ['slidingWindow', slidingWindow(limits)],
  ['tokenBucket', tokenBucket(limits)],
  ['gcra', gcra(limits)],
  ['slidingBuckets', slidingBuckets(limits)],
  ['slidingLog', slidingLog(limits)],
]

const [WIDTH, HEIGHT, GAP] = [240, 110, 30]
const x = (ms: number): number => Math.round((ms / END_MS) * WIDTH)
const y = (count: number): number => Math.round(HEIGHT - (count / 220) * HEIGHT)

const drawn = panels.map(([title, algorithm], i) => {
  const times = admitted(algorithm)
  const sums: number[] = []
  for (let ms = 0; ms <= END_MS; ms += STEP_MS) sums.push(times.filter((one) => one > ms - 1000 && one <= ms).length)
  const worst = Math.max(...times.map((end) => times.filter((one) => one > end - 1000 && one <= end).length))
  const line = sums.map((sum, step) => `${x(step * STEP_MS)},${y(sum)}`).join(' ')
  const [left, top] = [GAP + (i % 3) * (WIDTH + GAP), GAP + Math.floor(i / 3) * (HEIGHT + 2 * GAP)]
  return `<g transform="translate(${left},${top})">
<text y="-8" font-weight="bold">${title}</text><text x="${WIDTH}" y="-8" text-anchor="end">worst second ${worst}, in all ${times.length}</text>
<path d="M0,0V${HEIGHT}H${WIDTH}" fill="none" stroke="#888"/>
<path d="M0,${y(LIMIT)}H${WIDTH}" stroke="#c33" stroke-dasharray="4 3"/><text x="-4" y="${y(LIMIT) + 4}" text-anchor="end" fill="#c33">100</text>
<polyline points="${line}" fill="none" stroke="#36c" stroke-width="1.5"/>
<text x="${WIDTH}" y="${HEIGHT + 14}" text-anchor="end">4 s</text>
</g>`
})
const total = [3 * (WIDTH + GAP) + GAP, 2 * (HEIGHT + 2 * GAP)]
const svg = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${total.join(' ')}" font-family="sans-serif" font-size="11" fill="#333">
<title>Calls admitted in the last second, by algorithm, at a limit of 100 a second</title>
<rect width="100%" height="100%" fill="#fff"/>
${drawn.join('\n')}
</svg>
`
const file = new URL('../docs/rate-limits.svg', import.meta.url)
if (!process.argv.includes('--check')) writeFileSync(file, svg)
else if (readFileSync(file, 'utf8') !== svg) {
  console.error('docs/rate-limits.svg is not what npm run plot:limits draws')
  process.exitCode = 1
}
