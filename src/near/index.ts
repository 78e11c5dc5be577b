export {
  type NearEntry,
  type NearFill,
  type NearStats,
  type NearTier,
  type NearTierOptions,
  nearTier,
} from './near-tier.ts'
