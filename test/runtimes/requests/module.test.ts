import { expect, it } from 'vitest'
import { startWorkerd } from './start.ts'

it('caches, feeds of a near tier, limiters and stores can be made where a module begins', async () => {
  const entry = 'test/runtimes/requests/module-worker.ts'
  const worker = await startWorkerd({ entry, by: 'workerd', bindings: {} })
  try {
    expect(await (await fetch(worker.url)).json()).toBe('value')
  } finally {
    await worker.stop()
  }
})
