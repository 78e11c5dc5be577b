/** The request context that Vercel puts there. This one keeps nothing: the environment lasts. */
const context = { waitUntil: (work: Promise<unknown>): void => void work }
Object.assign(globalThis, { [Symbol.for('@vercel/request-context')]: { get: () => context } })
