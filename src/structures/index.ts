export { type Batch, batch, transaction } from './batch.ts'
export { type Bitmap, bitmap } from './bitmap.ts'
export { type Geo, geo, type LengthUnit, type Nearby, type NearbyOptions, type Position } from './geo.ts'
export { type Hash, hash } from './hash.ts'
export { type HyperLogLog, hyperLogLog } from './hyper-log-log.ts'
export { type List, list, type TakeOptions } from './list.ts'
export type { Lifetime, StructureSpace } from './place.ts'
export { set, type ValueSet } from './set.ts'
export {
  type RangeOptions,
  type ScoreBound,
  type Scored,
  type ScoreOptions,
  type SortedRange,
  type SortedSet,
  sortedSet,
} from './sorted-set.ts'
export {
  type AppendOptions,
  type Stream,
  type StreamRange,
  type StreamReadOptions,
  stream,
} from './stream.ts'
export type { StreamEntry } from './stream-entries.ts'
export type { ConsumeOptions, GroupEntry, PendingSummary, StreamGroup, StreamGroupOptions } from './stream-group.ts'
