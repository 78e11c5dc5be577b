import type { Feed, FeedHost, NearFeed } from '../../src/near/message-feed.ts'
import { reconnectDelay } from '../../src/runtime/backoff.ts'
import { setQuietTimer } from '../../src/runtime/clock.ts'
import type { Wire } from '../../src/store/transport.ts'
import { createNodes } from './nodes.ts'
import { type Plan, readOptions, type TcpTransportOptions } from './options.ts'
import type { Settings } from './settings.ts'
import { openTrackedLink, type TrackedLink } from './tracked-link.ts'
import { located } from './transport.ts'

/** How often the table of a Cluster is read again, in milliseconds. */
const NODES_MS = 2000
/** Most tag versions that are remembered. */
const MAX_VERSIONS = 10_000

/**
 * A near tier's feed from the server itself: `CLIENT TRACKING` reports each change to the cache's keys, also by programs that do
 * not use hither, and keys that expire or are evicted. Takes the options of `tcpTransport`, a url, or a list of urls. When the
 * first entry is kept, it opens a connection beside the store's, or on a Cluster one to each primary. While a connection is
 * down, only `maxAge` bounds how stale a read is; the tier is emptied when a connection ends, and when it is open again. If the
 * server refuses, the feed reports `feed-refused` to `onEvent` and does not ask again: `maxAge` stays the bound. Throws
 * `INVALID_URL` or `INVALID_ARGUMENT`.
 */
export function trackingFeed(options: TcpTransportOptions | string | readonly string[]): NearFeed {
  const plan = readOptions(
    typeof options === 'string' || Array.isArray(options) ? { url: options } : (options as TcpTransportOptions),
  )
  return (host) => createFeed(plan, host)
}

/**
 * The prefixes of a namespace's keys: its entries are under `name:`, its other keys under `:name:`, and its views are called
 * `name.view`. The server accepts no prefix that is the start of another. Without a name, all keys are tracked.
 */
function prefixesOf(channel: string): string[] {
  const name = channel.slice(1, -':near'.length)
  return name === '' ? [] : [`${name}:`, `${name}.`, `:${name}:`, `:${name}.`]
}

function createFeed(plan: Plan, host: FeedHost): Feed {
  let isCluster = plan.clustered
  let isOver = false
  let isStarted = false
  let failures = 0
  const settings: Settings = {
    ...located(plan),
    onCluster() {
      if (isCluster) return
      isCluster = true
      soon(0)
    },
  }
  const nodes = createNodes({ ...plan, settings })
  const prefixes = prefixesOf(host.channel)
  const links = new Map<string, TrackedLink>()
  const drop = createDrop(host)
  let cancel: (() => void) | undefined

  const soon = (ms: number): void => {
    cancel?.()
    if (!isOver) cancel = setQuietTimer(() => void spread(), ms)
  }
  const end = (): void => {
    isOver = true
    cancel?.()
    for (const link of links.values()) link.end()
    void nodes.close()
  }
  const open = (name: string, to: Settings): void => {
    const link = openTrackedLink(to, prefixes, {
      onTracking() {
        failures = 0
        // Entries that were kept before may have changed without a report.
        drop.forget()
        host.flush(isStarted)
        isStarted = true
      },
      onChange(keys) {
        if (keys) for (const key of keys) drop.changed(key, link)
        else host.flush(false)
      },
      onRefused() {
        if (isOver) return
        end()
        plan.emit('feed-refused', 'CLIENT TRACKING')
      },
      onEnd(tracked) {
        if (links.get(name) === link) links.delete(name)
        if (isOver) return
        if (tracked) {
          plan.emit('feed-gap', 'CLIENT TRACKING')
          host.flush(true)
        }
        soon(reconnectDelay(failures++))
      },
    })
    links.set(name, link)
  }
  /** Opens and ends links until there is one to each server. */
  const spread = async (): Promise<void> => {
    // If no node replies, the known nodes remain, and the table is read again later.
    if (isCluster) await nodes.refresh().catch(() => {})
    if (isOver) return
    const all = isCluster ? nodes.primaries() : [nodes.any()]
    const names = new Set(all.map(({ name }) => name))
    for (const [name, link] of links) {
      if (names.has(name)) continue
      links.delete(name)
      link.end()
    }
    for (const node of all) if (!links.has(node.name)) open(node.name, node.settings)
    if (isCluster) soon(NODES_MS)
  }
  return {
    onRead() {},
    onKeep() {
      if (links.size === 0 && !cancel && !isOver) soon(0)
    },
    // Nothing to publish: the server reports this process's changes to all others.
    publish() {},
    async close() {
      end()
    },
  }
}

/**
 * Drops the near tier entries that a change concerns. The key of a tag also changes when a load renews its lifetime, which
 * invalidates nothing. So the version is read, and the tag counts as changed only if its version is not the one seen last.
 */
function createDrop({ drop }: FeedHost) {
  const versions = new Map<string, Wire>()
  return {
    forget: () => versions.clear(),
    changed(key: string, link: TrackedLink): void {
      if (key[0] !== ':') {
        drop(key)
        return
      }
      link.read(key, (version) => {
        const isSame = versions.get(key) === version && typeof version === 'string'
        versions.delete(key)
        if (versions.size >= MAX_VERSIONS) versions.delete(versions.keys().next().value as string)
        versions.set(key, version)
        if (!isSame) drop(key)
      })
    },
  }
}
