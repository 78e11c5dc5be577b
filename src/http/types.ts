import type { NearTier } from '../near/index.ts'
import type { Duration } from '../protocol/duration.ts'
import type { AtomicStore } from '../store/store.ts'

/**
 * `safe`: stores only what says for how long, and never what could belong to one user: nothing with Set-Cookie, nothing that a
 * Cookie or Authorization field has selected unless it says `public` or `s-maxage`, no errors but 404 and 410, no part of a
 * body. `full`: all that RFC 9111 allows a shared cache, heuristics included.
 */
export type HttpProfile = 'safe' | 'full'

/** What holds for some requests. The first rule that matches counts. */
export interface HttpRule {
  /** A path, a path with `*` at its end for all that begin with it, or a function. @default every request */
  readonly match?: string | ((request: Request) => boolean)
  /** Lifetime of a response that says none itself, and is not forbidden to be stored; of errors, 404 and 410 alone. */
  readonly ttl?: Duration
  /** Lifetimes of errors by status, at most 5 minutes, where they say nothing of their own. */
  readonly negative?: Readonly<Record<number, Duration>>
  /** Tags of what is stored, beside those of its Cache-Tag field. */
  readonly tags?: readonly string[] | ((request: Request, response: Response) => readonly string[])
  /** Request fields that select a response: they are part of its Vary from then on. */
  readonly vary?: readonly string[]
  /** A further part of the key, such as a tenant. */
  readonly key?: (request: Request) => string
  /** Parameters of the query that are no part of the key, by their exact names. */
  readonly ignoreQuery?: readonly string[]
  /**
   * Cookies that say who asks; others count for nothing. A request with one of them is not answered from what was stored for
   * everybody, nor is its answer stored, unless it says `public` or `s-maxage`. @default every cookie in `safe`, none in `full`
   */
  readonly cookies?: readonly string[]
  /** Requests that go to the origin and whose answers are not stored. */
  readonly bypass?: (request: Request) => boolean
}

export type HttpCacheEvent =
  | { readonly type: 'hit' | 'stale' | 'miss' | 'bypass' }
  /** The store did not answer, or refused: the request went to the origin, or its response was not stored. */
  | { readonly type: 'store-error' | 'background-error'; readonly error: unknown }

export interface HttpCacheOptions {
  readonly store: AtomicStore
  /** Responses that this process keeps, up to 32 KB each. @default none */
  readonly near?: NearTier
  /** @default 'http' */
  readonly namespace?: string
  /** @default 'safe' */
  readonly profile?: HttpProfile
  readonly rules?: readonly HttpRule[]
  /** Largest body that is stored, in bytes; a larger one passes through. @default 33_554_432 */
  readonly maxBodyBytes?: number
  /** Most responses stored of one URL; the oldest goes. @default 16 */
  readonly maxVariants?: number
  /** Hosts whose responses are stored, with their ports where those are not the usual ones; requests for others pass through. @default all */
  readonly hosts?: readonly string[]
  /** How this cache names itself in Cache-Status; `false` leaves the field out. @default 'hither' */
  readonly cacheStatus?: string | false
  /** Lets a response with `s-maxage` be used stale as its `stale-while-revalidate` says, which RFC 9111 forbids. @default false */
  readonly staleDespiteSMaxage?: boolean
  /** Longest wait for the store; then the request goes to the origin. @default '1s' */
  readonly storeTimeout?: Duration
  /** Longest wait for the same request of another client; then it goes to the origin itself. @default '5s' */
  readonly collapseTimeout?: Duration
  /**
   * Caches in front of this one, such as Workers Cache: each purge of tags goes to them too, after this cache's own. Responses
   * then name the tags of their rules to them.
   */
  readonly layers?: readonly PurgeLayer[]
  /** Told of what happens; what it throws is dropped. Carries no URL and no field. */
  readonly onEvent?: (event: HttpCacheEvent) => void
}

/** A cache in front of this one that can be purged by tags, such as `cache` of `cloudflare:workers`. */
export interface PurgeLayer {
  /** The field in which it reads the tags of a response. @default 'cache-tag' */
  readonly tagField?: string
  /** It has failed where it throws, rejects, or resolves to `{ success: false }`. */
  purge(selection: { readonly tags: string[] }): unknown
}

export interface HttpCacheContext {
  /** Keeps work alive after the response. @default what the runtime supplies */
  readonly waitUntil?: ((work: Promise<unknown>) => void) | undefined
  /**
   * How a stale response is refreshed after it was sent; undefined: as `next` does. `false`: not at all, so that it is
   * validated first.
   */
  readonly refresh?: false | ((request: Request) => Promise<Response>)
  /** What stands for path and query in the key. `purge({ url })` does not know it: use tags or the path. */
  readonly key?: string
  /** Whether a response may be stored, beside what its fields say. */
  readonly mayStore?: (response: Response) => boolean
}

/** Makes the response that is not in the cache. It rejects where the origin cannot be reached. */
export type NextHandler = (request: Request) => Response | Promise<Response>

/** What to drop: any of these together. */
export interface PurgeSelection {
  /** Tags of responses, of their Cache-Tag or Cache-Groups fields or of a rule. */
  readonly tags?: readonly string[]
  /** URLs with their queries, all variants. */
  readonly url?: string | readonly string[]
  /** Whole URLs without a query: with whatever query. */
  readonly path?: string | readonly string[]
  /** Whole URLs: all below them, by whole segments. At most 8 segments. */
  readonly prefix?: string | readonly string[]
}

export interface HttpCache {
  /**
   * Answers a request from the cache, or by `next`. Never rejects for the store's sake; rejects as `next` does where nothing
   * stored may stand in.
   */
  (request: Request, next: NextHandler, context?: HttpCacheContext): Promise<Response>
  /**
   * Drops what is stored, and what is being fetched meanwhile. Rejects as the store does, and with `STORE_REJECTED` where a layer
   * in front did not purge: then it may be there still.
   */
  purge(selection: PurgeSelection): Promise<void>
  /** Drops everything of the namespace. */
  clear(): Promise<void>
  /** Resolves when what was left in the background is done. */
  flush(): Promise<void>
  /** As `flush`, then ends the near tier's feed. The store stays open. */
  close(): Promise<void>
}
