export type { Near, NearHost } from './attached.ts'
export type { NearEntry, NearFill, NearNote, NearStats } from './local-tier.ts'
export { type Feed, type FeedHost, type MessageFeedOptions, messageFeed, type NearFeed } from './message-feed.ts'
export { type NearTier, type NearTierOptions, nearTier } from './near-tier.ts'
