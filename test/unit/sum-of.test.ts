import { expect, it } from 'vitest'
import { HitherError, StoreRejectedError } from '../../src/errors.ts'
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
it('rejects with the reply of a part that was refused', async () => {
  for (const message of ["READONLY You can't write against a read only replica.", 'ERR ACL failure in script']) {
    const refused = new StoreRejectedError('UNLINK', { word: message.split(' ')[0] as string, message })
    const error = await sumOf([later(1), Promise.reject(refused)]).catch((error) => error)
    expect(error).toBeInstanceOf(StoreRejectedError)
    const { code, reply, command, message: text } = refused
    expect(error).toMatchObject({ code, reply, command, message: text, retryable: false, maybeExecuted: true })
    expect(refused.maybeExecuted).toBe(false)
  }
})
it('rejects with the reason of a signal as it is', async () => {
  for (const reason of [undefined, 'left', new Error('left')])
    await expect(sumOf([later(1), Promise.reject(reason)])).rejects.toBe(reason)
})
