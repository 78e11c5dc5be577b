import type { Engine, EngineConfig } from './contracts.ts'
import { fail, quoting } from './reply.ts'

const DEFAULTS = `
acllog-max-len 128|activedefrag no|activerehashing yes|appendfsync everysec|appendonly no|bind 127.0.0.1
busy-reply-threshold 5000|client-query-buffer-limit 1073741824|close-on-replica-write yes|cluster-enabled no
databases 16|dbfilename dump.rdb|dir /|dynamic-hz yes|hash-max-listpack-entries 128|hash-max-listpack-value 64
hash-max-ziplist-entries 128|hash-max-ziplist-value 64|hll-sparse-max-bytes 3000|hz 10|io-threads 1
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
const POLICIES = /^(noeviction|(allkeys|volatile)-(lru|lfu|random)|volatile-ttl)$/
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

/** `64mb` in bytes; undefined for what is no amount of memory. */
function parseMemory(text: string): number | undefined {
  const [, digits, unit = ''] = /^(\d{1,15})([a-z]*)$/i.exec(text) ?? []
  const factor = UNITS[unit.toLowerCase()]
  return digits === undefined || factor === undefined ? undefined : Number(digits) * factor
}

/** `KEA` with each class by its own letter, in Redis's order; undefined for an unknown letter. */
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
  values.set('requirepass', options.password ?? '')
  const bad = (name: string, why: string): never =>
    fail(quoting`ERR CONFIG SET failed (possibly related to argument '${name}') - ${why}`)
  const config: EngineConfig = {
    values,
    events: new Set(),
    set(name, value) {
      const old = values.get(name)
      if (old === undefined) fail(quoting`ERR Unknown option or number of arguments for CONFIG SET - '${name}'`)
      if (IMMUTABLE.test(name)) bad(name, "can't set immutable config")
      if (name === 'maxmemory') {
        const bytes = parseMemory(value) ?? bad(name, 'argument must be a memory value')
        values.set(name, `${bytes}`)
        engine.bound(bytes, values.get('maxmemory-policy') as string)
        return
      }
      if (name === 'maxmemory-policy') {
        const policy = value.toLowerCase()
        if (!POLICIES.test(policy)) {
          bad(
            name,
            'argument(s) must be one of the following: volatile-lru, volatile-lfu, volatile-random, volatile-ttl, allkeys-lru, allkeys-lfu, allkeys-random, noeviction',
          )
        }
        values.set(name, policy)
        if (engine.meter) engine.bound(engine.meter.maxBytes, policy)
        return
      }
      if (name === 'notify-keyspace-events') {
        const events = parseEvents(value) ?? bad(name, "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
        values.set(name, events)
        config.events = new Set([...events.replaceAll('A', 'g$lshzxetd')])
        return
      }
      if (name === 'requirepass') {
        const user = engine.users.get('default')
        if (user) {
          user.nopass = value === ''
          user.passwords.clear()
          if (value) user.passwords.add(value)
        }
      } else if (/^\d+$/.test(old as string) && !/^-?\d+$/.test(value) && parseMemory(value) === undefined) {
        bad(name, "argument couldn't be parsed into an integer")
      } else if (/^(yes|no)$/.test(old as string) && !/^(yes|no)$/i.test(value))
        bad(name, "argument must be 'yes' or 'no'")
      values.set(name, value)
    },
  }
  const policy = options.evictionPolicy ?? 'noeviction'
  values.set('maxmemory-policy', policy)
  if (options.maxBytes) {
    values.set('maxmemory', `${options.maxBytes}`)
    engine.bound(options.maxBytes, policy)
  }
  return config
}
