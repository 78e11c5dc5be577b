import { expect, it } from 'vitest'
import type { Chunks } from '../../../src/http/chunks.ts'
import { createRecorder } from '../../../src/http/record-body.ts'

/** Records a body of two chunks; the second is written once `door` opens, or rejects. */
function recording(door: Promise<unknown>) {
  const events: string[] = []
  const writing = Promise.withResolvers<void>()
  const chunks = {
    size: 4,
    async write(_id: string, at: number) {
      events.push(`write ${at}`)
      if (at === 0) return
      writing.resolve()
      await door
    },
    drop: async (_id: string, count: number) => void events.push(`drop ${count}`),
  } as unknown as Chunks
  const source = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(new TextEncoder().encode('12345678'))
      controller.close()
    },
  })
  const recorder = createRecorder(source, {
    chunks,
    maxBytes: 100,
    lifeMs: 1000,
    untilMs: 0,
    length: 8,
    mayBegin: () => true,
    onWhole: async () => void events.push('whole'),
    onLost: (error, isAbandoned) => events.push(`lost ${error ?? isAbandoned}`),
    background: () => {},
  })
  return { recorder, events, writing: writing.promise }
}

/** By its end the recorder has seen the end of the source, and waits for the write. */
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve))

it.each([
  ['succeeds', (door: PromiseWithResolvers<void>) => door.resolve()],
  ['fails', (door: PromiseWithResolvers<void>) => door.reject(new Error('the store failed'))],
])('a body that is given up while its last part is written is lost once, also if the write %s', async (_, open) => {
  const door = Promise.withResolvers<void>()
  const { recorder, events, writing } = recording(door.promise)
  const reading = recorder.next()
  await writing
  await turn()
  recorder.lose()
  open(door)
  await reading
  await expect.poll(() => events).toEqual(['write 0', 'write 1', 'lost true', 'drop 2'])
  expect(recorder.state()).toBe('lost')
})

it('a body is stored once its last part is written', async () => {
  const { recorder, events } = recording(Promise.resolve())
  await recorder.next()
  expect([events, recorder.state()]).toEqual([['write 0', 'write 1', 'whole'], 'whole'])
})
