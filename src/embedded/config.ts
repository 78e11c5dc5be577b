import { checkOneOf } from '../protocol/arguments.ts'
import type { Engine, EngineConfig } from './contracts.ts'
import { sha256 } from './digest.ts'
import { parseInt64 } from './numbers.ts'
import { fail, quoting } from './reply.ts'

const DEFAULTS = `
acllog-max-len 128|activedefrag no|activerehashing yes|appendfsync everysec|appendonly no|bind 127.0.0.1
busy-reply-threshold 5000|client-query-buffer-limit 1073741824|cluster-enabled no
databases 16|dbfilename dump.rdb|dir /|dynamic-hz yes|hash-max-listpack-entries 512|hash-max-listpack-value 64
hash-max-ziplist-entries 512|hash-max-ziplist-value 64|hll-sparse-max-bytes 3000|hz 10|io-threads 1
latency-monitor-threshold 0|latency-tracking yes|lazyfree-lazy-eviction no|lazyfree-lazy-expire no
lazyfree-lazy-server-del no|lazyfree-lazy-user-del no|lfu-decay-time 1|lfu-log-factor 10|list-compress-depth 0
list-max-listpack-size -2|list-max-ziplist-size -2|logfile |loglevel notice|lua-time-limit 5000|maxclients 10000|maxmemory 0
maxmemory-clients 0|maxmemory-eviction-tenacity 10|maxmemory-policy noeviction|maxmemory-samples 5|min-replicas-to-write 0
notify-keyspace-events |port 6379|proto-max-bulk-len 536870912|protected-mode yes|rdbcompression yes|rdbchecksum yes
replica-read-only yes|replica-serve-stale-data yes|requirepass |save |set-max-intset-entries 512
set-max-listpack-entries 128|set-max-listpack-value 64|slowlog-log-slower-than 10000|slowlog-max-len 128
stream-node-max-bytes 4096|stream-node-max-entries 100|supervised no|tcp-backlog 511|tcp-keepalive 300|timeout 0
tracking-table-max-keys 1000000|zset-max-listpack-entries 128|zset-max-listpack-value 64|zset-max-ziplist-entries 128
zset-max-ziplist-value 64`
const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1000,
  kb: 1024,
  m: 1e6,
  mb: 1024 ** 2,
  g: 1e9,
  gb: 1024 ** 3,
}
const IMMUTABLE = /^(databases|port|bind|cluster-enabled|dir|io-threads|supervised|tcp-backlog|logfile)$/
/** Parameters with two names. */
const ALIASES: Readonly<Record<string, string>> = {
  'hash-max-listpack-entries': 'hash-max-ziplist-entries',
  'hash-max-listpack-value': 'hash-max-ziplist-value',
  'list-max-listpack-size': 'list-max-ziplist-size',
  'zset-max-listpack-entries': 'zset-max-ziplist-entries',
  'zset-max-listpack-value': 'zset-max-ziplist-value',
  'busy-reply-threshold': 'lua-time-limit',
}
const ENUMS: Readonly<Record<string, readonly string[]>> = {
  appendfsync: ['everysec', 'always', 'no'],
  loglevel: ['debug', 'verbose', 'notice', 'warning', 'nothing'],
  'maxmemory-policy':
    'volatile-lru volatile-lfu volatile-random volatile-ttl allkeys-lru allkeys-lfu allkeys-random noeviction'.split(
      ' ',
    ),
}
const MEMORY = /^maxmemory$|-max-(listpack|ziplist)-value$|-max-bytes$|^(proto-max-bulk-len|client-query-buffer-limit)$/
const MAX_INT = 2n ** 31n - 1n
const MAX_LONG = 2n ** 63n - 1n
const RANGES: Readonly<Record<string, readonly [least: bigint, most: bigint]>> = {
  'maxmemory-samples': [1n, 64n],
  maxclients: [1n, 4_294_967_295n],
  'slowlog-log-slower-than': [-1n, MAX_LONG],
  'list-max-listpack-size': [-MAX_INT - 1n, MAX_INT],
  'proto-max-bulk-len': [1_048_576n, MAX_LONG],
  'client-query-buffer-limit': [1_048_576n, MAX_LONG],
}
/** Parameters of 31 bits. Other numbers have 63. */
const INTS = /^(hz|timeout|tcp-keepalive|list-compress-depth|lfu-.*|min-replicas-to-write|maxmemory-eviction-tenacity)$/

/** An amount such as `64mb` in bytes; empty text is 0. Undefined for a text that is not an amount of memory. */
function parseMemory(text: string): bigint | undefined {
  const [, digits = '', unit = ''] = /^(\d*)([a-z]*)$/i.exec(text) ?? [undefined, undefined, '-']
  const factor = UNITS[unit.toLowerCase()]
  return factor === undefined ? undefined : BigInt(digits || 0) * BigInt(factor)
}

