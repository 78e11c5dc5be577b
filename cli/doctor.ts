import { randomBytes } from 'node:crypto'
import { parseArgs } from 'node:util'
import { isHitherError } from 'hither'
import { aclOf, FEATURES, WrongResult, write } from './doctor-features.ts'
import { type VisitedBucket, visitBucket } from './doctor-nats.ts'
import { type Check, type Latency, latencyOf, type Report, reasonOf, textOf } from './doctor-report.ts'
import { evictionOf, identify } from './doctor-server.ts'
import { type Watched, watched } from './doctor-store.ts'
import { fail } from './fail.ts'
import { askServer, checkUrl, type OpenedStore, openStore } from './stores.ts'

const DOCTOR_HELP = `hither doctor: checks what a server of yours can do, and what is missing

  hither doctor redis://127.0.0.1:6379
  hither doctor redis://10.0.0.1:6379,redis://10.0.0.2:6379 --for cache,limits,locks
  HITHER_TOKEN=… hither doctor https://example.upstash.io --json

  --for LIST      of ${Object.keys(FEATURES).join(', ')}: the exit code is 0 when all of these work
                  default all but near
  --json          prints one JSON text: system, version, latency, checks, acl
  A url is redis:, rediss:, valkey:, valkeys:, unix:, memcached: or memcacheds:, nats://host:4222/bucket,
  or https: with a token in HITHER_TOKEN or UPSTASH_REDIS_REST_TOKEN.
  Exit code 1: something asked for does not work, or the server cannot be reached. 2: wrong usage.
  Its keys are under a prefix made for each run, and are deleted at the end.
`

const TOKENS = ['HITHER_TOKEN', 'UPSTASH_REDIS_REST_TOKEN']
const SAMPLES = 50
/** Longest measurement of one call, in milliseconds. */
const SAMPLING_MS = 2000
const LIFE_MS = 60_000

/** What the parts of one run share. */
interface Visit extends OpenedStore {
  readonly watch: Watched
  readonly namespace: string
  readonly asked: readonly string[]
  readonly stopped: Promise<never>
  /** For NATS: the bucket. */
  readonly bucket: VisitedBucket | undefined
}

const say = (line: string): void => console.error(`  ${line}`)

function parse(args: string[]): { readonly url: string; readonly asked: readonly string[]; readonly json: boolean } {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: { for: { type: 'string' }, json: { type: 'boolean', default: false } },
  })
  const [url] = positionals
  if (!url || positionals.length > 1) fail('doctor takes one url; nodes of a Cluster are joined by commas')
  const asked =
    values.for === undefined ? Object.keys(FEATURES).filter((name) => name !== 'near') : values.for.split(',')
  if (!asked.every((name) => Object.hasOwn(FEATURES, name)))
    fail(`--for is a list of ${Object.keys(FEATURES).join(', ')}, joined by commas`)
  return { url, asked: [...new Set(asked)], json: values.json }
}

/** Checks a server, prints the result, and ends the process with its exit code. */
export async function doctor(args: string[]): Promise<void> {
  if (args.includes('--help') || args.includes('-h')) return void console.log(DOCTOR_HELP)
  const { url: given, asked, json } = parse(args)
  const url = checkUrl(given)
  const opened = await openStore(url, { names: TOKENS, env: process.env })
  const watch = watched(opened.store)
  const namespace = `hither-doctor-${randomBytes(6).toString('hex')}`
  const { stopped, isStopped } = onSignals(watch)
  console.error(`hither doctor: ${opened.place}, keys under ${namespace}`)
  const bucket = opened.kind === 'nats' ? await visitBucket(url, namespace) : undefined
  let report: Report
  try {
    report = await examine({ ...opened, watch, namespace, asked, stopped, bucket })
  } catch (error) {
    if (!isStopped()) console.error(`hither: ${reasonOf(error)}`)
    // Whoever lacks the right to read wants to know which rights are needed.
    const isDenied = opened.kind === 'redis' && (error as { readonly reply?: unknown }).reply === 'NOPERM'
    const acl = isDenied ? aclOf(asked, { scripts: true, cluster: opened.store.transport?.cluster === true }) : null
    report = { system: 'unknown', version: 'unknown', latency: {}, checks: [unreachable(error)], acl }
  }
  await watch
    .clean()
    .catch((error: unknown) => say(`its keys could not be deleted, and end within a minute: ${reasonOf(error)}`))
  await opened.store.close()
  await bucket?.leave().catch(() => say('the bucket that was made for the checks could not be deleted'))
  if (isStopped()) process.exit(1)
  const text = json ? JSON.stringify(report) : textOf(report)
  const works = asked.every((name) => report.checks.some((check) => check.name === name && check.ok))
  process.stdout.write(`${text}\n`, () => process.exit(works ? 0 : 1))
}

const unreachable = (error: unknown): Check => ({ name: 'reach', ok: false, costs: reasonOf(error) })

/** The first signal ends the checks, so that the keys are deleted; a second ends the process. */
function onSignals(watch: Watched): { readonly stopped: Promise<never>; isStopped(): boolean } {
  let count = 0
  let reject = (_: Error): void => {}
  const stopped = new Promise<never>((_, refuse) => {
    reject = refuse
  })
  stopped.catch(() => {})
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      if (++count > 1) process.exit(1)
      console.error('hither: stopped; deleting its keys')
      const reason = new Error('stopped')
      watch.stop(reason)
      reject(reason)
    })
  }
  return { stopped, isStopped: () => count > 0 }
}

