import type { AtomicStore } from 'hither'
import { createIdempotency } from 'hither/idempotency'
import { memoryStore } from 'hither/memory'
import { expect, it } from 'vitest'

const setup = async () => {
  const inner = memoryStore()
  let key = ''
  const run: AtomicStore['run'] = (operation, name, args, call) => {
    key = name
    return inner.run(operation, name, args, call)
  }
  const idempotency = createIdempotency({ store: { ...inner, run }, wait: 0 })
  const begin = async () => {
    const attempt = await idempotency.begin('k')
    if (attempt.outcome !== 'first') throw new Error(attempt.outcome)
    return attempt
  }
  return { idempotency, begin, write: (text: string) => inner.set(key, text) }
}

it('a key that was freed is not completed or freed by who had it', async () => {
  const { idempotency, begin } = await setup()
  const first = await begin()
  await first.release()
  const second = await begin()
  expect(await first.complete('late')).toBe(false)
  await first.release()
  expect((await idempotency.begin('k')).outcome).toBe('running')
  expect(await second.complete('r')).toBe(true)
})

it('what is done stays done', async () => {
  const { idempotency, begin } = await setup()
  const first = await begin()
  expect([await first.complete('r'), await first.complete('r')]).toEqual([true, true])
  await first.release()
  expect(await idempotency.begin('k')).toEqual({ outcome: 'replay', response: 'r' })
})

it('text that is no record counts as none', async () => {
  const { begin, write } = await setup()
  await begin()
  for (const text of [
    '',
    'x',
    `p${'a'.repeat(16)}${'0'.repeat(14)}`,
    `x${'a'.repeat(16)}${'0'.repeat(15)}${'a'.repeat(43)}`,
  ]) {
    await write(text)
    await begin()
  }
})
