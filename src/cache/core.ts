export * from './engine.ts'
export { invalid } from './options.ts'
