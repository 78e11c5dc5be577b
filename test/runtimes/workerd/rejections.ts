import process from 'node:process'

/**
 * Once a worker, which several files may share. workerd reports a rejection as soon as it happens, though its handler comes a microtask later (`return promise` in an async
 * function). As Node does, only one that nobody has handled by the next turn of the loop is told to the runner.
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
