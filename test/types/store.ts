import { ioredisStore } from 'hither/ioredis'
import { memoryStore } from 'hither/memory'
import { upstashStore } from 'hither/upstash'
import type { Arg, Effect, Operation, Reply } from '../../src/protocol/operation.ts'
import { createCommandStore } from '../../src/store/command-store.ts'
import type { AtomicStore, Call, Store } from '../../src/store/store.ts'
import type { Transport, Wire } from '../../src/store/transport.ts'
import { same, typed } from './support.ts'

// Compiled by `npm run typecheck` and never run: each line below must compile, and each marked one must not.

declare const store: Store
declare const atomic: AtomicStore
declare const transport: Transport
declare const signal: AbortSignal

// What a store answers.
typed<Promise<string | undefined>>()(store.get('k'))
typed<Promise<(string | undefined)[]>>()(store.getMany(['k']))
typed<Promise<number>>()(store.delete(['k']))
typed<Promise<Wire>>()(transport.send({ args: ['GET', 'k'], effect: 'read' }))
void store.get('k', { signal, deadline: 1 })
void store.set('k', 'v', undefined, { signal })
// @ts-expect-error a value is text: the cache above encodes
void store.set('k', 1)
// @ts-expect-error a lifetime is milliseconds here: durations such as '5m' belong to the cache
void store.set('k', 'v', '5m')
// @ts-expect-error keys come as a list
void store.delete('k')
// @ts-expect-error a call has no `timeout`: it ends at a deadline
void store.get('k', { timeout: 5 })
// @ts-expect-error undefined is no signal: leave it out
const call: Call = { signal: undefined }
void call
// @ts-expect-error what presence shows may be absent: ask first
void store.getBytes('k')
void store.getBytes?.('k')

// A plain store is no atomic one: locks, limits and sessions take only an AtomicStore.
declare function takesAtomic(store: AtomicStore): void
takesAtomic(atomic)
takesAtomic(memoryStore())
takesAtomic(upstashStore({ url: 'https://x', token: 't' }))
// @ts-expect-error a Store has no `run`
takesAtomic(store)
// @ts-expect-error nor may it be called
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
// @ts-expect-error no argument belongs there
void atomic.run(take, 'k', ['x'])
same<Effect, 'read' | 'repeat' | 'once'>()
same<Arg, string | number>()
// @ts-expect-error no server answers a boolean alike
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
// @ts-expect-error every operation says what sending it again would do
const silent: Operation<readonly [], null> = { name: 'x', lua: '', apply: complete.apply }
void silent
// @ts-expect-error a command says so too
void transport.send({ args: ['GET', 'k'] })
