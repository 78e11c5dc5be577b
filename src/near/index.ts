export {
  type NearEntry,
  type NearFill,
  type NearNote,
  type NearStats,
  type NearTier,
  type NearTierOptions,
  nearTier,
} from './near-tier.ts'
