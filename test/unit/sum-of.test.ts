import { expect, it } from 'vitest'
import { HitherError } from '../../src/errors.ts'
import { sumOf } from '../../src/store/sum-of.ts'

const down = (maybeExecuted: boolean): Promise<never> =>
  Promise.reject(new HitherError('STORE_UNAVAILABLE', 'down', { retryable: true, maybeExecuted }))
const later = (value: number): Promise<number> => new Promise((resolve) => setTimeout(() => resolve(value), 20))

it('is the sum of all parts', async () => {
  expect(await sumOf([])).toBe(0)
  expect(await sumOf([later(1), Promise.resolve('2' as never)])).toBe(3)
})
it('rejects, and says that the write may have run where a part of it has or may have', async () => {
  const error = { code: 'STORE_UNAVAILABLE', message: 'down', retryable: true }
  await expect(sumOf([down(false), later(0)])).rejects.toMatchObject({ ...error, maybeExecuted: true })
  await expect(sumOf([down(false), down(true)])).rejects.toMatchObject({ ...error, maybeExecuted: true })
  await expect(sumOf([down(true)])).rejects.toMatchObject({ ...error, maybeExecuted: true })
  await expect(sumOf([down(false), down(false)])).rejects.toMatchObject({ ...error, maybeExecuted: false })
})
it('rejects with the reason of a signal as it is', async () => {
  for (const reason of [undefined, 'left', new Error('left')])
    await expect(sumOf([later(1), Promise.reject(reason)])).rejects.toBe(reason)
})