/** The form in which a value is stored, by its parameter's default value. Throws error replies; `bad` throws with a reason. */
function normalise(name: string, value: string, usual: string, bad: (why: string) => never): string {
  const lower = value.toLowerCase()
  if (/^(yes|no)$/.test(usual) && !(name in ENUMS))
    return /^(yes|no)$/.test(lower) ? lower : bad("argument must be 'yes' or 'no'")
  const names = ENUMS[name]
  if (names) return names.includes(lower) ? lower : bad(`argument(s) must be one of the following: ${names.join(', ')}`)
  if (name === 'save') {
    const words = value.split(/\s+/).filter(Boolean)
    const isWhole = words.length % 2 === 0 && words.every((word, i) => /^\d+$/.test(word) && (i % 2 === 1 || +word > 0))
    return isWhole ? words.join(' ') : bad('Invalid save parameters')
  }
  if (!/^-?\d+$/.test(usual)) return value
  const isMemory = MEMORY.test(name)
  if (name === 'maxmemory-clients' && parseMemory(value.replace(/%$/, '')) === undefined)
    return bad('argument must be a memory or percent value')
  const number = isMemory ? parseMemory(value) : parseInt64(value)
  if (number === undefined)
    return bad(`argument ${isMemory ? 'must be a memory value' : "couldn't be parsed into an integer"}`)
  if (name === 'maxmemory') return `${BigInt(number) < 2n ** 64n ? number : 2n ** 64n - 1n}`
  const [least, most] = RANGES[name] ?? [0n, INTS.test(name) ? MAX_INT : MAX_LONG]
  if (number < least || number > most) bad(`argument must be between ${least} and ${most} inclusive`)
  // Redis limits hz to 1 to 500.
  return name === 'hz' ? `${Math.min(500, Math.max(1, Number(number)))}` : `${number}`
}

/** Lists each class of `KEA` by its letter, in Redis's order. Undefined for an unknown letter. */
function parseEvents(text: string): string | undefined {
  if (!/^[KEg$lshzxetdmnA]*$/.test(text)) return undefined
  const all = new Set(text.replaceAll('A', 'g$lshzxetd'))
  const classes = [...'g$lshzxetd'].every((letter) => all.has(letter))
    ? 'A'
    : [...'g$lshzxetd'].filter((letter) => all.has(letter)).join('')
  return classes + [...'KEmn'].filter((letter) => all.has(letter)).join('')
}

interface ConfigOptions {
  readonly maxBytes?: number
  readonly evictionPolicy?: string
  readonly password?: string
}

export function createConfig(engine: Engine, options: ConfigOptions): EngineConfig {
  const values = new Map<string, string>()
  for (const pair of DEFAULTS.trim().split(/[|\n]/)) {
    const at = pair.indexOf(' ')
    values.set(pair.slice(0, at), pair.slice(at + 1))
  }
  const defaults = new Map(values)
  values.set('requirepass', options.password ?? '')
  const bad = (name: string, why: string): never =>
    fail(quoting`ERR CONFIG SET failed (possibly related to argument '${name}') - ${why}`)
  const config: EngineConfig = {
    values,
    events: new Set(),
    set(given, value) {
      const name = Object.keys(ALIASES).find((one) => ALIASES[one] === given) ?? given
      const usual = defaults.get(name)
      if (usual === undefined) fail(quoting`ERR Unknown option or number of arguments for CONFIG SET - '${given}'`)
      if (IMMUTABLE.test(name)) bad(given, "can't set immutable config")
      if (name === 'notify-keyspace-events') {
        const events = parseEvents(value) ?? bad(name, "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
        values.set(name, events)
        config.events = new Set([...events.replaceAll('A', 'g$lshzxetd')])
        return
      }
      const kept = normalise(name, value, usual as string, (why) => bad(given, why))
      values.set(name, kept)
      const alias = ALIASES[name]
      if (alias) values.set(alias, kept)
      if (name === 'maxmemory' || (name === 'maxmemory-policy' && engine.meter))
        engine.bound(Number(values.get('maxmemory')), values.get('maxmemory-policy') as string)
      if (name !== 'requirepass') return
      const user = engine.users.get('default')
      if (!user) return
      user.nopass = value === ''
      user.passwords.clear()
      if (value) user.passwords.add(sha256(value))
    },
  }
  const policies = ENUMS['maxmemory-policy'] as readonly string[]
  const policy = checkOneOf(options.evictionPolicy ?? 'noeviction', 'evictionPolicy', policies)
  values.set('maxmemory-policy', policy)
  if (options.maxBytes) {
    values.set('maxmemory', `${options.maxBytes}`)
    engine.bound(options.maxBytes, policy)
  }
  return config
}
