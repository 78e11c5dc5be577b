/** A child process with one cache. It runs the calls that its parent makes on its agent through `children.ts`. */
import { createCache } from '../../../src/index.ts'
import { type Agent, createAgent } from './agent.ts'
import { type Address, openStore } from './store.ts'

export interface Ask {
  readonly id: number
  readonly method: keyof Agent
  readonly args: readonly unknown[]
}
export interface Answer {
  readonly id: number
  readonly value?: unknown
  readonly error?: string
}

const { address, options } = JSON.parse(process.argv[2] as string) as { address: Address; options: object }
const agent = createAgent(createCache({ ...options, store: await openStore(address) }))
const say = (answer: Answer): void => void process.send?.(answer)
process.on('message', ({ id, method, args }: Ask) => {
  const call = agent[method] as (...args: readonly unknown[]) => Promise<unknown>
  call(...args).then(
    (value) => say({ id, value }),
    (error: unknown) => say({ id, error: String(error) }),
  )
})
process.on('disconnect', () => process.exit())
say({ id: 0 })
