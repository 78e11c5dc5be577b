export type { Runner, StoreHarness } from './contract.ts'
export { describeStore, testCounter, testReport, testTake } from './contract.ts'
