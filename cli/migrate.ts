import { createHash } from 'node:crypto'
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { isHitherError } from 'hither'
import { type MigrateProgress, type MigrateResult, type MigrateState, migrate } from 'hither/migrate'
import { reasonOf } from './doctor-report.ts'
import { fail } from './fail.ts'
import { checkUrl, openStore, placeOf } from './stores.ts'

const MIGRATE_HELP = `hither migrate: copies keys with their lifetimes from one system to another

  hither migrate redis://10.0.0.1:6379 memcached://10.0.0.2:11211 --namespace shop
  HITHER_TO_TOKEN=… hither migrate redis://10.0.0.1:6379 https://example.upstash.io

  --namespace NAME   only keys of this namespace and those nested in it   default all keys
  --keep             leaves keys alone that the target has   default they become the source's
  --rate N           most keys a second                      default 10000
  --megabytes N      most megabytes of values a second       default 50
  --state FILE       where a run that ended early is remembered, with names of keys and no values
                     default hither-migrate-….json in this folder
  --json             prints the result as one JSON text
  Give programs dualStore(from, to) first: a key that is written to the source alone during the run may be missed.
  Tokens for https: urls are in HITHER_FROM_TOKEN and HITHER_TO_TOKEN, or HITHER_TOKEN for both.
  Exit code 0: everything was copied but what cannot be, which is named. 1: it ended early; the same command goes on. 2: wrong usage.
`

function parse(args: string[]) {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      namespace: { type: 'string' },
      keep: { type: 'boolean', default: false },
      rate: { type: 'string', default: '10000' },
      megabytes: { type: 'string', default: '50' },
      state: { type: 'string' },
      json: { type: 'boolean', default: false },
    },
  })
  if (positionals.length !== 2) fail('migrate takes two urls: FROM and TO')
  const [from, to] = positionals.map(checkUrl) as [string, string]
  if (targetOf(from) === targetOf(to)) fail('FROM and TO are one place')
  for (const name of ['rate', 'megabytes'] as const)
    if (!/^[1-9]\d{0,8}$/.test(values[name])) fail(`--${name} is a whole number above 0`)
  if (values.state === '') fail('--state is the name of a file')
  return { ...values, from, to }
}

