import type { Client } from './contracts.ts'
import { matchGlob } from './glob.ts'
import { Push } from './reply.ts'

/** The clients that have subscribed to each channel, pattern and shard channel. */
export class Channels {
  readonly byName: Map<string, Set<Client>> = new Map()
  readonly byPattern: Map<string, Set<Client>> = new Map()
  readonly byShard: Map<string, Set<Client>> = new Map()

  static join(map: Map<string, Set<Client>>, name: string, client: Client): void {
    const all = map.get(name)
    if (all) all.add(client)
    else map.set(name, new Set([client]))
  }
  static part(map: Map<string, Set<Client>>, name: string, client: Client): void {
    const all = map.get(name)
    all?.delete(client)
    if (all?.size === 0) map.delete(name)
  }
  leave(client: Client): void {
    for (const name of client.channels) Channels.part(this.byName, name, client)
    for (const name of client.patterns) Channels.part(this.byPattern, name, client)
    for (const name of client.shardChannels) Channels.part(this.byShard, name, client)
    client.channels.clear()
    client.patterns.clear()
    client.shardChannels.clear()
  }
  /** Returns how many subscriptions received the message. */
  publish(channel: string, message: string): number {
    const all = this.byName.get(channel)
    let count = all?.size ?? 0
    if (all) for (const client of all) client.push(new Push(['message', channel, message]))
    for (const [pattern, clients] of this.byPattern) {
      if (!matchGlob(pattern, channel)) continue
      count += clients.size
      for (const client of clients) client.push(new Push(['pmessage', pattern, channel, message]))
    }
    return count
  }
  publishToShard(channel: string, message: string): number {
    const all = this.byShard.get(channel)
    if (all) for (const client of all) client.push(new Push(['smessage', channel, message]))
    return all?.size ?? 0
  }
}
