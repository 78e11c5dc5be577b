export { type Counter, type CounterCall, type CounterOptions, createCounter } from './create-counter.ts'