/** The target of a url: hosts, ports, and the database, the bucket or the socket. It contains no part of a password. */
function targetOf(url: string): string {
  const scheme = url.slice(0, url.indexOf(':')).replace('valkey', 'redis')
  const path = scheme === 'unix' ? url.replace(/^.*@/, '') : (/^[^/?#]*:\/\/[^/?#]*([^#]*)$/.exec(url)?.[1] ?? '')
  return `${scheme} ${placeOf(url)} ${path.replace(/^\/0?$/, '')}`
}

/** Identifies the run. With the state of another run, this one would skip keys that its target lacks. */
function runOf({ from, to, namespace, keep }: ReturnType<typeof parse>): string {
  const parts = [targetOf(from), targetOf(to), namespace ?? '*', keep]
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 12)
}

function stateIn(file: string, run: string): MigrateState {
  const unreadable = (): never =>
    fail('the state cannot be read: remove it to begin anew, or name another with --state')
  return {
    async load() {
      let text: string
      try {
        text = readFileSync(file, 'utf8')
      } catch (error) {
        return (error as { code?: string }).code === 'ENOENT' ? undefined : unreadable()
      }
      const of = /^\{"run":"([0-9a-f]{12})"/.exec(text)?.[1] ?? unreadable()
      if (of !== run) fail('the state is that of another run: remove it to begin anew, or name another with --state')
      return text
    },
    async save(text) {
      if (text === undefined) return rmSync(file, { force: true })
      try {
        // Written to another file and renamed, so that the state is whole or unchanged even if the process is killed meanwhile.
        writeFileSync(`${file}.new`, JSON.stringify({ run, ...JSON.parse(text) }), { mode: 0o600 })
        renameSync(`${file}.new`, file)
      } catch {
        fail('the state cannot be written: name another file with --state')
      }
    },
  }
}

const WIDTH = 30
const REDRAW_MS = 100

/** Shows a bar on a terminal, and prints a line every two seconds anywhere else. */
function progressOn(stream: NodeJS.WriteStream): { show(progress: MigrateProgress): void; end(): void } {
  const everyMs = stream.isTTY ? REDRAW_MS : 20 * REDRAW_MS
  let shownAt = Number.NEGATIVE_INFINITY
  let unshown: MigrateProgress | undefined
  const draw = ({ copied, gone, kept, notMoved, bytes, total }: MigrateProgress): void => {
    const done = copied + gone + kept + notMoved
    const part = total ? Math.min(1, done / total) : undefined
    const bar =
      part === undefined
        ? ''
        : `[${'#'.repeat(Math.round(part * WIDTH)).padEnd(WIDTH, '.')}] ${Math.floor(part * 100)} % `
    const line = `${bar}${copied} copied, ${notMoved} cannot be, ${(bytes / 1e6).toFixed(1)} MB`
    stream.write(stream.isTTY ? `\r${line}\u001b[K` : `${line}\n`)
  }
  return {
    show(progress) {
      unshown = progress
      if (performance.now() - shownAt < everyMs) return
      shownAt = performance.now()
      draw(progress)
      unshown = undefined
    },
    end() {
      if (unshown) draw(unshown)
      if (stream.isTTY) stream.write('\n')
    },
  }
}

const WHY: Readonly<Record<string, string>> = {
  'foreign-type': 'not a string (a hash, a list, a sorted set, …)',
  'hashed-key': 'stored under a digest, without its name beside it',
  'binary-key': 'the key is not text',
  'key-too-long': 'the key is empty, or longer than a store takes',
  'value-too-large': 'the value is larger than a store takes',
  bytes: 'the target takes text only',
  'tag-version': 'the version of a tag, of no use on a store without operations',
  'needs-operations': 'state of a lock, a limiter and such, of no use on a store without operations',
}
const SHOWN = 10

function textOf({ copied, bytes, gone, kept, notMoved }: MigrateResult): string {
  const lines = [`${copied} keys copied, ${(bytes / 1e6).toFixed(1)} MB; ${gone} ended before they could be`]
  if (kept > 0) lines.push(`${kept} left alone, since the target has them`)
  for (const { reason, count, keys } of notMoved) {
    lines.push(`${count} not moved: ${WHY[reason] ?? reason}`)
    for (const key of keys.slice(0, SHOWN))
      lines.push(`  ${JSON.stringify(key.length > 80 ? `${key.slice(0, 80)}…` : key)}`)
    if (count > SHOWN) lines.push(`  and ${count - Math.min(SHOWN, keys.length)} more`)
  }
  return lines.join('\n')
}

/** Copies the keys, prints the result, and ends the process with its exit code. */
export async function migrateCommand(args: string[]): Promise<void> {
  if (args.includes('--help') || args.includes('-h')) return void console.log(MIGRATE_HELP)
  const given = parse(args)
  const { env } = process
  const from = await openStore(given.from, { names: ['HITHER_FROM_TOKEN', 'HITHER_TOKEN'], env })
  const to = await openStore(given.to, { names: ['HITHER_TO_TOKEN', 'HITHER_TOKEN'], env })
  const run = runOf(given)
  const file = resolve(given.state ?? `hither-migrate-${run}.json`)
  const stop = new AbortController()
  let signals = 0
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (++signals > 1) process.exit(1)
      stop.abort(new Error('stopped'))
    })
  }
  console.error(`hither migrate: ${from.place} to ${to.place}; the state of the run is in ${file}`)
  const progress = progressOn(process.stderr)
  let code = 0
  try {
    const result = await migrate(from.store, to.store, {
      ...(given.namespace === undefined ? {} : { namespace: given.namespace }),
      existing: given.keep ? 'keep' : 'replace',
      keysPerSecond: Number(given.rate),
      bytesPerSecond: Number(given.megabytes) * 1_000_000,
      state: stateIn(file, run),
      signal: stop.signal,
      onProgress: progress.show,
    })
    progress.end()
    console.log(given.json ? JSON.stringify(result) : textOf(result))
  } catch (error) {
    progress.end()
    const isUsage = isHitherError(error) && /^(INVALID_|UNSUPPORTED)/.test(error.code)
    code = isUsage ? 2 : 1
    const goesOn = isUsage ? '' : '; the same command goes on from here'
    console.error(`hither: ${stop.signal.aborted ? 'stopped' : reasonOf(error)}${goesOn}`)
  }
  await Promise.allSettled([from.store.close(), to.store.close()])
  process.exit(code)
}