async function examine(visit: Visit): Promise<Report> {
  const { store, kind, watch, namespace, asked, stopped } = visit
  const orStop = <T>(work: Promise<T>): Promise<T> => Promise.race([work, stopped])
  const checks: Check[] = []
  // A read is the least right that every user has. Its error says why nothing else would work either.
  await orStop(store.get(`${namespace}:reach`).catch(orRefused))
  checks.push({ name: 'reach', ok: true, costs: '' })
  const { system, version, info } = await orStop(identify(visit, visit.bucket))
  say(`${system} ${version}`)
  const check = async (name: string, work: () => Promise<string | undefined>): Promise<void> => {
    const result = await orStop(
      work().then(
        (costs) => ({ name, ok: true, costs: costs ?? '' }),
        (error: unknown) => ({ name, ok: false, costs: reasonOf(error) }),
      ),
    )
    say(`${result.ok ? 'ok' : 'no'} ${name}`)
    checks.push(result)
  }
  await check('store', () => tryStore(watch, namespace))
  const scripts = kind !== 'redis' && kind !== 'rest' ? undefined : await orStop(runsScripts(visit))
  await check('operations', () => tryOperations(visit, scripts, info.has('garnet_version')))
  for (const [name, feature] of Object.entries(FEATURES)) {
    await check(name, async () => {
      watch.takeFault()
      await feature.run({ store: watch.store, namespace }).catch((error: unknown) => {
        // The error of the store says more than the wrong result.
        throw (error instanceof WrongResult && watch.takeFault()) || error
      })
      return undefined
    })
  }
  checks.push(await orStop(evictionOf(visit, info)))
  const latency = await measure(visit, orStop)
  // A user who can run neither scripts nor WATCH is shown the rights for scripts, which are cheaper.
  const runs = scripts !== false || !checks.some(({ name, ok }) => name === 'operations' && ok)
  const cluster = store.transport?.cluster === true
  const acl = kind === 'redis' ? aclOf(asked, { scripts: runs, cluster }) : null
  return { system, version, latency, checks, acl }
}

/**
 * A read that the server refuses shows that it can be reached. Only a refused SELECT is thrown: without the database every call
 * would be refused.
 */
function orRefused(error: unknown): undefined {
  if (isHitherError(error) && error.code === 'STORE_REJECTED' && !error.message.startsWith('SELECT ')) return undefined
  throw error
}

async function tryStore({ store }: Watched, namespace: string): Promise<undefined> {
  const key = `${namespace}:store`
  await store.set(key, 'ü', LIFE_MS)
  if ((await store.get(key)) !== 'ü') throw new Error('what was written is not read')
  await store.delete([key])
  if ((await store.get(key)) !== undefined) throw new Error('what was deleted is still read')
  return undefined
}

/** Whether the server runs scripts for this user. */
async function runsScripts({ store }: Visit): Promise<boolean> {
  return (await askServer(store, 'EVAL', 'return 1', 0)) === 1
}

async function tryOperations(
  { watch, namespace, kind, usesWatch }: Visit,
  scripts: boolean | undefined,
  isGarnet: boolean,
): Promise<string> {
  await watch.store.run(write, `${namespace}:operation`, ['1', LIFE_MS])
  if (kind === 'memcached' || kind === 'nats')
    return 'by compare-and-swap: two round trips or more each, by the clock of this process'
  if (scripts && !usesWatch?.()) return ''
  const why = scripts ? 'scripts run at once on a key' : 'scripts are refused'
  const mend = isGarnet ? '; start it with --lua --lua-transaction-mode' : ''
  return `${why}, so that they run under WATCH: five round trips each, four connections at most${mend}`
}

/** Latency of each kind of call, made one after another, in milliseconds. A kind of call that fails is left out. */
async function measure(
  { watch, namespace }: Visit,
  orStop: <T>(work: Promise<T>) => Promise<T>,
): Promise<Report['latency']> {
  const { store } = watch
  const key = `${namespace}:latency`
  const many = Array.from({ length: 10 }, (_, i) => `${key}:${i}`)
  const calls: Readonly<Record<string, () => Promise<unknown>>> = {
    get: () => store.get(key),
    getMany: () => store.getMany(many),
    set: () => store.set(key, 'x'.repeat(100), LIFE_MS),
    run: () => store.run(write, key, ['x'.repeat(100), LIFE_MS]),
    delete: () => store.delete([key]),
  }
  const latency: Record<string, Latency> = {}
  const all: number[] = []
  for (const [name, call] of Object.entries(calls)) {
    const samples: number[] = []
    const endAt = performance.now() + SAMPLING_MS
    try {
      while (samples.length < SAMPLES && (samples.length === 0 || performance.now() < endAt)) {
        const from = performance.now()
        await orStop(call())
        samples.push(performance.now() - from)
      }
      latency[name] = latencyOf(samples)
      all.push(...samples)
      say(`measured ${name}`)
    } catch (error) {
      if (!isHitherError(error)) throw error
    }
  }
  return all.length > 0 ? { ...latency, call: latencyOf(all) } : latency
}
