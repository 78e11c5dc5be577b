import { secondaryStorage } from 'hither/better-auth'
import { createCounter } from 'hither/counter'
import { sessionStore } from 'hither/express-session'
import { idempotency, session } from 'hither/hono'
import { sessionStorage } from 'hither/hono-session'
import { createIdempotency } from 'hither/idempotency'
import { memoryStore } from 'hither/memory'
import { createOnce } from 'hither/once'
import { createSessions, hashedEntries } from 'hither/session'
import { createTokens } from 'hither/token'
import { type Context, Hono } from 'hono'
import type { Store } from '../../src/store/store.ts'
import { typed } from './support.ts'

// Compiled by `npm run typecheck` and never run: each line below must compile, except those marked @ts-expect-error.

declare const plain: Store
const store = memoryStore()
const secrets = [new Uint8Array(32)]

// Sessions
interface Data {
  user?: number
  cart: string[]
}
const sessions = createSessions<Data>({ store, namespace: 'web', secrets, idle: '30m', absolute: '12h' })
const s = await sessions.open(new Request('https://shop.example/'))
typed<number | undefined>()(s.get('user'))
typed<string[] | undefined>()(s.get('cart'))
s.set('user', 7)
s.flash('notice', 'saved')
typed<unknown>()(s.flash('notice'))
typed<Promise<string | undefined>>()(s.save())
// @ts-expect-error undefined cannot be stored: delete the field
s.set('user', undefined)
// @ts-expect-error a store without operations
createSessions({ store: plain, secrets })
// @ts-expect-error secrets are required
createSessions({ store })
// @ts-expect-error secrets are an array
createSessions({ store, secrets: 'secret' })
// @ts-expect-error SameSite=None is not supported
createSessions({ store, secrets, cookie: { sameSite: 'None' } })
// @ts-expect-error an option that does not exist
createSessions({ store, secrets, maxAge: '1d' })
// @ts-expect-error a field has its type
s.set('user', '7')
// @ts-expect-error a field that does not exist
s.set('name', 'a')
// @ts-expect-error nor can it be read
s.get('name')
// @ts-expect-error nor can it be deleted
s.delete('name')
// @ts-expect-error a field may be absent
typed<string[]>()(s.get('cart'))

// Sessions with a schema
declare const schema: {
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (
      value: unknown,
    ) => { readonly value: { at: Date } } | { readonly issues: readonly { message: string }[] }
    readonly types?: { readonly input: { at: string }; readonly output: { at: Date } }
  }
}
const dated = await createSessions({ store, secrets, schema }).open(new Request('https://shop.example/'))
typed<Date | undefined>()(dated.get('at'))
// @ts-expect-error a field that the schema does not have
dated.get('user')

// Adapters for session libraries
hashedEntries({ store, ttl: '1d' })
// @ts-expect-error a store without operations
hashedEntries({ store: plain })
// @ts-expect-error a store without operations
sessionStore({ store: plain })
// @ts-expect-error a store without operations
sessionStorage({ store: plain })
// @ts-expect-error a store without operations
secondaryStorage({ store: plain })

// Counters
const counter = createCounter({ store, name: 'seats', ttl: '1d', max: 2, min: 0 })
typed<Promise<number | undefined>>()(counter.increment('a', 2))
typed<Promise<Map<string, number>>>()(counter.getMany(['a']))
// @ts-expect-error a store without operations
createCounter({ store: plain, name: 'seats' })
// @ts-expect-error a name is required
createCounter({ store })
// @ts-expect-error a bound is a number
createCounter({ store, name: 'seats', max: '2' })
// @ts-expect-error undefined if the count is at its bound
typed<Promise<number>>()(counter.increment('a'))

// One-time tokens
const tokens = createTokens<{ user: number }>({ store, name: 'reset', ttl: '15m' })
typed<Promise<{ user: number } | undefined>>()(tokens.consume(await tokens.issue({ user: 7 })))
// @ts-expect-error a store without operations
createTokens({ store: plain, name: 'reset', ttl: '15m' })
// @ts-expect-error a ttl is required
createTokens({ store, name: 'reset' })
// @ts-expect-error the data has a type
void tokens.issue({ user: '7' })

// Once
typed<Promise<boolean>>()(createOnce({ store, ttl: '7d' }).first('a'))
// @ts-expect-error a store without operations
createOnce({ store: plain, ttl: '7d' })
// @ts-expect-error a ttl is required
createOnce({ store })

// Idempotency
const keys = createIdempotency({ store, namespace: 'shop', ttl: '1d', wait: '5s' })
const attempt = await keys.begin('a', { fingerprint: 'b' })
if (attempt.outcome === 'replay') typed<string>()(attempt.response)
// @ts-expect-error not every outcome has a response
attempt.response
// @ts-expect-error a store without operations
createIdempotency({ store: plain })
// @ts-expect-error a scope is required
idempotency({ idempotency: keys })

// In a Hono application, also if only a function's parameter names its types
interface App {
  Bindings: { SECRET: string }
  Variables: { user: { id: string } }
}
const sessionsOf = (secret: string) => createSessions<Data>({ store, secrets: [secret] })
new Hono<App>()
  .use(session({ sessions: (c: Context<App>) => sessionsOf(c.env.SECRET) }))
  .use(idempotency({ idempotency: keys, scope: (c: Context<App>) => c.var.user.id }))
  .get('/', (c) => {
    typed<number | undefined>()(c.var.session.get('user'))
    typed<string>()(c.env.SECRET)
    // @ts-expect-error a field that does not exist
    c.var.session.get('name')
    return c.text('')
  })
new Hono().use(session({ sessions })).get('/', (c) => c.text(`${c.var.session.get('user')}`))
// @ts-expect-error sessions are required
session({})
