export { dualStore } from './dual-store.ts'
export { migrate } from './migrate.ts'
export type {
  DualStore,
  DualStoreEvent,
  DualStoreOptions,
  MigrateOptions,
  MigrateProgress,
  MigrateResult,
  MigrateState,
  NotMoved,
  NotMovedReason,
} from './types.ts'
