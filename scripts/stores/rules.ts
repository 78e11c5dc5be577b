/**
 * Systems that this project cannot start. The restrictions in their documentation are their rules. The row of such a system is
 * the one of another server that is made to refuse the same (under-rules.ts), or of a system that refuses at least as much.
 */
export interface Ruled {
  readonly name: string
  /** The system whose cells it takes over; absent if a server was run under its rules. */
  readonly like?: string
  /** What was run in its place. */
  readonly run: string
  readonly rule: string
  /** Why hither works under this rule. */
  readonly answer: string
  readonly sources: readonly string[]
}

export const ruled: readonly Ruled[] = [
  {
    name: 'DragonflyDB',
    run: 'Redis 7 without `FUNCTION`, each script behind a check of the keys it touches; in Lua 5.1',
    rule: 'Lua 5.4; a script that touches a key it did not declare fails; no `FUNCTION`',
    answer: 'every script names its keys in `KEYS`; no `FUNCTION` is sent',
    sources: ['https://www.dragonflydb.io/docs/managing-dragonfly/scripting'],
  },
  {
    name: 'Memurai',
    like: 'Redis 7, `hither/tcp`',
    run: 'Redis 7.0',
    rule: 'the commands, protocol, Cluster and Sentinel of Redis 7, on Windows',
    answer: 'nothing newer than Redis 7.0 is needed',
    sources: ['https://docs.memurai.com/en/reference-client-libraries', 'https://docs.memurai.com/en/server-roles'],
  },
  {
    name: 'ElastiCache Serverless',
    run: 'a Redis Cluster without these commands',
    rule: 'no `CONFIG`, `DEBUG`, `MIGRATE`, `REPLICAOF`, `SAVE` and the like; a Cluster, so that keys of two slots in one command are refused',
    answer: 'none of these is sent; commands are split by slot',
    sources: [
      'https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/ClientConfig.RestrictedCommands.html',
      'https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/SupportedCommands.html',
    ],
  },
  {
    name: 'Upstash',
    like: 'REST: the gateway before Redis 8',
    run: 'the gateway, which refuses what Upstash refuses',
    rule: 'no `WATCH`, no blocking commands, no `CLIENT TRACKING`; keys to 32 KB, requests to 10 MB; replicas may lag',
    answer:
      'operations are scripts, with its flag for locking by key; reads carry its sync token; keys are shorter, and a larger request is refused',
    sources: [
      'https://upstash.com/docs/redis/overall/rediscompatibility',
      'https://upstash.com/docs/redis/troubleshooting/max_key_size_exceeded',
      'https://upstash.com/docs/redis/troubleshooting/max_request_size_exceeded',
    ],
  },
]
