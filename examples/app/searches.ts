import type { AtomicStore, CommandStore } from 'hither'
import { type Channel, channel } from 'hither/channel'
import { type SortedSet, sortedSet } from 'hither/structures'
import type { Until } from './query.ts'
import type { Search } from './sign-in.ts'

type Place = Pick<Search, 'name' | 'country'>

/** What visitors search for. */
export interface Searches {
  /** How often each place was searched; undefined on a store that speaks no Redis commands. */
  readonly most: SortedSet<Place> | undefined
  /** Publishes each search. */
  readonly feed: Channel<Search>
}

export interface MostSearched {
  readonly most?: readonly (Place & { readonly times: number })[]
  /** Why there is no list. */
  readonly off?: string
}

const SHOWN = 5

export function createSearches(store: AtomicStore): Searches {
  const space = { store, namespace: 'places' }
  return {
    most: speaksCommands(store) ? sortedSet<Place>({ ...space, store }, 'searches') : undefined,
    feed: channel<Search>(space, 'feed'),
  }
}

function speaksCommands(store: AtomicStore): store is CommandStore {
  return typeof (store as Partial<CommandStore>).command === 'function'
}

/** Counts and publishes a search. Both leave in one tick. */
export async function noteSearch({ most, feed }: Searches, search: Search, { deadline }: Until): Promise<void> {
  const { name, country } = search
  await Promise.all([most?.incrementBy({ name, country }, 1, { deadline }), feed.publish(search, { deadline })])
}

export async function mostSearched({ most }: Searches, { deadline }: Until): Promise<MostSearched> {
  if (!most) return { off: 'This server keeps its data in memory: the list needs a store that speaks Redis commands.' }
  const range = { by: 'rank', from: 0, to: SHOWN - 1, reverse: true, withScores: true } as const
  return { most: (await most.range(range, { deadline })).map(([place, times]) => ({ ...place, times })) }
}

/**
 * The searches as server-sent events, until the client leaves or one of the signals aborts. The response begins once the
 * store has subscribed. Rejects where it cannot.
 */
export async function streamSearches({ feed }: Searches, signals: readonly AbortSignal[]): Promise<Response> {
  const subscription = feed.subscribe()
  const close = (): Promise<void> => {
    for (const signal of signals) signal.removeEventListener('abort', close)
    return subscription.close()
  }
  for (const signal of signals) signal.addEventListener('abort', close)
  try {
    await subscription.ready
  } catch (error) {
    await close()
    throw error
  }
  const encoder = new TextEncoder()
  const body = new ReadableStream<Uint8Array>({
    // A first line at once, so that the client knows that the feed is open.
    start: (controller) => controller.enqueue(encoder.encode('retry: 2000\n\n')),
    async pull(controller) {
      const { done, value: item } = await subscription.next()
      if (done) return controller.close()
      const event = item.type === 'gap' ? 'event: gap\ndata: -\n\n' : `data: ${JSON.stringify(item.value)}\n\n`
      controller.enqueue(encoder.encode(event))
    },
    cancel: close,
  })
  return new Response(body, { headers: { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' } })
}
