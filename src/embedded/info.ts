import type { Engine } from './contracts.ts'
import { sizeOf } from './values.ts'
import { VERSION } from './version.ts'

/**
 * Bytes of all keys and values. Counted exactly with a bound; otherwise the first 1000 keys of each database are added up, and
 * the rest is estimated from them.
 */
function usedBytes(engine: Engine): number {
  if (engine.meter) return engine.meter.bytes
  let bytes = 0
  for (const { entries } of engine.databases) {
    const looked = Math.min(entries.size, 1000)
    let part = 0
    for (let i = 0; i < looked; i++) part += sizeOf(entries.names[i] as string, entries.values[i] as string)
    if (looked > 0) bytes += Math.round((part / looked) * entries.size)
  }
  return bytes
}

const human = (bytes: number): string => {
  if (bytes < 1024) return `${bytes}B`
  const power = Math.min(3, Math.floor(Math.log2(bytes) / 10))
  return `${(bytes / 1024 ** power).toFixed(2)}${'BKMG'[power]}`
}

type Section = (engine: Engine) => readonly (readonly [name: string, value: string | number])[]

const seconds = (ms: number): number => Math.floor(ms / 1000)

const SECTIONS: Readonly<Record<string, Section>> = {
  Server: (engine) => [
    ['redis_version', VERSION],
    ['redis_git_sha1', '00000000'],
    ['redis_git_dirty', 0],
    ['redis_build_id', '0'],
    ['redis_mode', 'standalone'],
    ['os', 'hither'],
    ['arch_bits', 64],
    ['monotonic_clock', 'performance.now'],
    ['multiplexing_api', 'event loop'],
    ['process_id', 1],
    ['run_id', '0'.repeat(40)],
    ['tcp_port', engine.config.values.get('port') as string],
    ['server_time_usec', engine.nowMs * 1000],
    ['uptime_in_seconds', seconds(engine.nowMs - engine.startedMs)],
    ['uptime_in_days', Math.floor((engine.nowMs - engine.startedMs) / 86_400_000)],
    ['hz', 10],
    ['executable', 'hither'],
    ['config_file', ''],
  ],
  Clients: (engine) => [
    ['connected_clients', engine.clients.size],
    ['maxclients', 10_000],
    ['blocked_clients', engine.waiters.count],
    ['tracking_clients', engine.tracking.clients],
    ['pubsub_clients', [...engine.clients.values()].filter((one) => one.channels.size + one.patterns.size > 0).length],
    ['watching_clients', [...engine.clients.values()].filter((one) => one.watched.size > 0).length],
  ],
  Memory: (engine) => {
    const used = usedBytes(engine)
    const max = Number(engine.config.values.get('maxmemory'))
    return [
      ['used_memory', used],
      ['used_memory_human', human(used)],
      ['used_memory_rss', used],
      ['used_memory_peak', used],
      ['used_memory_dataset', used],
      ['maxmemory', max],
      ['maxmemory_human', human(max)],
      ['maxmemory_policy', engine.config.values.get('maxmemory-policy') as string],
      ['mem_fragmentation_ratio', '1.00'],
      ['mem_allocator', 'javascript'],
    ]
  },
  Persistence: (engine) => [
    ['loading', 0],
    ['async_loading', 0],
    ['rdb_changes_since_last_save', engine.changes],
    ['rdb_bgsave_in_progress', 0],
    ['rdb_last_save_time', seconds(engine.startedMs)],
    ['rdb_last_bgsave_status', 'ok'],
    ['aof_enabled', 0],
    ['aof_rewrite_in_progress', 0],
  ],
  Stats: (engine) => [
    ['total_connections_received', engine.connections],
    ['total_commands_processed', engine.commandsRun],
    ['instantaneous_ops_per_sec', 0],
    ['rejected_connections', 0],
    ['expired_keys', engine.expired],
    ['evicted_keys', engine.evicted],
    ['keyspace_hits', engine.hits],
    ['keyspace_misses', engine.misses],
    ['pubsub_channels', engine.channels.byName.size],
    ['pubsub_patterns', engine.channels.byPattern.size],
    ['pubsubshard_channels', engine.channels.byShard.size],
    ['tracking_total_keys', engine.tracking.keys],
  ],
  Replication: () => [
    ['role', 'master'],
    ['connected_slaves', 0],
    ['master_failover_state', 'no-failover'],
    ['master_replid', '0'.repeat(40)],
    ['master_repl_offset', 0],
    ['second_repl_offset', -1],
    ['repl_backlog_active', 0],
  ],
  CPU: () => [
    ['used_cpu_sys', '0.000000'],
    ['used_cpu_user', '0.000000'],
  ],
  Modules: () => [],
  Commandstats: (engine) =>
    [...engine.table.values()]
      .flatMap((one) => [one, ...one.subcommands.values()])
      .filter(({ calls }) => calls > 0)
      .map(({ name, calls }) => [
        `cmdstat_${name}`,
        `calls=${calls},usec=0,usec_per_call=0.00,rejected_calls=0,failed_calls=0`,
      ]),
  Errorstats: () => [],
  Cluster: () => [['cluster_enabled', 0]],
  Keyspace: (engine) =>
    engine.databases
      .filter((db) => db.entries.size > 0)
      .map((db) => [
        `db${db.index}`,
        `keys=${db.entries.size},expires=${db.ends.size},avg_ttl=0,subexpiry=${db.fieldEnds.size}`,
      ]),
}

const USUAL = Object.keys(SECTIONS).filter((name) => name !== 'Commandstats')

/** The text of INFO for the sections asked for. */
export function info(engine: Engine, asked: readonly string[]): string {
  const wanted = new Set(asked.map((name) => name.toLowerCase()))
  const isAll = wanted.has('all') || wanted.has('everything')
  const isUsual = wanted.size === 0 || wanted.has('default')
  return Object.entries(SECTIONS)
    .filter(([name]) => isAll || wanted.has(name.toLowerCase()) || (isUsual && USUAL.includes(name)))
    .map(([name, section]) =>
      [`# ${name}\r\n`, ...section(engine).map(([key, value]) => `${key}:${value}\r\n`)].join(''),
    )
    .join('\r\n')
}
