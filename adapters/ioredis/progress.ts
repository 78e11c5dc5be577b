import { HitherError } from '../../src/errors.ts'
import { NEVER } from '../../src/runtime/clock.ts'
import { limitOf, onLimit } from '../../src/runtime/deadline.ts'
import type { Call } from '../../src/store/store.ts'
import { late } from './errors.ts'

/** How a command is sent. */
export interface CommandOptions {
  readonly deadline?: number
  /** Whether strings are answered as bytes. */
  readonly bytes?: boolean
  /** A transaction: it goes as a whole, or not at all. */
  readonly atomic?: boolean
}

/** One call: whether anything was written for it, and whether its caller has been answered. */
export interface Progress extends CommandOptions {
  sent: boolean
  over: boolean
  readonly deadline: number
}

export function start(call: CommandOptions | undefined, atomic = false): Progress {
  return { sent: false, over: false, deadline: call?.deadline ?? NEVER, bytes: call?.bytes === true, atomic }
}

type Task<T> = (progress: Progress) => T | Promise<T>

/** Runs what calls ask for, once the client takes commands. */
export interface Tasks {
  /** Nothing is written past the deadline of `progress`; what waits for an answer waits on. */
  run<T>(task: Task<T>, progress: Progress): Promise<T>
  /** As `run`, and rejects at the deadline of the call and when its signal aborts. */
  within<T>(call: Call | undefined, task: Task<T>, atomic?: boolean): Promise<T>
}

/** `open` returns undefined when the client takes commands now, or what to wait for; it throws where none are taken. */
export function createTasks(open: () => Promise<void> | undefined, isClosed: () => boolean): Tasks {
  const run: Tasks['run'] = (task, progress) => {
    try {
      if (isClosed()) throw new HitherError('CLOSED', 'the transport is closed')
      const wait = open()
      return wait ? wait.then(() => task(progress)) : Promise.resolve(task(progress))
    } catch (error) {
      return Promise.reject(error)
    }
  }
  return {
    run,
    within(call, task, atomic) {
      const { signal, deadline } = call ?? {}
      if (signal?.aborted) return Promise.reject(signal.reason)
      const progress = start(call, atomic)
      const work = run(task, progress)
      if (!signal && deadline === undefined) return work
      return new Promise((resolve, reject) => {
        // The reply that comes later still takes its own place on the connection: ioredis keeps the command queued.
        const leave = (reason: unknown): void => {
          progress.over = true
          reject(reason)
        }
        const callOff = onLimit(limitOf(call), () => late(progress.sent), leave, { graceMs: 0 })
        const end = (): void => {
          progress.over = true
          callOff()
        }
        work.then(end, end)
        work.then(resolve, reject)
      })
    },
  }
}
