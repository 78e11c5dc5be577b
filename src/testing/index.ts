export { type BrokenStore, type BrokenStoreOptions, brokenStore, type StoreFault } from './broken-store.ts'
export type { Runner, StoreHarness } from './contract.ts'
export { describeStore, testCounter, testReport, testTake } from './contract.ts'
export { type ManualClock, manualClock } from './manual-clock.ts'
