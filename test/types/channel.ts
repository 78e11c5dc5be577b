import type { AtomicStore, CommandStore } from 'hither'
import { type Channel, type ChannelItem, channel } from 'hither/channel'
import { durableObjectStore, redisObjectStore } from 'hither/cloudflare'
import { embeddedStore } from 'hither/embedded'
import { memcachedStore } from 'hither/memcached'
import { memoryStore } from 'hither/memory'
import { natsStore } from 'hither/nats'
import { tcpStore } from 'hither/tcp'
import { upstashStore } from 'hither/upstash'
import { typed } from './support.ts'

// Compiled by `npm run typecheck` and never run: each line below must compile, except those marked @ts-expect-error.

declare const atomic: AtomicStore
declare const commands: CommandStore
declare const object: Parameters<typeof durableObjectStore>[0]

const news = channel<number>({ store: memoryStore(), namespace: 'shop' }, 'news')
typed<Channel<number>>()(news)
for await (const item of news.subscribe()) typed<ChannelItem<number>>()(item)
channel({ store: atomic }, 'news')
channel({ store: commands }, 'news')
channel({ store: embeddedStore() }, 'news')
channel({ store: tcpStore({ url: 'redis://127.0.0.1' }) }, 'news')
channel({ store: upstashStore({ url: 'https://x.upstash.io', token: 't' }) }, 'news')
channel({ store: natsStore({ servers: 'nats://127.0.0.1', bucket: 'b' }) }, 'news')

// @ts-expect-error Memcached has no channels
channel({ store: memcachedStore({ servers: '127.0.0.1' }) }, 'news')
// @ts-expect-error a Durable Object has none
channel({ store: durableObjectStore(object) }, 'news')
// @ts-expect-error a store over a connection that a Durable Object holds cannot subscribe
channel({ store: redisObjectStore(object) }, 'news')
// @ts-expect-error a message is a number
void news.publish('x')
