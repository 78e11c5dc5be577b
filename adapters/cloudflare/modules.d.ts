declare module 'cloudflare:workers' {
  /** Since August 2025. Throws outside a request. */
  export function waitUntil(work: Promise<unknown>): void
}
