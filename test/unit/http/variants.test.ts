import { memoryStore } from 'hither/memory'
import { expect, it, vi } from 'vitest'
import { REQUEST_SCOPED } from '../../../src/runtime/background.ts'
import { cacheOf, createOrigin, type Fields, get, skipFor } from './support.ts'

const PATIENT = { timeout: 5000 }
const tick = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 50))
/** Skips a test where the runtime ends work with its request. */
const needsFlights = (skip: (reason: string) => void): void => {
  if (REQUEST_SCOPED)
    skipFor(skip, 'where work ends with its request, requests wait for one another by the lease alone')
}

/** Twelve requests of three variants at once, for a response with these fields. */
function askAtOnce(fields: Fields) {
  const opens: (() => void)[] = []
  const origin = createOrigin()
  origin.answers(async (request, count) => {
    await new Promise<void>((resolve) => opens.push(resolve))
    return new Response(`${count} ${request.headers.get('x-a')}`, { headers: fields })
  })
  const memory = memoryStore()
  const reads = vi.fn(memory.getMany)
  const cache = cacheOf({ store: { ...memory, getMany: reads } })
  const values = Array.from({ length: 12 }, (_, i) => 'abc'[i % 3] as string)
  const all = values.map((value) => get(cache, origin, { headers: { 'x-a': value } }))
  /** Until all have looked, and the first asks the origin. */
  const wait = async (): Promise<void> => {
    await vi.waitFor(() => expect([reads.mock.calls.length, origin.asked.length]).toEqual([12, 1]), PATIENT)
    await tick()
  }
  return { origin, opens, values, all, wait }
}

it('requests for a few variants at once ask the origin once for each', async ({ skip }) => {
  needsFlights(skip)
  const { origin, opens, values, all, wait } = askAtOnce({ 'cache-control': 'max-age=60', vary: 'x-a' })
  await wait()
  opens[0]?.()
  // The other two at once: neither waits for the other.
  await vi.waitFor(() => expect(origin.asked.length).toBe(3), PATIENT)
  await tick()
  for (const open of opens.slice(1)) open()
  const seen = await Promise.all(all)
  expect(seen.map(({ body }) => body.split(' ')[1])).toEqual(values)
  expect(origin.asked.length).toBe(3)
  expect(seen.filter(({ story }) => story.includes('; collapsed;')).length).toBe(9)
  expect(seen.filter(({ story }) => story.includes('collapsed=?0')).length).toBe(2)
})

it('those that could not use an answer of their own variant all ask at once', async ({ skip }) => {
  needsFlights(skip)
  const { origin, opens, all, wait } = askAtOnce({ 'cache-control': 'max-age=0', etag: '"a"' })
  await wait()
  opens[0]?.()
  await vi.waitFor(() => expect(origin.asked.length).toBe(12), PATIENT)
  for (const open of opens.slice(1)) open()
  await Promise.all(all)
})
