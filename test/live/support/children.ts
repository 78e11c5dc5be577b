import type { CacheOptions } from '../../../src/index.ts'
import { forkSource } from '../../support/fork-source.ts'
import type { Agent } from './agent.ts'
import type { Answer, Ask } from './child.ts'
import type { Address } from './store.ts'

export interface Child {
  readonly agent: Agent
  kill(): void
  /** Closes the child's cache and ends the child. */
  stop(): Promise<void>
}

/** Options that can be sent to a child process: those that are not functions. */
export type ChildOptions = Pick<CacheOptions, 'namespace' | 'ttl' | 'grace' | 'storeTimeout' | 'hardTimeout'>

/** Starts a child process with a cache over the store at `address`. */
export async function startChild(address: Address, options: ChildOptions): Promise<Child> {
  const child = forkSource(new URL('child.ts', import.meta.url), JSON.stringify({ address, options }))
  const waiting = new Map<number, { resolve(value: never): void; reject(error: Error): void }>()
  let asked = 0
  const answer = (id: number): Promise<never> =>
    new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject })
    })
  child.on('message', ({ id, value, error }: Answer) => {
    const { resolve, reject } = waiting.get(id) ?? {}
    waiting.delete(id)
    if (error === undefined) resolve?.(value as never)
    else reject?.(new Error(error))
  })
  child.on('exit', () => {
    for (const { reject } of waiting.values()) reject(new Error('the child process has ended'))
  })
  await answer(0)
  const agent = new Proxy({} as Agent, {
    get(_, method) {
      // Without a `then` the proxy can be awaited: it is no promise.
      if (method === 'then') return undefined
      return (...args: readonly unknown[]): Promise<never> => {
        const id = ++asked
        child.send({ id, method, args } as Ask)
        return answer(id)
      }
    },
  })
  return {
    agent,
    kill: () => void child.kill('SIGKILL'),
    async stop() {
      await agent.close()
      const over = new Promise((resolve) => child.once('exit', resolve))
      child.disconnect()
      await over
    },
  }
}
