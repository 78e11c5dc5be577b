import { Channels } from '../channels.ts'
import { type Client, type Family, type Outcome, type Run, SENT } from '../contracts.ts'
import { matchGlob } from '../glob.ts'
import { fail, Push } from '../reply.ts'

type Kind = 'channels' | 'patterns' | 'shardChannels'
const MAPS = { channels: 'byName', patterns: 'byPattern', shardChannels: 'byShard' } as const

/** The number of subscriptions that a reply to a client reports. */
const countOf = (client: Client, kind: Kind): number =>
  kind === 'shardChannels' ? client.shardChannels.size : client.channels.size + client.patterns.size

function subscribe(kind: Kind, word: string): Run {
  return (client, args): Outcome => {
    if (!client.mayWait && client.resp === 2 && client.isScript)
      fail('ERR This Redis command is not allowed from script')
    if (!client.mayWait && kind === 'shardChannels') fail("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client")
    for (const name of args.slice(1)) {
      client[kind].add(name)
      Channels.join(client.engine.channels[MAPS[kind]], name, client)
      client.answer(new Push([word, name, countOf(client, kind)]))
    }
    return SENT
  }
}

function unsubscribe(kind: Kind, word: string): Run {
  return (client, args): Outcome => {
    const names = args.length > 1 ? args.slice(1) : [...client[kind]]
    for (const name of names) {
      if (client[kind].delete(name)) Channels.part(client.engine.channels[MAPS[kind]], name, client)
      client.answer(new Push([word, name, countOf(client, kind)]))
    }
    if (names.length === 0) client.answer(new Push([word, null, countOf(client, kind)]))
    return SENT
  }
}

const names = (map: ReadonlyMap<string, unknown>, pattern: string | undefined): string[] =>
  [...map.keys()].filter((name) => pattern === undefined || matchGlob(pattern, name))

export const pubsub: Family = {
  subscribe: subscribe('channels', 'subscribe'),
  psubscribe: subscribe('patterns', 'psubscribe'),
  ssubscribe: subscribe('shardChannels', 'ssubscribe'),
  unsubscribe: unsubscribe('channels', 'unsubscribe'),
  punsubscribe: unsubscribe('patterns', 'punsubscribe'),
  sunsubscribe: unsubscribe('shardChannels', 'sunsubscribe'),
  publish: (client, [, channel = '', message = '']) => client.engine.channels.publish(channel, message),
  spublish: (client, [, channel = '', message = '']) => client.engine.channels.publishToShard(channel, message),
  'pubsub|channels': (client, args) => names(client.engine.channels.byName, args[2]),
  'pubsub|shardchannels': (client, args) => names(client.engine.channels.byShard, args[2]),
  'pubsub|numpat': (client) => client.engine.channels.byPattern.size,
  'pubsub|numsub': (client, args) =>
    args.slice(2).flatMap((name) => [name, client.engine.channels.byName.get(name)?.size ?? 0]),
  'pubsub|shardnumsub': (client, args) =>
    args.slice(2).flatMap((name) => [name, client.engine.channels.byShard.get(name)?.size ?? 0]),
}
