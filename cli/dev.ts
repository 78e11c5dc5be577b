import { parseArgs } from 'node:util'
import { type StartedDev, startDev } from 'hither/node'
import { fail } from './fail.ts'
import { stopOnSignals } from './signals.ts'

const HELP = `hither dev: Upstash's REST and Redis's RESP on one store in this process, for development

  hither dev
  hither dev --port 8079 --redis-port 6379 --token secret --snapshot data.hither

  --port N        of REST, default 8079 (or PORT); 0 takes a free one
  --redis-port N  of RESP, default 6379; 0 takes a free one
  --host ADDR     default 127.0.0.1
  --token TEXT    what clients of REST send as bearer token (or HITHER_TOKEN)   default a random one, printed
  --requirepass TEXT  what clients of RESP say with AUTH
  --maxmemory N   such as 64mb; a write beyond it is refused   default without a bound
  --maxmemory-policy NAME  such as allkeys-lru: what is deleted then instead   default noeviction
  --snapshot FILE keeps the data between runs
  --seed FILE     commands to begin with where there is no data, one a line
  --log           a line for each command, on standard error
`

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1e3,
  kb: 1024,
  m: 1e6,
  mb: 1024 ** 2,
  g: 1e9,
  gb: 1024 ** 3,
}
const POLICIES = /^(noeviction|(allkeys|volatile)-(lru|lfu|random)|volatile-ttl)$/

function toPort(name: string, text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) fail(`${name} is a number from 0 to 65535`)
  return Number(text)
}

function toBytes(text: string): number {
  const [, digits, unit = ''] = /^(\d{1,12})([a-z]*)$/i.exec(text) ?? []
  const factor = UNITS[unit.toLowerCase()]
  if (digits === undefined || factor === undefined) return fail('--maxmemory is an amount such as 64mb')
  return Number(digits) * factor
}

function parse(args: string[]) {
  const { env } = process
  return parseArgs({
    args,
    options: {
      port: { type: 'string', default: env.PORT || '8079' },
      'redis-port': { type: 'string', default: '6379' },
      host: { type: 'string', default: '127.0.0.1' },
      token: { type: 'string', default: env.HITHER_TOKEN ?? '' },
      requirepass: { type: 'string', default: '' },
      maxmemory: { type: 'string', default: '0' },
      'maxmemory-policy': { type: 'string', default: 'noeviction' },
      snapshot: { type: 'string', default: '' },
      seed: { type: 'string', default: '' },
      log: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  }).values
}

function announce({ url, redisUrl, token, engine }: StartedDev, isTokenOurs: boolean): void {
  const shown = isTokenOurs ? token : '<token>'
  const keys = engine.databases.reduce((sum, db) => sum + db.entries.size, 0)
  console.log(`dev server${keys > 0 ? ` with ${keys} keys` : ''}`)
  console.log(`  REST   ${url}   token ${shown}`)
  console.log(`  RESP   ${redisUrl}`)
  console.log(`  curl ${url}/set/hello/world -H "Authorization: Bearer ${shown}"`)
  console.log(`  redis-cli -u ${redisUrl} get hello`)
}

/** Runs the development server until a signal ends it. Rejects with the error that keeps it from starting. */
export async function dev(args: string[]): Promise<void> {
  const values = parse(args)
  if (values.help) return void console.log(HELP)
  const policy = values['maxmemory-policy'].toLowerCase()
  if (!POLICIES.test(policy))
    fail('--maxmemory-policy is noeviction, allkeys-lru, volatile-ttl or another policy of Redis')
  const started = await startDev({
    port: toPort('--port', values.port),
    redisPort: toPort('--redis-port', values['redis-port']),
    host: values.host,
    maxBytes: toBytes(values.maxmemory),
    evictionPolicy: policy,
    ...(values.token ? { token: values.token } : {}),
    ...(values.requirepass ? { password: values.requirepass } : {}),
    ...(values.snapshot ? { snapshot: values.snapshot } : {}),
    ...(values.seed ? { seed: values.seed } : {}),
    ...(values.log ? { onCommand: (line: string) => console.error(line) } : {}),
    onError: (error) => console.error(`hither: ${error.message}`),
  }).catch((error: unknown) => {
    const { code, port } = error as { code?: string; port?: string }
    if (code === 'EADDRINUSE' && port?.startsWith('--'))
      fail(`the port is taken: give another with ${port}, or 0 for a free one`)
    throw error
  })
  stopOnSignals(() => started.stop())
  started.engine.onShutdown = () => process.emit('SIGTERM')
  announce(started, !values.token)
}
