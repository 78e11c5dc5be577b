export {
  type Attempt,
  type BeginOptions,
  createIdempotency,
  type Idempotency,
  type IdempotencyOptions,
} from './create-idempotency.ts'
