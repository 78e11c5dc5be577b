import { checkWhole, invalid, ownOf } from '../protocol/arguments.ts'
import { type Duration, toMs } from '../protocol/duration.ts'
import { attach, type NearHost, type NearPart } from './coherence.ts'
import { createLocalTier, type LocalTier } from './local-tier.ts'
import type { NearFeed } from './message-feed.ts'

export interface NearTierOptions {
  /** Most entries kept, at most 2^24 - 1. @default 100_000 */
  readonly maxEntries?: number
  /** Most bytes kept: what the decoded values take in memory, estimated within a factor of two. @default 32_000_000 */
  readonly maxBytes?: number
  /**
   * How long an entry is returned without asking the store: the bound on how stale a read can be after another process has
   * written or deleted the key. @default '5s'
   */
  readonly maxAge?: Duration
  /** How this process learns of the writes of others before `maxAge`, such as `messageFeed()`. @default none */
  readonly feed?: NearFeed
}

/** The near tier of one cache. */
export interface NearTier extends LocalTier {
  /** Called by `createCache`. Throws `INVALID_ARGUMENT` the second time: a tier belongs to one cache. */
  attach(host: NearHost): NearPart
}

/** A near tier, to be passed to `createCache`. Throws `INVALID_ARGUMENT` and `INVALID_DURATION` for its options. */
export function nearTier(options: NearTierOptions = {}): NearTier {
  const { maxEntries = 100_000, maxBytes = 32_000_000, maxAge = '5s', feed, ...rest }: NearTierOptions = ownOf(options)
  for (const name of Object.keys(rest)) throw invalid(`nearTier has no option ${name}`)
  checkWhole(maxEntries, 'maxEntries', 1, 2 ** 24 - 1)
  checkWhole(maxBytes, 'maxBytes', 1)
  if (feed !== undefined && typeof feed !== 'function') throw invalid('feed is one such as messageFeed()')
  const maxAgeMs = toMs(maxAge, 'maxAge')
  const tier = createLocalTier(maxEntries, maxBytes, maxAgeMs)
  let attached = false
  return {
    ...tier,
    attach(host) {
      if (attached) throw invalid('a near tier belongs to one cache: make one for each')
      attached = true
      return attach(tier, maxAgeMs, feed, host)
    },
  }
}
