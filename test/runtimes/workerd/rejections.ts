import process from 'node:process'

/**
 * Changes once in each worker, which several files may share, how rejections are reported. workerd reports a rejection as
 * soon as it happens, even if its handler comes a microtask later (`return promise` in an async function). Here the runner is
 * notified, as in Node, only of a rejection that nobody has handled by the next turn of the loop.
 */
type Listener = (reason: unknown, promise: Promise<unknown>) => void
const hear = (): void => {
  const told = process.listeners('unhandledRejection') as Listener[]
  const open = new Set<Promise<unknown>>()
  process.removeAllListeners('unhandledRejection')
  process.on('rejectionHandled', (promise) => void open.delete(promise))
  process.on('unhandledRejection', (reason, promise) => {
    open.add(promise)
    setTimeout(() => {
      if (open.delete(promise)) for (const tell of told) tell(reason, promise)
    })
  })
}
const worker = globalThis as { hearsRejections?: true }
if (!worker.hearsRejections) hear()
worker.hearsRejections = true
