import { ioredisStore } from 'hither/ioredis'
import { memoryStore } from 'hither/memory'
import { upstashStore } from 'hither/upstash'
import type { Arg, Effect, Operation, Reply } from '../../src/protocol/operation.ts'
import { createCommandStore } from '../../src/store/command-store.ts'
import type { AtomicStore, Call, Store } from '../../src/store/store.ts'
import type { Transport, Wire } from '../../src/store/transport.ts'
import { same, typed } from './support.ts'

// Compiled by `npm run typecheck` and never run: each line below must compile, except those marked @ts-expect-error.

declare const store: Store
declare const atomic: AtomicStore
declare const transport: Transport
declare const signal: AbortSignal

// What the methods of a store resolve to.
typed<Promise<string | undefined>>()(store.get('k'))
typed<Promise<(string | undefined)[]>>()(store.getMany(['k']))
typed<Promise<number>>()(store.delete(['k']))
typed<Promise<Wire>>()(transport.send({ args: ['GET', 'k'], effect: 'read' }))
void store.get('k', { signal, deadline: 1 })
void store.set('k', 'v', undefined, { signal })
// @ts-expect-error a value is text: the cache encodes values
void store.set('k', 1)
// @ts-expect-error a lifetime is milliseconds here: durations such as '5m' belong to the cache
void store.set('k', 'v', '5m')
// @ts-expect-error keys are an array
void store.delete('k')
// @ts-expect-error a call has no `timeout`: it ends at a deadline
void store.get('k', { timeout: 5 })
// @ts-expect-error an absent signal is left out, not undefined
const call: Call = { signal: undefined }
void call
// @ts-expect-error an optional method may be absent, which the code must check
void store.getBytes('k')
void store.getBytes?.('k')

// A plain Store is not an AtomicStore, which locks, limits and sessions need.
declare function takesAtomic(store: AtomicStore): void
takesAtomic(atomic)
takesAtomic(memoryStore())
takesAtomic(upstashStore({ url: 'https://x', token: 't' }))
// @ts-expect-error a Store has no `run`
takesAtomic(store)
// @ts-expect-error so it cannot be used
void store.run
const wider: Store = atomic
void wider
declare const client: Parameters<typeof ioredisStore>[0]
takesAtomic(ioredisStore(client))
takesAtomic(createCommandStore({ name: 'x', traits: store.traits, transport }))

// Operations: arguments and reply are inferred from the declaration.
declare const counter: Operation<readonly [by: number, ttlMs: number], number>
declare const take: Operation<readonly [], string | null>
typed<Promise<number>>()(atomic.run(counter, 'k', [1, 0]))
typed<Promise<string | null>>()(atomic.run(take, 'k', []))
// @ts-expect-error an argument is missing
void atomic.run(counter, 'k', [1])
// @ts-expect-error an argument is text where a number belongs
void atomic.run(counter, 'k', ['1', 0])
// @ts-expect-error the operation takes no argument
void atomic.run(take, 'k', ['x'])
same<Effect, 'read' | 'repeat' | 'once'>()
same<Arg, string | number>()
// @ts-expect-error servers reply booleans in different ways
declare const flag: Operation<readonly [], boolean>
void flag
// @ts-expect-error a reply is flat
declare const nested: Operation<readonly [], readonly (readonly string[])[]>
void nested
// @ts-expect-error an argument is text or a number
declare const dated: Operation<readonly [at: Date], null>
void dated
const flat: Reply = ['a', 1, null]
void flat
const complete: Operation<readonly [], null> = {
  name: 'x',
  effect: 'read',
  lua: '',
  apply: (current) => ({ next: current, ttl: 'keep', reply: null }),
}
void complete
// @ts-expect-error an operation needs an effect, which says whether it may be sent twice
const silent: Operation<readonly [], null> = { name: 'x', lua: '', apply: complete.apply }
void silent
// @ts-expect-error a command needs an effect, too
void transport.send({ args: ['GET', 'k'] })
