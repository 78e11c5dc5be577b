import { connect } from 'node:net'
import type { VisitedBucket } from './doctor-nats.ts'
import type { Check } from './doctor-report.ts'
import { askServer, type OpenedStore } from './stores.ts'

/** What a server reports about itself. */
export interface Identity {
  readonly system: string
  readonly version: string
  /** The fields of INFO; empty where it is refused. */
  readonly info: ReadonlyMap<string, string>
}

/** Fields of INFO by which servers name themselves. The last is the level of Redis that all of them report. */
const NAMES: readonly (readonly [field: string, system: string])[] = [
  ['valkey_version', 'Valkey'],
  ['redict_version', 'Redict'],
  ['dragonfly_version', 'DragonflyDB'],
  ['garnet_version', 'Garnet'],
  ['memurai_version', 'Memurai'],
  ['upstash_version', 'Upstash'],
  ['redis_version', 'Redis'],
]

export async function identify({ store, kind, place }: OpenedStore, bucket?: VisitedBucket): Promise<Identity> {
  const info = new Map<string, string>()
  if (kind === 'memcached') return { system: 'Memcached', version: await memcachedVersion(place), info }
  if (kind === 'nats') return { system: 'NATS', version: bucket?.version ?? 'unknown', info }
  for (const section of ['server', 'memory']) {
    const text = await askServer(store, 'INFO', section)
    for (const [, name = '', value = ''] of String(text ?? '').matchAll(/^(\w+):(.*?)\r?$/gm)) info.set(name, value)
  }
  const [field, name] = NAMES.find(([field]) => info.has(field)) ?? ['', 'a server of Redis commands']
  const cluster = info.get('redis_mode') === 'cluster' || store.transport?.cluster ? ' Cluster' : ''
  const way = kind === 'rest' ? ', over REST' : ''
  return { system: `${name}${cluster}${way}`, version: info.get(field) ?? 'unknown', info }
}

/** Resolves to `unknown` over TLS, or if the server wants a password first. */
function memcachedVersion(place: string): Promise<string> {
  const first = place.split(', ')[0] ?? ''
  const [, host = '', port = '11211'] = /^\[?(.*?)\]?(?::(\d+))?$/.exec(first) ?? []
  return new Promise((resolve) => {
    let text = ''
    const socket = connect(Number(port), host, () => socket.write('version\r\n'))
    socket.setTimeout(2000, () => socket.destroy())
    socket.on('error', () => {}).on('close', () => resolve(/^VERSION (\S+)/.exec(text)?.[1] ?? 'unknown'))
    socket.on('data', (data) => {
      text += data.toString('latin1')
      if (text.includes('\n')) socket.destroy()
    })
  })
}

/** Whether keys may be evicted before their lifetime ends. */
export async function evictionOf(
  { store, kind, bucket }: OpenedStore & { readonly bucket?: VisitedBucket | undefined },
  info: Identity['info'],
): Promise<Check> {
  const name = 'eviction'
  const danger = 'a lock may be lost while it is held, a limit may forget, a session may end'
  if (kind === 'memcached') return { name, ok: false, costs: `Memcached drops what it has no room for: ${danger}` }
  if (kind === 'nats') return { name, ok: !bucket?.ends, costs: bucket?.ends ? `${bucket.ends}: ${danger}` : '' }
  // Garnet has no policy to ask for.
  if (info.has('garnet_version'))
    return { name, ok: false, costs: `Garnet drops its oldest keys past --memory: ${danger}` }
  let policy = info.get('maxmemory_policy')
  let most = info.get('maxmemory')
  if (policy === undefined) {
    const reply = await askServer(store, 'CONFIG', 'GET', 'maxmemory*')
    const pairs = Array.isArray(reply) ? reply.map(String) : []
    policy = pairs[pairs.indexOf('maxmemory-policy') + 1]
    most = pairs[pairs.indexOf('maxmemory') + 1]
  }
  if (!policy) return { name, ok: false, costs: 'not known, INFO is refused: where it is not noeviction, ' + danger }
  if (policy === 'noeviction') return { name, ok: true, costs: '' }
  if (most === '0') return { name, ok: true, costs: `${policy}, but no maxmemory is set: nothing is evicted` }
  return { name, ok: false, costs: `maxmemory-policy is ${policy}: past maxmemory ${danger}. Set it to noeviction` }
}
