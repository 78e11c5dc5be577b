import { HitherError } from '../../src/errors.ts'
import { NEVER } from '../../src/runtime/clock.ts'
import { limitOf, onLimit } from '../../src/runtime/deadline.ts'
import type { Call } from '../../src/store/store.ts'
import { timedOut } from './errors.ts'

/** How a command is sent. */
export interface CommandOptions {
  readonly deadline?: number
  /** Whether strings are returned as bytes. */
  readonly bytes?: boolean
  /** Whether it is part of a transaction, which is sent as a whole or not at all. */
  readonly atomic?: boolean
}

/** The progress of one call: whether anything was written for it, and whether its promise has settled. */
export interface Progress extends CommandOptions {
  sent: boolean
  over: boolean
  readonly deadline: number
}

export function start(call: CommandOptions | undefined, atomic = false): Progress {
  return { sent: false, over: false, deadline: call?.deadline ?? NEVER, bytes: call?.bytes === true, atomic }
}

type Task<T> = (progress: Progress) => T | Promise<T>

/** Runs the tasks of calls once the client accepts commands. */
export interface Tasks {
  /** Runs `task`. Nothing is written past the deadline of `progress`, but a reply is still awaited after it. */
  run<T>(task: Task<T>, progress: Progress): Promise<T>
  /** As `run`, but also rejects at the deadline of the call and when its signal aborts. */
  within<T>(call: Call | undefined, task: Task<T>, atomic?: boolean): Promise<T>
}

/** `open` returns undefined if the client accepts commands now, or a promise to wait for. It throws if the client is down. */
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
        // ioredis keeps the command in its queue, so a reply that comes later cannot be taken for the reply to another command.
        const leave = (reason: unknown): void => {
          progress.over = true
          reject(reason)
        }
        const callOff = onLimit(limitOf(call), () => timedOut(progress.sent), leave, { graceMs: 0 })
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
