export { describeStore, testCounter, testReport, testTake } from './contract.ts'
export type { Runner, StoreHarness } from './contract.ts'
