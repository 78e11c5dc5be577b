import type { NearTier } from '../near/index.ts'
import type { Duration } from '../protocol/duration.ts'
import type { AtomicStore } from '../store/store.ts'

/**
 * `safe` stores only responses that state their lifetime, and none that could belong to one user: none with Set-Cookie, none that
 * a Cookie or Authorization field has selected unless they say `public` or `s-maxage`, no errors but 404 and 410, no part of a
 * body. `full` stores all that RFC 9111 allows a shared cache, with heuristic lifetimes.
 */
export type HttpProfile = 'safe' | 'full'

/** Settings for some requests. The first rule that matches a request applies. */
export interface HttpRule {
  /** A path, a path with `*` at its end for all that begin with it, or a function. @default every request */
  readonly match?: string | ((request: Request) => boolean)
  /** Lifetime of a response that states none itself and may be stored. Of errors, it applies to 404 and 410 only. */
  readonly ttl?: Duration
  /** Lifetimes by status of errors that state none themselves, at most 5 minutes. */
  readonly negative?: Readonly<Record<number, Duration>>
  /** Tags of the stored response, beside those of its Cache-Tag field. */
  readonly tags?: readonly string[] | ((request: Request, response: Response) => readonly string[])
  /** Request fields that select a response. They are added to its Vary. */
  readonly vary?: readonly string[]
  /** A further part of the key, such as a tenant. */
  readonly key?: (request: Request) => string
  /** Exact names of query parameters that are no part of the key. */
  readonly ignoreQuery?: readonly string[]
  /**
   * Names of cookies that identify the user; other cookies are ignored. A request with one of them gets a stored response only if
   * that says `public` or `s-maxage`, or has a targeted field such as CDN-Cache-Control. Its own response is stored on the same
   * condition. @default every cookie in `safe`, none in `full`
   */
  readonly cookies?: readonly string[]
  /** Whether a request goes to the origin and its response is not stored. */
  readonly bypass?: (request: Request) => boolean
}

export type HttpCacheEvent =
  | { readonly type: 'hit' | 'stale' | 'miss' | 'bypass' }
  /**
   * `store-error`: the store did not reply, or refused. The request went to the origin, or its response was not stored.
   * `background-error`: a background refresh failed.
   */
  | { readonly type: 'store-error' | 'background-error'; readonly error: unknown }

export interface HttpCacheOptions {
  readonly store: AtomicStore
  /** Near tier for responses, of up to 32 KB each. @default none */
  readonly near?: NearTier
  /** @default 'http' */
  readonly namespace?: string
  /** @default 'safe' */
  readonly profile?: HttpProfile
  readonly rules?: readonly HttpRule[]
  /** Largest body that is stored, in bytes; a larger one passes through. @default 33_554_432 */
  readonly maxBodyBytes?: number
  /** Most stored responses of one URL; the oldest is dropped. @default 16 */
  readonly maxVariants?: number
  /** Hosts whose responses are stored, with a port if it is not the default one. Requests for other hosts pass through. @default all */
  readonly hosts?: readonly string[]
  /** Name of this cache in Cache-Status; `false` leaves the field out. @default 'hither' */
  readonly cacheStatus?: string | false
  /** Allows stale use of a response with `s-maxage`, such as by its `stale-while-revalidate`. RFC 9111 forbids it. @default false */
  readonly staleDespiteSMaxage?: boolean
  /** Longest wait for the store; after it the request goes to the origin. @default '1s' */
  readonly storeTimeout?: Duration
  /** Longest wait for the same request of another client; after it this request goes to the origin too. @default '5s' */
  readonly collapseTimeout?: Duration
  /**
   * Caches in front of this one, such as Workers Cache. Each purge of tags goes to them too, after this cache's own. Responses
   * then also carry the tags of their rules, for these caches.
   */
  readonly layers?: readonly PurgeLayer[]
  /** Called for each event; what it throws is dropped. An event has no URL and no field. */
  readonly onEvent?: (event: HttpCacheEvent) => void
}

/** A cache in front of this one that can be purged by tags, such as `cache` of `cloudflare:workers`. */
export interface PurgeLayer {
  /** The field in which the cache reads the tags of a response. @default 'cache-tag' */
  readonly tagField?: string
  /** Purges by tags. It has failed if it throws, rejects, or resolves to `{ success: false }`. */
  purge(selection: { readonly tags: string[] }): unknown
}

export interface HttpCacheContext {
  /** Keeps work alive after the response. @default what the runtime supplies */
  readonly waitUntil?: ((work: Promise<unknown>) => void) | undefined
  /**
   * Makes the new response when a stale one is refreshed after it was sent; undefined: `next` does. `false`: `next` can be called
   * only once, so stale responses are not refreshed in the background but validated before they are sent.
   */
  readonly refresh?: false | ((request: Request) => Promise<Response>)
  /** Replaces path and query in the key. `purge({ url })` does not find such a response: use tags or the path. */
  readonly key?: string
  /** A further condition: whether a response that may be stored by its fields is stored. */
  readonly mayStore?: (response: Response) => boolean
  /**
   * Whether a whole body from the store gets a Content-Length if its response was stored without one. `false`: for code that may
   * replace the body and leave the fields as they are. @default true
   */
  readonly addLength?: boolean
}

/** Makes a response that is not in the cache. It rejects when the origin cannot be reached. */
export type NextHandler = (request: Request) => Response | Promise<Response>

/** Which responses to drop. The members can be combined: a response that any of them selects is dropped. */
export interface PurgeSelection {
  /** Tags of responses: from Cache-Tag, Cache-Groups or a rule. */
  readonly tags?: readonly string[]
  /** Whole URLs with their queries. Drops all variants of each. */
  readonly url?: string | readonly string[]
  /** Whole URLs without a query. Drops the responses with any query. */
  readonly path?: string | readonly string[]
  /** Whole URLs of at most 8 segments. Drops each and everything below it, by whole segments. */
  readonly prefix?: string | readonly string[]
}

export interface HttpCache {
  /**
   * Responds to a request from the cache, or with the response of `next`. Never rejects because of the store. Rejects as `next`
   * does when no stored response may stand in.
   */
  (request: Request, next: NextHandler, context?: HttpCacheContext): Promise<Response>
  /**
   * Drops the selected responses. Those that are being fetched meanwhile will not be stored. Rejects as the store does, and with
   * `STORE_REJECTED` when a layer in front did not purge: that layer may then still have the responses.
   */
  purge(selection: PurgeSelection): Promise<void>
  /** Drops all responses of the namespace. */
  clear(): Promise<void>
  /** Resolves when the background work is done. */
  flush(): Promise<void>
  /** As `flush`, then ends the feed of the near tier. The store stays open. */
  close(): Promise<void>
}
