/** The request context that Vercel supplies. This one keeps no work alive, since the environment lasts. */
const context = { waitUntil: (work: Promise<unknown>): void => void work }
Object.assign(globalThis, { [Symbol.for('@vercel/request-context')]: { get: () => context } })
